import type { Message, Participant, ReceiptStatus, Records } from '../store/records.js';
import { newSid } from '../store/sid.js';
import type { Change, Store } from '../store/store.js';
import { notFound } from '../api/errors.js';
import type { Call } from './call.js';
import { childOf, conversationOf, fresh } from './call.js';
import type { Listing } from './listing.js';
import { oldestFirst } from './listing.js';

/** How long a receipt stays queued, then sent: the sandbox's own pace, on its clock. */
export const RECEIPT_STEP_MS = 200;

/** A Twilio test number that cannot be reached: its receipts fail with 30006. */
const UNREACHABLE = '+15005550009';

/** Failed and undelivered are final (Twilio); read comes after delivered. */
const RANK: Record<ReceiptStatus, number> = {
  queued: 0,
  sent: 1,
  delivered: 2,
  read: 3,
  failed: 9,
  undelivered: 9,
};
const COUNTED = ['sent', 'delivered', 'read', 'failed', 'undelivered'] as const;

/** One receipt for each participant who is reached at an address, but not for the author. */
export function receiptChanges(store: Store, message: Message, now: number): Change[] {
  const changes: Change[] = [];
  for (const participant of recipients(store, message.conversation_sid)) {
    if (participant.sid === message.participant_sid) continue;
    const record: Records['receipt'] = {
      ...fresh(newSid('DY'), now),
      chat_service_sid: message.chat_service_sid,
      conversation_sid: message.conversation_sid,
      message_sid: message.sid,
      channel_message_sid: newSid(participant.messaging_binding?.type === 'whatsapp' ? 'WA' : 'SM'),
      participant_sid: participant.sid,
      status: 'queued',
      error_code: 0,
      automatic: true,
    };
    changes.push({ kind: 'receipt', record });
  }
  return changes;
}

function recipients(store: Store, conversationSid: string): Participant[] {
  const found: Participant[] = [];
  for (const [, sid] of store.children('participant', conversationSid).after()) {
    const participant = store.get('participant', sid);
    if (participant?.messaging_binding?.address !== undefined) found.push(participant);
  }
  return found;
}

/** Where a receipt goes next if nobody drives it. */
export function nextStatus(
  store: Store,
  receipt: Records['receipt'],
): { status: ReceiptStatus; error_code: number } | undefined {
  if (!receipt.automatic) return undefined;
  if (receipt.status === 'sent') return { status: 'delivered', error_code: 0 };
  if (receipt.status !== 'queued') return undefined;
  const address = store.get('participant', receipt.participant_sid)?.messaging_binding?.address;
  if (address?.endsWith(UNREACHABLE) === true) return { status: 'failed', error_code: 30006 };
  return { status: 'sent', error_code: 0 };
}

/** Whether a receipt may take this status: it never goes back, and its end is its end. */
export function mayBecome(before: ReceiptStatus, after: ReceiptStatus): boolean {
  return RANK[after] > RANK[before] && RANK[before] !== RANK.failed;
}

/** Twilio's summary over the recipients at addresses; null where there are none. */
export function deliveryOf(store: Store, messageSid: string): Record<string, number | string> | null {
  const receipts = store.children('receipt', messageSid);
  if (receipts.size === 0) return null;
  const counts = { sent: 0, delivered: 0, read: 0, failed: 0, undelivered: 0 };
  for (const [, sid] of receipts.after()) {
    const status = store.get('receipt', sid)?.status ?? 'queued';
    if (status === 'failed' || status === 'undelivered') counts[status] += 1;
    // What is read was delivered, and what was delivered was sent.
    else
      for (const step of ['sent', 'delivered', 'read'] as const)
        if (RANK[status] >= RANK[step]) counts[step] += 1;
  }
  const total = receipts.size;
  const share = (count: number): string => (count === 0 ? 'none' : count === total ? 'all' : 'some');
  return { total, ...Object.fromEntries(COUNTED.map((status) => [status, share(counts[status])])) };
}

/** Twilio's list knows no "queued": a receipt is seen from "sent" on. */
const visible = (record: Records['receipt']): boolean => record.status !== 'queued';

export function fetchReceipt(call: Call): Records['receipt'] {
  const conversation = conversationOf(call, 'ConversationSid');
  const message = childOf(call, 'message', conversation, 'MessageSid');
  const receipt = call.store.get('receipt', call.path['Sid'] ?? '');
  if (receipt?.message_sid !== message.sid || !visible(receipt)) throw notFound(call.where);
  return receipt;
}

export function listReceipts(call: Call): Listing {
  const conversation = conversationOf(call, 'ConversationSid');
  const message = childOf(call, 'message', conversation, 'MessageSid');
  const listing = oldestFirst('receipt', call.store.children('receipt', message.sid));
  return { ...listing, keep: (record) => visible(record as Records['receipt']) };
}
