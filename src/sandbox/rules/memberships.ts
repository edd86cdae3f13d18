import type { Records } from '../store/records.js';
import type { Store } from '../store/store.js';
import { fail, notFound } from '../api/errors.js';
import type { forms, queries } from '../api/forms.js';
import type { Values } from '../api/parameters.js';
import type { Call, Plan } from './call.js';
import { conversationOf, refuseClosed, refuseEmpty, userOf } from './call.js';
import type { Entry, Listing } from './listing.js';
import { sorted } from './listing.js';
import { memberOf, membershipsOf } from './participants.js';
import { readHorizon } from './participant-update.js';

/** Twilio counts unread messages up to here. */
const MOST_UNREAD = 1000;

/** User conversations and participant conversations are both views of a participant. */
export function fetchUserConversation(call: Call): Records['participant'] {
  const user = userOf(call, 'UserSid');
  return memberOf(call, conversationOf(call, 'ConversationSid'), user.identity);
}

export function listUserConversations(call: Call): Listing {
  const user = userOf(call, 'UserSid');
  return byConversation(membershipsOf(call.store, user.chat_service_sid, user.identity));
}

export function updateUserConversation(call: Call<Values<(typeof forms)['userConversation']>>): Plan {
  refuseEmpty(call.form);
  const before = fetchUserConversation(call);
  const conversation = conversationOf(call, 'ConversationSid');
  refuseClosed(conversation);
  const now = call.clock.now();
  const record: Records['participant'] = {
    ...before,
    date_updated: now,
    notification_level: call.form.NotificationLevel ?? before.notification_level,
    ...readHorizon(call.form, before, conversation, now),
  };
  return { changes: [{ kind: 'participant', record }], answer: record };
}

/** Leaving the conversation. */
export function deleteUserConversation(call: Call): Plan {
  const { sid } = fetchUserConversation(call);
  refuseClosed(conversationOf(call, 'ConversationSid'));
  return { changes: [{ kind: 'participant', sid }] };
}

/** Exactly one of Identity and Address, matched exactly, in the order of the conversations' sids (Twilio). */
export function listParticipantConversations(
  call: Call<object, Values<(typeof queries)['participantConversations']>>,
): Listing {
  const { store, service, query } = call;
  const { Identity: identity, Address: address } = query;
  if (identity !== undefined && address !== undefined) throw fail(50451);
  if (identity !== undefined) return byConversation(membershipsOf(store, service.sid, identity));
  if (address === undefined) throw fail(20001, 'Missing required parameter Identity or Address in the query');
  const sids = store.indexes.addressMemberships.all(service.sid, address);
  const found = [...sids].map((sid) => store.get('participant', sid));
  return byConversation(found.filter((member) => member !== undefined));
}

function byConversation(members: Records['participant'][]): Listing {
  return sorted(
    'participant',
    members.map(({ conversation_sid, sid }): Entry => [conversation_sid, sid]),
  );
}

/** What there is of a conversation beyond the reader's horizon; unknown before the first reading. */
export function unreadCount(store: Store, participant: Records['participant']): number | null {
  const read = participant.last_read_message_index;
  if (read === null) return null;
  let unread = 0;
  for (const [, sid] of store.children('message', participant.conversation_sid).before()) {
    if ((store.get('message', sid)?.index ?? 0) <= read || unread === MOST_UNREAD) break;
    unread += 1;
  }
  return unread;
}

export function conversationOfMember(store: Store, member: Records['participant']): Records['conversation'] {
  const found = store.get('conversation', member.conversation_sid);
  if (found === undefined) throw notFound(`/Conversations/${member.conversation_sid}`);
  return found;
}
