import type { SandboxConfig } from '../config.js';
import type { Kind, Records } from '../store/records.js';
import type { Clock } from '../store/clock.js';
import type { Change, Store } from '../store/store.js';
import { looksLikeSid } from '../store/sid.js';
import { fail, notFound } from '../api/errors.js';

/** What every rule may look at. */
export interface Context {
  store: Store;
  clock: Clock;
  config: SandboxConfig;
}

/** One request, as a rule sees it: form and query already read by their tables. */
export interface Call<F = object, Q = object> extends Context {
  service: Records['service'];
  /** Path parameters. */
  path: Record<string, string>;
  form: F;
  query: Q;
  /** The path as it came, for "The requested resource … was not found". */
  where: string;
}

/** What a pre-event webhook is asked about, before anything is done. */
export type Intent =
  | { event: 'onConversationAdd'; record: Records['conversation']; inbound?: Record<string, string> }
  | { event: 'onConversationUpdate' | 'onConversationRemove'; record: Records['conversation'] }
  | { event: 'onMessageAdd' | 'onMessageUpdate' | 'onMessageRemove'; record: Records['message'] }
  | {
      event: 'onParticipantAdd' | 'onParticipantUpdate' | 'onParticipantRemove';
      record: Records['participant'];
    }
  | { event: 'onUserUpdate'; record: Records['user'] };

/** A decision, not yet done: the rule has looked at everything and touched nothing. */
export interface Plan {
  changes: Change[];
  /** The record the answer shows; absent for a deletion. */
  answer?: Records[Kind];
  intent?: Intent;
  /** What the rate limit counts it against: the conversation, else the service. */
  conversation?: string;
  /** Done after the answer (ConversationWithParticipants). */
  then?: () => void;
}

const base = { created_event_id: 0, event_id: 0 };

/** The fields every new record begins with; the store fills in its event ids. */
export function fresh(
  sid: string,
  now: number,
  form: { DateCreated?: number; DateUpdated?: number } = {},
): { sid: string; date_created: number; date_updated: number; created_event_id: number; event_id: number } {
  const date_created = form.DateCreated ?? now;
  return { sid, date_created, date_updated: form.DateUpdated ?? date_created, ...base };
}

/** What an update does to the dates. */
export function touched(
  record: { date_created: number },
  now: number,
  form: { DateCreated?: number; DateUpdated?: number } = {},
): { date_created: number; date_updated: number } {
  return { date_created: form.DateCreated ?? record.date_created, date_updated: form.DateUpdated ?? now };
}

/** `{Sid}` of a conversation: its sid or its unique name (Twilio), within the service of the path. */
export function conversationOf(call: Call, parameter: string): Records['conversation'] {
  const { store, service, path, where } = call;
  const key = path[parameter] ?? '';
  const found = store.get('conversation', key) ?? store.conversationByName(service.sid, key);
  if (found === undefined || found.chat_service_sid !== service.sid) throw notFound(where);
  return found;
}

/** A conversation that may still be changed. */
export function openConversationOf(call: Call, parameter: string): Records['conversation'] {
  const conversation = conversationOf(call, parameter);
  refuseClosed(conversation);
  return conversation;
}

/** Closed is final (Twilio: 50377). That an initializing one answers 50349 is our choice. */
export function refuseClosed(conversation: Records['conversation']): void {
  if (conversation.state === 'closed') throw fail(50377, `Conversation ${conversation.sid} is closed`);
  if (conversation.state === 'initializing') throw fail(50349);
}

/** A user's sid, or identity. */
export function userOf(call: Call, parameter: string): Records['user'] {
  const { store, service, path, where } = call;
  const key = path[parameter] ?? '';
  const found = looksLikeSid('US', key) ? store.get('user', key) : store.userByIdentity(service.sid, key);
  if (found === undefined || found.chat_service_sid !== service.sid) throw notFound(where);
  return found;
}

/** A record below a conversation, by sid. */
export function childOf<K extends 'participant' | 'message' | 'webhook'>(
  call: Call,
  kind: K,
  conversation: Records['conversation'],
  parameter = 'Sid',
): Records[K] {
  const found: Records['participant' | 'message' | 'webhook'] | undefined = call.store.get(
    kind,
    call.path[parameter] ?? '',
  );
  if (found === undefined || found.conversation_sid !== conversation.sid) throw notFound(call.where);
  return found as Records[K];
}

/** A record of the service in the path, by sid. */
export function ofService<K extends 'role' | 'binding'>(call: Call, kind: K): Records[K] {
  const found: Records['role' | 'binding'] | undefined = call.store.get(kind, call.path['Sid'] ?? '');
  if (found === undefined || found.chat_service_sid !== call.service.sid) throw notFound(call.where);
  return found as Records[K];
}

/** Twilio answers an update that carries nothing with an error of its own. */
export function refuseEmpty(form: object, code: 20161 | 50347 = 20161): void {
  for (const _ in form) return;
  throw fail(code);
}
