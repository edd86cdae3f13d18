import type { MessagingBinding, Records } from '../store/records.js';
import { newSid } from '../store/sid.js';
import type { Change, Store } from '../store/store.js';
import { fail } from '../api/errors.js';
import type { forms } from '../api/forms.js';
import type { Values } from '../api/parameters.js';
import type { Call, Context, Plan } from './call.js';
import { childOf, conversationOf, openConversationOf, refuseClosed } from './call.js';
import type { Listing } from './listing.js';
import { oldestFirst } from './listing.js';
import { addressBinding, projectedBinding } from './binding.js';
import { roleFor } from './roles.js';
import { checkIdentity, userChanges } from './users.js';
import { notFound } from '../api/errors.js';

export type ParticipantForm = Values<(typeof forms)['participantCreate']>;

/** Twilio's limits. */
const MOST_PARTICIPANTS = 1000;
const MOST_NON_CHAT = 50;
const MOST_GROUP_MMS = 10;
const MOST_CONVERSATIONS = 1000;

/** By sid, and on GET by identity too (Twilio documents that for GET alone). */
export function fetchParticipant(call: Call): Records['participant'] {
  const conversation = conversationOf(call, 'ConversationSid');
  const key = call.path['Sid'] ?? '';
  const byIdentity = call.store.memberByIdentity(conversation.sid, key);
  return byIdentity ?? childOf(call, 'participant', conversation);
}

export function listParticipants(call: Call): Listing {
  const conversation = conversationOf(call, 'ConversationSid');
  return oldestFirst('participant', call.store.children('participant', conversation.sid));
}

export function createParticipant(call: Call<ParticipantForm>): Plan {
  const conversation = openConversationOf(call, 'ConversationSid');
  const changes = participantChanges(call, conversation, call.form);
  const record = changes.at(-1)?.record as Records['participant'];
  return {
    changes,
    answer: record,
    intent: { event: 'onParticipantAdd', record },
    conversation: conversation.sid,
  };
}

/** The participant, after the user it makes when its identity is new to the service. */
export function participantChanges(
  context: Context & { service: Records['service'] },
  conversation: Records['conversation'],
  form: ParticipantForm,
): Change[] {
  const { store, clock, config, service } = context;
  const now = clock.now();
  const identity = form.Identity === undefined || form.Identity === '' ? null : form.Identity;
  const binding = bindingOf(form, identity, config);
  if (identity !== null) checkIdentity(identity);
  const users = identity === null ? [] : userChanges(store, service, identity, now);
  // Who is no user yet is in no conversation either, and need not be looked for there.
  const known = users.length > 0 ? null : identity;
  refuseTwins(store, conversation, known, binding);
  refuseTooMany(store, conversation, known, binding);
  const role = form.RoleSid;
  const created = form.DateCreated ?? now;
  const record: Records['participant'] = {
    sid: newSid('MB'),
    date_created: created,
    date_updated: form.DateUpdated ?? created,
    created_event_id: 0,
    event_id: 0,
    chat_service_sid: service.sid,
    conversation_sid: conversation.sid,
    identity,
    attributes: form.Attributes ?? '{}',
    messaging_binding: binding,
    role_sid:
      role === undefined
        ? identity === null
          ? null
          : service.default_conversation_role_sid
        : roleFor(store, service.sid, role, 'conversation', 50109),
    last_read_message_index: null,
    last_read_timestamp: null,
    notification_level: 'default',
  };
  return [...users, { kind: 'participant', record }];
}

/** Twilio: an identity, or an address with its proxy, or a projected address with or without identity. */
function bindingOf(
  form: ParticipantForm,
  identity: string | null,
  config: Context['config'],
): MessagingBinding | null {
  const address = form['MessagingBinding.Address'];
  const proxy = form['MessagingBinding.ProxyAddress'];
  const projected = form['MessagingBinding.ProjectedAddress'];
  if (identity !== null && (address !== undefined || proxy !== undefined)) throw fail(50211);
  if (address === '' || (proxy !== undefined && address === undefined)) throw fail(50411);
  if (proxy === '') throw fail(50412);
  if (address !== undefined) return addressBinding(address, proxy, config);
  if (projected !== undefined) return projectedBinding(projected, config);
  if (identity !== null) return null;
  throw fail(20001, 'Missing required parameter Identity or MessagingBinding.Address in the post body');
}

function refuseTwins(
  store: Store,
  conversation: Records['conversation'],
  identity: string | null,
  binding: MessagingBinding | null,
): void {
  if (identity !== null && store.memberByIdentity(conversation.sid, identity) !== undefined) {
    throw fail(50433);
  }
  if (binding?.projected_address !== undefined) {
    if (store.memberByAddress(conversation.sid, binding.projected_address) !== undefined) throw fail(50437);
  }
  if (binding?.address === undefined) return;
  if (store.memberByAddress(conversation.sid, binding.address) !== undefined) throw fail(50433);
  if (binding.proxy_address !== undefined) refuseBoundPair(store, binding.address, binding.proxy_address);
}

/** Callers parse the other conversation's sid out of this message, so it is worded as Twilio's. */
export function refuseBoundPair(store: Store, address: string, proxy: string): void {
  const holder = store.boundTo(address, proxy);
  if (holder === undefined) return;
  throw fail(
    50416,
    `A binding for this participant and proxy address already exists in Conversation ${holder.conversation_sid}`,
  );
}

function refuseTooMany(
  store: Store,
  conversation: Records['conversation'],
  identity: string | null,
  binding: MessagingBinding | null,
): void {
  const members = store.children('participant', conversation.sid);
  if (members.size >= MOST_PARTICIPANTS) throw fail(50417);
  if (identity !== null) refuseTooManyConversations(store, conversation.chat_service_sid, identity);
  if (binding === null) return;
  const bindings = [...members.after()].map(([, sid]) => store.get('participant', sid)?.messaging_binding);
  const grouped = bindings.some((other) => other?.projected_address !== undefined);
  if (binding.address !== undefined && binding.proxy_address === undefined && !grouped) throw fail(50412);
  const others = bindings.filter((other) => other != null).length;
  if ((grouped || binding.projected_address !== undefined) && others >= MOST_GROUP_MMS) throw fail(50436);
  if (others >= MOST_NON_CHAT) throw fail(50418);
}

/** Closed conversations do not count (Twilio). */
function refuseTooManyConversations(store: Store, service: string, identity: string): void {
  const { memberships } = store.indexes;
  if (memberships.size(service, identity) < MOST_CONVERSATIONS) return;
  let open = 0;
  for (const sid of memberships.all(service, identity)) {
    const conversation = store.get('participant', sid)?.conversation_sid;
    if (store.get('conversation', conversation ?? '')?.state !== 'closed') open += 1;
  }
  if (open >= MOST_CONVERSATIONS) throw fail(50208);
}

export function deleteParticipant(call: Call): Plan {
  const conversation = conversationOf(call, 'ConversationSid');
  const record = childOf(call, 'participant', conversation);
  refuseClosed(conversation);
  return {
    changes: [{ kind: 'participant', sid: record.sid }],
    intent: { event: 'onParticipantRemove', record },
    conversation: conversation.sid,
  };
}

/** The participants an identity has in a service, or an address has over all services. */
export function membershipsOf(store: Store, service: string, identity: string): Records['participant'][] {
  const sids = store.indexes.memberships.all(service, identity);
  return [...sids].map((sid) => store.get('participant', sid)).filter((found) => found !== undefined);
}

export function memberOf(
  call: Call,
  conversation: Records['conversation'],
  identity: string,
): Records['participant'] {
  const found = call.store.memberByIdentity(conversation.sid, identity);
  if (found === undefined) throw notFound(call.where);
  return found;
}
