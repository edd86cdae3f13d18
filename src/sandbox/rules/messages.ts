import type { Media, Records } from '../store/records.js';
import { newSid } from '../store/sid.js';
import type { Change, Store } from '../store/store.js';
import { fail } from '../api/errors.js';
import type { forms, queries } from '../api/forms.js';
import type { Values } from '../api/parameters.js';
import type { Call, Plan } from './call.js';
import { childOf, conversationOf, openConversationOf, refuseEmpty, touched } from './call.js';
import { inState } from './conversations.js';
import type { Listing } from './listing.js';
import { newestFirst, oldestFirst } from './listing.js';
import { receiptChanges } from './receipts.js';

type CreateForm = Values<(typeof forms)['messageCreate']>;
type UpdateForm = Values<(typeof forms)['messageUpdate']>;

/** Twilio's limits: bytes in a chat, characters where somebody is reached by SMS or WhatsApp. */
const MOST_CHAT_BYTES = 32 * 1024;
const MOST_TEXT_CHARACTERS = 1600;

export function fetchMessage(call: Call): Records['message'] {
  return childOf(call, 'message', conversationOf(call, 'ConversationSid'));
}

export function listMessages(call: Call<object, Values<(typeof queries)['messages']>>): Listing {
  const { sid } = conversationOf(call, 'ConversationSid');
  const list = call.store.children('message', sid);
  return call.query.Order === 'desc' ? newestFirst('message', list) : oldestFirst('message', list);
}

export function createMessage(call: Call<CreateForm>): Plan {
  const conversation = openConversationOf(call, 'ConversationSid');
  const { form, store, clock } = call;
  const now = clock.now();
  const author = form.Author === undefined || form.Author === '' ? 'system' : form.Author;
  const created = form.DateCreated ?? now;
  const record: Records['message'] = {
    sid: newSid('IM'),
    date_created: created,
    date_updated: form.DateUpdated ?? created,
    created_event_id: 0,
    event_id: 0,
    chat_service_sid: conversation.chat_service_sid,
    conversation_sid: conversation.sid,
    index: conversation.next_message_index,
    author,
    body: form.Body ?? null,
    subject: form.Subject ?? null,
    media: mediaOf(form.MediaSid),
    attributes: form.Attributes ?? '{}',
    participant_sid: participantOf(store, conversation.sid, author),
    content_sid: form.ContentSid ?? null,
  };
  if (record.participant_sid === null && author !== 'system') refuseStranger(store, conversation.sid, author);
  const empty = (form.Body ?? '') === '' && record.media === null && record.content_sid === null;
  if (empty) throw fail(50501);
  checkLength(store, conversation.sid, form.Body);
  return {
    changes: messageChanges(store, conversation, record, now),
    answer: record,
    intent: { event: 'onMessageAdd', record },
    conversation: conversation.sid,
  };
}

/** The message, its receipts, and the waking of an inactive conversation. */
export function messageChanges(
  store: Store,
  conversation: Records['conversation'],
  record: Records['message'],
  now: number,
): Change[] {
  const waking: Change[] =
    conversation.state === 'inactive'
      ? [{ kind: 'conversation', record: inState(conversation, 'active', now) }]
      : [];
  return [...waking, { kind: 'message', record }, ...receiptChanges(store, record, now)];
}

/** Media are uploaded elsewhere (not part of this API): a well-formed sid is taken at its word. */
function mediaOf(sid: string | undefined): Media[] | null {
  if (sid === undefined) return null;
  return [{ sid, size: 0, content_type: 'application/octet-stream', filename: null }];
}

/** Set only when the author is in the conversation, by identity or by address (Twilio). */
function participantOf(store: Store, conversationSid: string, author: string): string | null {
  const found =
    store.memberByIdentity(conversationSid, author) ?? store.memberByAddress(conversationSid, author);
  return found?.sid ?? null;
}

/** In group texting only those in the group may speak (Twilio: 50513). */
function refuseStranger(store: Store, conversationSid: string, author: string): void {
  for (const [, sid] of store.children('participant', conversationSid).after()) {
    if (store.get('participant', sid)?.messaging_binding?.projected_address === undefined) continue;
    throw fail(50513, `${author} is not among the participants of this group conversation`);
  }
}

function checkLength(store: Store, conversationSid: string, body: string | undefined): void {
  if (body === undefined || body.length <= MOST_TEXT_CHARACTERS) return;
  if (Buffer.byteLength(body) > MOST_CHAT_BYTES)
    throw fail(50504, `Body is longer than ${MOST_CHAT_BYTES} bytes`);
  for (const [, sid] of store.children('participant', conversationSid).after()) {
    if (store.get('participant', sid)?.messaging_binding == null) continue;
    throw fail(
      50504,
      `Body is longer than ${MOST_TEXT_CHARACTERS} characters, and not everybody is in the chat`,
    );
  }
}

export function updateMessage(call: Call<UpdateForm>): Plan {
  const { form, store, clock } = call;
  refuseEmpty(form);
  const conversation = openConversationOf(call, 'ConversationSid');
  const before = childOf(call, 'message', conversation);
  checkLength(store, conversation.sid, form.Body);
  const author = form.Author ?? before.author;
  const record: Records['message'] = {
    ...before,
    ...touched(before, clock.now(), form),
    author,
    participant_sid:
      author === before.author ? before.participant_sid : participantOf(store, conversation.sid, author),
    body: form.Body ?? before.body,
    subject: form.Subject ?? before.subject,
    attributes: form.Attributes ?? before.attributes,
  };
  return {
    changes: [{ kind: 'message', record }],
    answer: record,
    intent: { event: 'onMessageUpdate', record },
    conversation: conversation.sid,
  };
}

export function deleteMessage(call: Call): Plan {
  const conversation = openConversationOf(call, 'ConversationSid');
  const record = childOf(call, 'message', conversation);
  return {
    changes: [{ kind: 'message', sid: record.sid }],
    intent: { event: 'onMessageRemove', record },
    conversation: conversation.sid,
  };
}
