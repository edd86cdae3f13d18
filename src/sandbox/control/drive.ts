import type { ReceiptStatus, Records } from '../store/records.js';
import { newSid } from '../store/sid.js';
import { fail } from '../api/errors.js';
import type { Context } from '../rules/call.js';
import { fresh } from '../rules/call.js';
import { mayBecome } from '../rules/receipts.js';

const FROM_OUTSIDE = { source: 'API', reason: 'EVENT', hooks: true } as const;

export interface ReceiptOrder {
  conversationSid: string;
  messageSid: string;
  participantSid?: string;
  status: ReceiptStatus;
  errorCode?: number;
}

/** Sets the receipts of a message, of one recipient or of all; from then on they do not move by themselves. */
export function driveReceipts({ store, clock }: Context, order: ReceiptOrder): { changed: number } {
  const message = store.get('message', order.messageSid);
  if (message?.conversation_sid !== order.conversationSid)
    throw fail(20404, 'No such message in that conversation');
  const records: Records['receipt'][] = [];
  for (const [, sid] of store.children('receipt', message.sid).after()) {
    const receipt = store.get('receipt', sid);
    if (
      receipt === undefined ||
      (order.participantSid ?? receipt.participant_sid) !== receipt.participant_sid
    )
      continue;
    if (!mayBecome(receipt.status, order.status))
      throw fail(20409, `A receipt cannot turn from ${receipt.status} to ${order.status}`);
    records.push({
      ...receipt,
      status: order.status,
      error_code: order.errorCode ?? 0,
      automatic: false,
      date_updated: clock.now(),
    });
  }
  if (records.length === 0)
    throw fail(20404, 'That message has no such receipt: only participants at addresses give any');
  store.commit(
    records.map((record) => ({ kind: 'receipt', record })),
    FROM_OUTSIDE,
  );
  return { changed: records.length };
}

export interface BindingOrder {
  chatServiceSid?: string;
  identity: string;
  bindingType: Records['binding']['binding_type'];
  credentialSid: string;
  endpoint: string;
  messageTypes: string[];
}

/** Twilio's clients register for push over the real-time protocol; here the control API stands in for them. */
export function registerBinding({ store, clock, config }: Context, order: BindingOrder): { sid: string } {
  const service =
    order.chatServiceSid ?? store.get('account', config.accountSid)?.default_chat_service_sid ?? '';
  if (store.get('service', service) === undefined) throw fail(20404, 'No such service');
  if (store.get('credential', order.credentialSid) === undefined) throw fail(20404, 'No such credential');
  const record: Records['binding'] = {
    ...fresh(newSid('BS'), clock.now()),
    chat_service_sid: service,
    identity: order.identity,
    binding_type: order.bindingType,
    credential_sid: order.credentialSid,
    endpoint: order.endpoint,
    message_types: order.messageTypes,
  };
  store.commit([{ kind: 'binding', record }], FROM_OUTSIDE);
  return { sid: record.sid };
}
