import type { Kind, Records } from '../store/records.js';
import type { Call, Plan } from '../rules/call.js';
import type { Listing } from '../rules/listing.js';
import * as addresses from '../rules/address-configurations.js';
import * as configuration from '../rules/configuration.js';
import * as conversations from '../rules/conversations.js';
import { listConversations } from '../rules/conversation-list.js';
import * as memberships from '../rules/memberships.js';
import * as messages from '../rules/messages.js';
import * as participants from '../rules/participants.js';
import { updateParticipant } from '../rules/participant-update.js';
import * as push from '../rules/push.js';
import * as receipts from '../rules/receipts.js';
import * as roles from '../rules/roles.js';
import * as scopedWebhooks from '../rules/scoped-webhooks.js';
import * as services from '../rules/services.js';
import * as users from '../rules/users.js';
import { createConversationWithParticipants } from '../rules/with-participants.js';
import { forms, queries } from './forms.js';
import type { Parameters, Values } from './parameters.js';
import type { ShapeName } from './shapes.js';

/** On /v1, below /v1/Services/{ChatServiceSid}, or on both: one row then makes two operations. */
export type Scope = 'both' | 'account' | 'service';

interface Row {
  scope: Scope;
  path: string;
  shape: ShapeName;
}

export interface Fetch extends Row {
  does: 'fetch';
  run: (call: Call) => Records[Kind];
}

export interface List extends Row {
  does: 'list';
  query: Parameters;
  key: string;
  most: number;
  run: (call: Call<object, never>) => Listing;
}

export interface Change extends Row {
  does: 'create' | 'update' | 'delete';
  form: Parameters;
  status: number;
  run: (call: Call<never>, hooks: boolean) => Plan;
}

export type Operation = Fetch | List | Change;
type Form = keyof typeof forms;
type Query = keyof typeof queries;

const fetch = (scope: Scope, path: string, shape: ShapeName, run: Fetch['run']): Fetch => ({
  does: 'fetch',
  scope,
  path,
  shape,
  run,
});

/** `most` is both the largest page and, where it is below 50, the usual one. */
const list = <Q extends Query>(
  scope: Scope,
  path: string,
  shape: ShapeName,
  key: string,
  most: number,
  query: Q,
  run: (call: Call<object, Values<(typeof queries)[Q]>>) => Listing,
): List => ({ does: 'list', scope, path, shape, key, most, query: queries[query], run });

const change =
  (does: Change['does'], status: number) =>
  <F extends Form>(
    scope: Scope,
    path: string,
    shape: ShapeName,
    form: F,
    run: (call: Call<Values<(typeof forms)[F]>>, hooks: boolean) => Plan,
  ): Change => ({ does, status, scope, path, shape, form: forms[form], run });

const create = change('create', 201);
const update = change('update', 200);
const accept = change('create', 202);
const removal = change('delete', 204);
const remove = (scope: Scope, path: string, shape: ShapeName, run: (call: Call) => Plan): Change =>
  removal(scope, path, shape, 'none', run);

/** The kinds whose changes may ask for webhooks (X-Twilio-Webhook-Enabled); on others it says nothing. */
const HOOKED: readonly ShapeName[] = [
  'conversation',
  'conversationWithParticipants',
  'participant',
  'message',
  'user',
];
export const isHooked = ({ shape }: Operation): boolean => HOOKED.includes(shape);

const CONVERSATION = '/Conversations/:ConversationSid';
const PARTICIPANT = `${CONVERSATION}/Participants/:Sid`;
const MESSAGE = `${CONVERSATION}/Messages/:Sid`;
const RECEIPTS = `${CONVERSATION}/Messages/:MessageSid/Receipts`;
const SCOPED = `${CONVERSATION}/Webhooks`;
const USER_CONVERSATIONS = '/Users/:UserSid/Conversations';
const USER_CONVERSATION = `${USER_CONVERSATIONS}/:ConversationSid`;
const ADDRESSES = '/Configuration/Addresses';

/** The 103 operations of Twilio Conversations v1. */
export const OPERATIONS: readonly Operation[] = [
  list('account', '/Services', 'service', 'services', 100, 'page', services.listServices),
  create('account', '/Services', 'service', 'serviceCreate', services.createService),
  fetch('account', '/Services/:Sid', 'service', services.fetchService),
  remove('account', '/Services/:Sid', 'service', services.deleteService),

  fetch('account', '/Configuration', 'account', configuration.account),
  update('account', '/Configuration', 'account', 'configuration', configuration.updateConfiguration),
  fetch('account', '/Configuration/Webhooks', 'accountWebhook', configuration.account),
  update(
    'account',
    '/Configuration/Webhooks',
    'accountWebhook',
    'configurationWebhook',
    configuration.updateConfigurationWebhook,
  ),
  fetch('service', '/Configuration', 'serviceConfiguration', configuration.thisService),
  update(
    'service',
    '/Configuration',
    'serviceConfiguration',
    'serviceConfiguration',
    configuration.updateServiceConfiguration,
  ),
  fetch('service', '/Configuration/Webhooks', 'serviceWebhook', configuration.thisService),
  update(
    'service',
    '/Configuration/Webhooks',
    'serviceWebhook',
    'serviceWebhook',
    configuration.updateServiceWebhook,
  ),
  fetch('service', '/Configuration/Notifications', 'notifications', configuration.thisService),
  update(
    'service',
    '/Configuration/Notifications',
    'notifications',
    'notifications',
    configuration.updateNotifications,
  ),

  list('account', ADDRESSES, 'address', 'address_configurations', 50, 'addresses', addresses.listAddresses),
  create('account', ADDRESSES, 'address', 'addressCreate', addresses.createAddress),
  fetch('account', `${ADDRESSES}/:Sid`, 'address', addresses.fetchAddress),
  update('account', `${ADDRESSES}/:Sid`, 'address', 'addressUpdate', addresses.updateAddress),
  remove('account', `${ADDRESSES}/:Sid`, 'address', addresses.deleteAddress),

  list('both', '/Conversations', 'conversation', 'conversations', 100, 'conversations', listConversations),
  create('both', '/Conversations', 'conversation', 'conversation', conversations.createConversation),
  fetch('both', '/Conversations/:Sid', 'conversation', conversations.fetchConversation),
  update('both', '/Conversations/:Sid', 'conversation', 'conversation', conversations.updateConversation),
  remove('both', '/Conversations/:Sid', 'conversation', conversations.deleteConversation),
  accept(
    'both',
    '/ConversationWithParticipants',
    'conversationWithParticipants',
    'conversationWithParticipants',
    createConversationWithParticipants,
  ),

  list(
    'both',
    `${CONVERSATION}/Participants`,
    'participant',
    'participants',
    100,
    'page',
    participants.listParticipants,
  ),
  create(
    'both',
    `${CONVERSATION}/Participants`,
    'participant',
    'participantCreate',
    participants.createParticipant,
  ),
  fetch('both', PARTICIPANT, 'participant', participants.fetchParticipant),
  update('both', PARTICIPANT, 'participant', 'participantUpdate', updateParticipant),
  remove('both', PARTICIPANT, 'participant', participants.deleteParticipant),

  list('both', `${CONVERSATION}/Messages`, 'message', 'messages', 100, 'messages', messages.listMessages),
  create('both', `${CONVERSATION}/Messages`, 'message', 'messageCreate', messages.createMessage),
  fetch('both', MESSAGE, 'message', messages.fetchMessage),
  update('both', MESSAGE, 'message', 'messageUpdate', messages.updateMessage),
  remove('both', MESSAGE, 'message', messages.deleteMessage),
  list('both', RECEIPTS, 'receipt', 'delivery_receipts', 50, 'page', receipts.listReceipts),
  fetch('both', `${RECEIPTS}/:Sid`, 'receipt', receipts.fetchReceipt),

  list('both', SCOPED, 'webhook', 'webhooks', 5, 'page', scopedWebhooks.listScopedWebhooks),
  create('both', SCOPED, 'webhook', 'scopedWebhookCreate', scopedWebhooks.createScopedWebhook),
  fetch('both', `${SCOPED}/:Sid`, 'webhook', scopedWebhooks.fetchScopedWebhook),
  update('both', `${SCOPED}/:Sid`, 'webhook', 'scopedWebhookUpdate', scopedWebhooks.updateScopedWebhook),
  remove('both', `${SCOPED}/:Sid`, 'webhook', scopedWebhooks.deleteScopedWebhook),

  list('both', '/Roles', 'role', 'roles', 50, 'page', roles.listRoles),
  create('both', '/Roles', 'role', 'roleCreate', roles.createRole),
  fetch('both', '/Roles/:Sid', 'role', roles.fetchRole),
  update('both', '/Roles/:Sid', 'role', 'roleUpdate', roles.updateRole),
  remove('both', '/Roles/:Sid', 'role', roles.deleteRole),

  list('both', '/Users', 'userInList', 'users', 50, 'page', users.listUsers),
  create('both', '/Users', 'user', 'userCreate', users.createUser),
  fetch('both', '/Users/:Sid', 'user', users.fetchUser),
  update('both', '/Users/:Sid', 'user', 'userUpdate', users.updateUser),
  remove('both', '/Users/:Sid', 'user', users.deleteUser),
  list(
    'both',
    USER_CONVERSATIONS,
    'userConversation',
    'conversations',
    50,
    'page',
    memberships.listUserConversations,
  ),
  fetch('both', USER_CONVERSATION, 'userConversation', memberships.fetchUserConversation),
  update(
    'both',
    USER_CONVERSATION,
    'userConversation',
    'userConversation',
    memberships.updateUserConversation,
  ),
  remove('both', USER_CONVERSATION, 'userConversation', memberships.deleteUserConversation),
  list(
    'both',
    '/ParticipantConversations',
    'participantConversation',
    'conversations',
    50,
    'participantConversations',
    memberships.listParticipantConversations,
  ),

  list('account', '/Credentials', 'credential', 'credentials', 100, 'page', push.listCredentials),
  create('account', '/Credentials', 'credential', 'credentialCreate', push.createCredential),
  fetch('account', '/Credentials/:Sid', 'credential', push.fetchCredential),
  update('account', '/Credentials/:Sid', 'credential', 'credentialUpdate', push.updateCredential),
  remove('account', '/Credentials/:Sid', 'credential', push.deleteCredential),
  list('service', '/Bindings', 'binding', 'bindings', 100, 'bindings', push.listBindings),
  fetch('service', '/Bindings/:Sid', 'binding', push.fetchBinding),
  remove('service', '/Bindings/:Sid', 'binding', push.deleteBinding),
];
