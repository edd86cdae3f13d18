import type { AddressConfiguration, Records } from '../store/records.js';
import { newSid } from '../store/sid.js';
import type { Cause, Change } from '../store/store.js';
import { ApiError, fail } from '../api/errors.js';
import type { Prehooks } from '../api/perform.js';
import type { Call, Context } from './call.js';
import { fresh } from './call.js';
import { channelOf } from './binding.js';
import { newConversation } from './conversations.js';
import { messageChanges } from './messages.js';
import { participantChanges } from './participants.js';

export interface Inbound {
  from: string;
  to: string;
  body: string;
}

export interface Arrival {
  conversationSid: string | null;
  messageSid: string | null;
  /** Why there is none: no configuration wanted it, or a pre-hook refused it. */
  dropped: string | null;
}

const dropped = (reason: string): Arrival => ({ conversationSid: null, messageSid: null, dropped: reason });

/**
 * A message comes in from outside (Twilio): to the conversation that holds the pair, if one does
 * that is not closed; else to a new one, where the number's address configuration makes them.
 */
export async function receive(context: Context & { prehooks: Prehooks }, inbound: Inbound): Promise<Arrival> {
  const { store } = context;
  const channel = channelOf(inbound.from);
  if (channel === undefined) throw fail(50407, `Invalid address: ${inbound.from}`);
  if (channelOf(inbound.to) !== channel) throw fail(50414);
  const cause: Cause = { source: channel === 'whatsapp' ? 'WHATSAPP' : 'SMS', reason: 'EVENT', hooks: true };
  try {
    const member = store.boundTo(inbound.from, inbound.to);
    const conversation = member && store.get('conversation', member.conversation_sid);
    if (conversation !== undefined) return await deliver(context, conversation, inbound, [], cause);
    return await autoCreate(context, inbound, cause);
  } catch (error) {
    if (error instanceof ApiError && (error.code === 50056 || error.code === 50057))
      return dropped(error.message);
    throw error;
  }
}

async function autoCreate(
  context: Context & { prehooks: Prehooks },
  inbound: Inbound,
  cause: Cause,
): Promise<Arrival> {
  const { store, config, clock } = context;
  const sid = store.indexes.addressConfigurations.get(inbound.to);
  const configuration = store.get('address', sid ?? '');
  if (configuration?.auto_creation.enabled !== true)
    return dropped('no address configuration creates conversations');
  const account = store.get('account', config.accountSid);
  const service = store.get(
    'service',
    configuration.auto_creation.conversation_service_sid ?? account?.default_chat_service_sid ?? '',
  );
  if (service === undefined) return dropped('the service of the address configuration is gone');
  const call: Call = { ...context, service, path: {}, form: {}, query: {}, where: '' };
  const conversation = newConversation(call, inbound.from);
  // Twilio tells a pre-hook of auto-creation what came in, and from whom.
  const told = {
    MessageBody: inbound.body,
    'MessagingBinding.Address': inbound.from,
    'MessagingBinding.ProxyAddress': inbound.to,
  };
  const intent = { event: 'onConversationAdd', record: conversation, inbound: told } as const;
  if (context.prehooks.asks(intent, service)) {
    const { FriendlyName } = await context.prehooks.ask(intent, service, cause.source);
    if (FriendlyName !== undefined) conversation.friendly_name = FriendlyName;
  }
  const participants = participantChanges({ ...context, service }, conversation, {
    'MessagingBinding.Address': inbound.from,
    'MessagingBinding.ProxyAddress': inbound.to,
  });
  const webhooks = autoWebhook(configuration, conversation, clock.now());
  const before: Change[] = [{ kind: 'conversation', record: conversation }, ...webhooks, ...participants];
  return deliver(context, conversation, inbound, before, cause);
}

/** The webhook or flow of the address configuration becomes a webhook of the new conversation. */
function autoWebhook(
  { auto_creation: auto }: AddressConfiguration,
  { sid, chat_service_sid }: Records['conversation'],
  now: number,
): Change[] {
  const base = { ...fresh(newSid('WH'), now), chat_service_sid, conversation_sid: sid };
  if (auto.type === 'webhook' && auto.webhook_url !== null) {
    const configuration = {
      url: auto.webhook_url,
      method: auto.webhook_method === 'GET' ? ('get' as const) : ('post' as const),
      filters: auto.webhook_filters ?? [],
    };
    return [{ kind: 'webhook', record: { ...base, target: 'webhook', configuration } }];
  }
  if (auto.type === 'studio' && auto.studio_flow_sid !== null) {
    const configuration = { flow_sid: auto.studio_flow_sid, filters: [] };
    return [{ kind: 'webhook', record: { ...base, target: 'studio', configuration } }];
  }
  return [];
}

async function deliver(
  context: Context & { prehooks: Prehooks },
  conversation: Records['conversation'],
  { from, body }: Inbound,
  before: Change[],
  cause: Cause,
): Promise<Arrival> {
  const { store, clock, prehooks } = context;
  const service = store.get('service', conversation.chat_service_sid);
  const author = before.find(({ kind }) => kind === 'participant')?.record?.sid;
  const now = clock.now();
  const record: Records['message'] = {
    ...fresh(newSid('IM'), now),
    chat_service_sid: conversation.chat_service_sid,
    conversation_sid: conversation.sid,
    index: conversation.next_message_index,
    author: from,
    body,
    subject: null,
    media: null,
    attributes: '{}',
    participant_sid: author ?? store.memberByAddress(conversation.sid, from)?.sid ?? null,
    content_sid: null,
  };
  const intent = { event: 'onMessageAdd', record } as const;
  if (service !== undefined && prehooks.asks(intent, service)) {
    const changed = await prehooks.ask(intent, service, cause.source);
    record.body = changed['Body'] ?? record.body;
    record.author = changed['Author'] ?? record.author;
    record.attributes = changed['Attributes'] ?? record.attributes;
  }
  const present = before.length > 0 ? conversation : store.get('conversation', conversation.sid);
  if (present === undefined || present.state === 'closed') return dropped('the conversation is gone');
  record.index = present.next_message_index;
  store.commit([...before, ...messageChanges(store, present, record, now)], cause);
  return { conversationSid: conversation.sid, messageSid: record.sid, dropped: null };
}
