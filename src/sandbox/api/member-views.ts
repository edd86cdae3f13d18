import type { Records } from '../store/records.js';
import { conversationOfMember, unreadCount } from '../rules/memberships.js';
import { iso, timersAnswer } from './dates.js';
import type { Answer, View } from './render.js';

/** A participant as its user sees it. */
export function userConversation(member: Records['participant'], view: View): Answer {
  const { store, base } = view;
  const conversation = conversationOfMember(store, member);
  const user = store.userByIdentity(member.chat_service_sid, member.identity ?? '');
  return {
    chat_service_sid: member.chat_service_sid,
    conversation_sid: conversation.sid,
    unread_messages_count: unreadCount(store, member),
    last_read_message_index: member.last_read_message_index,
    participant_sid: member.sid,
    user_sid: user?.sid ?? null,
    friendly_name: conversation.friendly_name,
    conversation_state: conversation.state,
    timers: timersAnswer(conversation),
    attributes: conversation.attributes,
    date_created: iso(conversation.date_created),
    date_updated: iso(conversation.date_updated),
    created_by: conversation.created_by,
    notification_level: member.notification_level,
    unique_name: conversation.unique_name,
    url: `${base}/Users/${user?.sid ?? ''}/Conversations/${conversation.sid}`,
    links: memberLinks(member, view),
  };
}

/** A participant as the search by identity or address shows it. */
export function participantConversation(member: Records['participant'], view: View): Answer {
  const { store } = view;
  const conversation = conversationOfMember(store, member);
  const user = store.userByIdentity(member.chat_service_sid, member.identity ?? '');
  return {
    chat_service_sid: member.chat_service_sid,
    participant_sid: member.sid,
    participant_user_sid: user?.sid ?? null,
    participant_identity: member.identity,
    participant_messaging_binding: member.messaging_binding,
    conversation_sid: conversation.sid,
    conversation_unique_name: conversation.unique_name,
    conversation_friendly_name: conversation.friendly_name,
    conversation_attributes: conversation.attributes,
    conversation_date_created: iso(conversation.date_created),
    conversation_date_updated: iso(conversation.date_updated),
    conversation_created_by: conversation.created_by,
    conversation_state: conversation.state,
    conversation_timers: timersAnswer(conversation),
    links: memberLinks(member, view),
  };
}

function memberLinks(member: Records['participant'], { base }: View): Answer {
  const conversation = `${base}/Conversations/${member.conversation_sid}`;
  return { participant: `${conversation}/Participants/${member.sid}`, conversation };
}
