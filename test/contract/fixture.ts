import type { Body, Form, Harness } from '../sandbox/support/harness.js';
import type { Operation } from './document.js';

/** One of each resource, so that every path can be filled; made anew for each operation. */
export interface Fixture {
  service: string;
  conversation: string;
  chat: string;
  projected: string;
  sms: string;
  message: string;
  receipt: string;
  webhook: string;
  user: string;
  conversationRole: string;
  serviceRole: string;
  spareRole: string;
  address: string;
  credential: string;
  binding: string;
  spareService: string;
}

let counter = 0;

/** A number nobody has used yet: pairs are unique over the account. */
export const number = (): string => `+1555${String(1_000_000 + ++counter)}`;
export const unique = (prefix: string): string => `${prefix}-${++counter}`;

export async function fixture(sandbox: Harness, service: string | null): Promise<Fixture> {
  const scope = service === null ? '/v1' : `/v1/Services/${service}`;
  const make = async (path: string, form: Form): Promise<Body> => {
    const { status, body } = await sandbox.call('POST', path, form);
    if (status >= 300) throw new Error(`POST ${path}: ${JSON.stringify(body)}`);
    return body;
  };
  const conversation = await make(`${scope}/Conversations`, { UniqueName: unique('case') });
  const inside = `${scope}/Conversations/${conversation.sid}`;
  const chat = await make(`${inside}/Participants`, { Identity: unique('agent') });
  const proxy = number();
  const sms = await make(`${inside}/Participants`, {
    'MessagingBinding.Address': number(),
    'MessagingBinding.ProxyAddress': proxy,
  });
  const projected = await make(`${inside}/Participants`, { 'MessagingBinding.ProjectedAddress': number() });
  const message = await make(`${inside}/Messages`, { Author: chat.identity, Body: 'hello' });
  await sandbox.control('POST', '/receipts', {
    conversationSid: conversation.sid,
    messageSid: message.sid,
    status: 'delivered',
  });
  const receipts = await sandbox.call('GET', `${inside}/Messages/${message.sid}/Receipts`);
  const webhook = await make(`${inside}/Webhooks`, {
    Target: 'webhook',
    'Configuration.Url': 'http://127.0.0.1:9/hook',
    'Configuration.Filters': ['onMessageAdded'],
  });
  const users = await sandbox.call('GET', `${scope}/Users/${chat.identity}`);
  const role = (type: string, permission: string): Promise<Body> =>
    make(`${scope}/Roles`, { FriendlyName: unique('role'), Type: type, Permission: [permission] });
  const credential = await make('/v1/Credentials', { Type: 'fcm', Secret: 'secret' });
  const binding = await sandbox.control('POST', '/bindings', {
    chatServiceSid: conversation.chat_service_sid,
    identity: chat.identity,
    bindingType: 'fcm',
    credentialSid: credential.sid,
    endpoint: 'endpoint',
  });
  return {
    service: conversation.chat_service_sid,
    conversation: conversation.sid,
    chat: chat.sid,
    projected: projected.sid,
    sms: sms.sid,
    message: message.sid,
    receipt: (receipts.body['delivery_receipts'] as Body[])[0]?.sid ?? '',
    webhook: webhook.sid,
    user: users.body.sid,
    conversationRole: (await role('conversation', 'sendMessage')).sid,
    serviceRole: (await role('service', 'joinConversation')).sid,
    spareRole: (await role('service', 'joinConversation')).sid,
    address: (await make('/v1/Configuration/Addresses', { Type: 'sms', Address: number() })).sid,
    credential: credential.sid,
    binding: binding.body.sid,
    spareService: (await make('/v1/Services', { FriendlyName: unique('service') })).sid,
  };
}

/** The object that `{Sid}` means, by the collection before it. */
const SIDS: Record<string, keyof Fixture> = {
  Conversations: 'conversation',
  Participants: 'chat',
  Messages: 'message',
  Receipts: 'receipt',
  Webhooks: 'webhook',
  Users: 'user',
  Roles: 'spareRole',
  Addresses: 'address',
  Credentials: 'credential',
  Bindings: 'binding',
  Services: 'spareService',
};

export function pathOf(operation: Operation, made: Fixture): string {
  return operation.path
    .replace('{ChatServiceSid}', made.service)
    .replace(
      /(\w+)\/\{\w+\}/g,
      (_, collection: string) => `${collection}/${made[SIDS[collection] ?? 'conversation']}`,
    );
}

/** Path parameters filled with sids that look right and that nobody has. */
export function emptyPathOf({ path }: Operation): string {
  const prefixes: Record<string, string> = { Conversations: 'CH', Users: 'US', Services: 'IS' };
  return path.replace(
    /(\w+)\/\{\w+\}/g,
    (_, collection: string) => `${collection}/${prefixes[collection] ?? 'XX'}${'0'.repeat(32)}`,
  );
}

/** A valid value for every parameter of the document, by its name. */
export function valuesFor(operation: Operation, made: Fixture): Form {
  const all: Form = { ...general(made), ...(SPECIAL[bareId(operation)]?.(made) ?? {}) };
  const names = [...Object.keys(operation.form), ...Object.keys(operation.query)];
  const omitted = OMITTED[bareId(operation)] ?? [];
  const chosen = names.filter((name) => !omitted.includes(name));
  const missing = chosen.filter((name) => all[name] === undefined);
  if (missing.length > 0) throw new Error(`${operation.id}: no value for ${missing.join(', ')}`);
  return Object.fromEntries(chosen.map((name) => [name, all[name] as string | string[]]));
}

/** The operation's name without its scope: both twins take the same values. */
const bareId = ({ id }: Operation): string => id.replace(/^(\w+?)Service(?=[A-Z])/, '$1');

function general(made: Fixture): Form {
  const url = 'https://example.com/hook';
  const events = ['onMessageAdded', 'onConversationAdded'];
  return {
    ...{ FriendlyName: 'A name', UniqueName: unique('name'), Attributes: '{"a":1}', Subject: 'A subject' },
    ...{ DateCreated: '2026-01-02T03:04:05Z', DateUpdated: '2026-01-02T03:04:06.789Z' },
    ...{ MessagingServiceSid: `MG${'1'.repeat(32)}`, State: 'active' },
    ...{ 'Timers.Inactive': 'PT1M', 'Timers.Closed': 'P1D' },
    ...{ 'Bindings.Email.Address': 'a@example.com', 'Bindings.Email.Name': 'A' },
    ...{ Author: 'system', Body: 'A body', ContentVariables: '{"1":"x"}' },
    ...{ MediaSid: `ME${'1'.repeat(32)}`, ContentSid: `HX${'1'.repeat(32)}` },
    ...{ Identity: unique('person'), RoleSid: made.conversationRole },
    ...{ LastReadMessageIndex: '0', LastReadTimestamp: '2026-01-02T03:04:05Z' },
    ...{ Target: 'webhook', 'Configuration.Url': url, 'Configuration.Method': 'post' },
    ...{
      'Configuration.Filters': events,
      'Configuration.Triggers': ['help'],
      'Configuration.ReplayAfter': '0',
    },
    ...{ 'Configuration.FlowSid': `FW${'1'.repeat(32)}` },
    ...{ Type: 'sms', Address: number(), AddressCountry: 'US' },
    ...{ 'AutoCreation.Enabled': 'true', 'AutoCreation.Type': 'webhook', 'AutoCreation.WebhookUrl': url },
    ...{ 'AutoCreation.ConversationServiceSid': made.service, 'AutoCreation.WebhookMethod': 'post' },
    ...{ 'AutoCreation.WebhookFilters': events, 'AutoCreation.StudioRetryCount': '3' },
    ...{ 'AutoCreation.StudioFlowSid': `FW${'1'.repeat(32)}` },
    ...{ Method: 'POST', Filters: events, PreWebhookUrl: url, PostWebhookUrl: url },
    ...{ DefaultChatServiceSid: made.service, DefaultMessagingServiceSid: `MG${'2'.repeat(32)}` },
    ...{ DefaultInactiveTimer: 'PT0S', DefaultClosedTimer: 'PT0S', ReachabilityEnabled: 'false' },
    ...{
      DefaultConversationCreatorRoleSid: made.conversationRole,
      DefaultChatServiceRoleSid: made.serviceRole,
    },
    ...{ DefaultConversationRoleSid: made.conversationRole, LogEnabled: 'true' },
    ...pushValues(),
    ...{ Permission: ['joinConversation', 'addParticipant'], NotificationLevel: 'muted' },
    ...{ Certificate: 'c', PrivateKey: 'k', Sandbox: 'true', ApiKey: 'a', Secret: 's' },
    ...{ StartDate: '2020-01-01', EndDate: '2099-12-31', Order: 'desc', PageSize: '5', Page: '0' },
    ...{ Participant: [JSON.stringify({ identity: unique('many') })], BindingType: ['fcm', 'apn'] },
  };
}

function pushValues(): Form {
  const values: Form = { 'NewMessage.BadgeCountEnabled': 'true', 'NewMessage.WithMedia.Enabled': 'true' };
  for (const kind of ['NewMessage', 'AddedToConversation', 'RemovedFromConversation']) {
    Object.assign(values, {
      [`${kind}.Enabled`]: 'true',
      [`${kind}.Template`]: 't',
      [`${kind}.Sound`]: 'ring',
    });
  }
  return { ...values, 'NewMessage.WithMedia.Template': 't' };
}

const SPECIAL: Record<string, (made: Fixture) => Form> = {
  CreateRole: () => ({ Type: 'service' }),
  CreateCredential: () => ({ Type: 'fcm' }),
  UpdateCredential: () => ({ Type: 'fcm' }),
  CreateUser: (made) => ({ RoleSid: made.serviceRole }),
  UpdateUser: (made) => ({ RoleSid: made.serviceRole }),
};

/** Parameters that Twilio does not take together with the others. */
const BINDING = [
  'MessagingBinding.Address',
  'MessagingBinding.ProxyAddress',
  'MessagingBinding.ProjectedAddress',
];
const OMITTED: Record<string, string[]> = {
  CreateConversationParticipant: BINDING,
  UpdateConversationParticipant: [...BINDING, 'Identity'],
  ListConversation: ['PageToken'],
  ListConversationMessage: ['PageToken'],
  ListConversationMessageReceipt: ['PageToken'],
  ListConversationParticipant: ['PageToken'],
  ListConversationScopedWebhook: ['PageToken'],
  ListConfigurationAddress: ['PageToken', 'Type'],
  ListCredential: ['PageToken'],
  ListParticipantConversation: ['PageToken', 'Address'],
  ListRole: ['PageToken'],
  ListService: ['PageToken'],
  ListUser: ['PageToken'],
  ListUserConversation: ['PageToken'],
  ListBinding: ['PageToken', 'Identity'],
};
