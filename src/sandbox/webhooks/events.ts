import type { Kind, Records } from '../store/records.js';
import type { Applied, Cause, Store } from '../store/store.js';
import { iso } from '../api/dates.js';
import type { Said, Stage } from './parameters.js';
import { describe } from './parameters.js';

/** Something that happened and that a webhook may be told. */
export interface Event {
  type: string;
  service: string;
  conversation: string | null;
  said: Said;
}

type Hooked = keyof typeof describe;

/** The post-events of each kind of object, as Twilio names them. */
const NAMES: Record<Exclude<Hooked, 'receipt'>, { added: string; updated: string; removed?: string }> = {
  conversation: {
    added: 'onConversationAdded',
    updated: 'onConversationUpdated',
    removed: 'onConversationRemoved',
  },
  message: { added: 'onMessageAdded', updated: 'onMessageUpdated', removed: 'onMessageRemoved' },
  participant: {
    added: 'onParticipantAdded',
    updated: 'onParticipantUpdated',
    removed: 'onParticipantRemoved',
  },
  user: { added: 'onUserAdded', updated: 'onUserUpdated' },
};

/** All events of one commit, in the order of its changes. */
export function eventsOf(applied: readonly Applied[], cause: Cause, at: number, store: Store): Event[] {
  // A message wakes an inactive conversation: that is an event, not what the caller asked for.
  const woken = applied.some(({ kind }) => kind === 'message');
  const reason = woken ? 'EVENT' : cause.reason;
  return applied.flatMap((change): Event[] => {
    switch (change.kind) {
      case 'conversation':
        return conversationEvents(change, reason, at, store);
      case 'message':
      case 'participant':
      case 'user':
        return plain(change, at, store);
      case 'receipt':
        return receiptEvents(change, at, store);
      default:
        return [];
    }
  });
}

function plain(change: Applied & { kind: Exclude<Hooked, 'receipt'> }, at: number, store: Store): Event[] {
  const { kind, before, after } = change;
  const record = after ?? before;
  if (record === undefined) return [];
  const stage: Stage = after === undefined ? 'removed' : before === undefined ? 'added' : 'updated';
  const type = NAMES[kind][stage];
  return type === undefined ? [] : [event(type, kind, record, stage, at, store)];
}

function event(
  type: string,
  kind: Hooked,
  record: Records[Kind],
  stage: Stage,
  at: number,
  store: Store,
): Event {
  const { chat_service_sid } = record as Records['message'];
  const conversation =
    kind === 'user'
      ? null
      : kind === 'conversation'
        ? record.sid
        : (record as Records['message']).conversation_sid;
  const said = describe[kind](record as never, stage, store, at);
  return { type, service: chat_service_sid, conversation, said };
}

function conversationEvents(
  change: Applied & { kind: 'conversation' },
  reason: Cause['reason'],
  at: number,
  store: Store,
): Event[] {
  const { before, after } = change;
  if (before === undefined || after === undefined) return plain(change, at, store);
  const updated = reason === 'API' ? plain(change, at, store) : [];
  if (before.state === after.state) return updated;
  const said: Said = {
    ChatServiceSid: after.chat_service_sid,
    ConversationSid: after.sid,
    MessagingServiceSid: after.messaging_service_sid,
    StateUpdated: iso(after.state_since),
    StateFrom: before.state,
    StateTo: after.state,
    Reason: reason,
  };
  const type = 'onConversationStateUpdated';
  return [...updated, { type, service: after.chat_service_sid, conversation: after.sid, said }];
}

/** One call for each change of a receipt's status; waiting in the queue is none yet. */
function receiptEvents({ before, after }: Applied & { kind: 'receipt' }, at: number, store: Store): Event[] {
  if (after === undefined || after.status === 'queued' || after.status === before?.status) return [];
  return [event('onDeliveryUpdated', 'receipt', after, 'updated', at, store)];
}
