import type { Kind, Message, Records } from '../store/records.js';
import type { Store } from '../store/store.js';
import { deliveryOf } from '../rules/receipts.js';
import { hasTimers } from '../rules/timers.js';
import { timersAnswer } from './dates.js';
import type { Answer, Shape, View } from './render.js';
import { compileAll } from './render.js';
import { participantConversation, userConversation } from './member-views.js';

const DATES = ['date_created', 'date_updated'] as const;
const inConversation = '/Conversations/{conversation_sid}';

const conversationFields = [
  'chat_service_sid',
  'messaging_service_sid',
  'sid',
  'friendly_name',
  'unique_name',
  'attributes',
  'state',
  'bindings',
];
const conversationLinks = { participants: '/Participants', messages: '/Messages', webhooks: '/Webhooks' };
const timers = (record: Records['conversation']): string =>
  hasTimers(record) ? JSON.stringify(timersAnswer(record)) : '{}';

/** Every kind of answer, as Twilio's published document lists its properties. */
const TABLE = {
  account: {
    fields: [
      'default_chat_service_sid',
      'default_messaging_service_sid',
      'default_inactive_timer',
      'default_closed_timer',
    ],
    url: '/Configuration',
    more: (record: Records['account'], view: View) => ({
      links: {
        service: `${view.root}/Services/${record.default_chat_service_sid}/Configuration`,
        webhooks: `${view.root}/Configuration/Webhooks`,
      },
    }),
  },
  accountWebhook: {
    fields: [],
    url: '/Configuration/Webhooks',
    more: ({ webhooks }: Records['account']) => ({ ...webhooks }),
  },
  service: {
    fields: ['sid', 'friendly_name'],
    dates: DATES,
    url: '^/Services/{sid}',
    links: {
      conversations: '/Conversations',
      users: '/Users',
      roles: '/Roles',
      bindings: '/Bindings',
      configuration: '/Configuration',
      participant_conversations: '/ParticipantConversations',
      conversation_with_participants: '/ConversationWithParticipants',
    },
  },
  serviceConfiguration: {
    anonymous: true,
    fields: [
      'default_conversation_creator_role_sid',
      'default_conversation_role_sid',
      'default_chat_service_role_sid',
      'reachability_enabled',
    ],
    url: '^/Services/{sid}/Configuration',
    links: { notifications: '/Notifications', webhooks: '/Webhooks' },
    more: ({ sid }: Records['service']) => ({ chat_service_sid: sid }),
  },
  serviceWebhook: {
    fields: [],
    url: '^/Services/{sid}/Configuration/Webhooks',
    more: ({ sid, webhooks: { target: _, ...webhooks } }: Records['service']) => ({
      chat_service_sid: sid,
      ...webhooks,
    }),
  },
  notifications: {
    fields: [],
    url: '^/Services/{sid}/Configuration/Notifications',
    more: ({ sid, notifications }: Records['service']) => ({ chat_service_sid: sid, ...notifications }),
  },
  role: {
    fields: ['sid', 'chat_service_sid', 'friendly_name', 'type', 'permissions'],
    dates: DATES,
    url: '/Roles/{sid}',
  },
  user: {
    fields: ['sid', 'chat_service_sid', 'role_sid', 'identity', 'friendly_name', 'attributes'],
    dates: DATES,
    url: '/Users/{sid}',
    links: { user_conversations: '/Conversations' },
    more: (user: Records['user'], { store }: View) => reachability(user, store),
  },
  /** In lists Twilio answers null for both, whatever the service's reachability. */
  userInList: {
    fields: ['sid', 'chat_service_sid', 'role_sid', 'identity', 'friendly_name', 'attributes'],
    dates: DATES,
    url: '/Users/{sid}',
    links: { user_conversations: '/Conversations' },
    more: () => ({ is_online: null, is_notifiable: null }),
  },
  conversation: {
    fields: conversationFields,
    dates: DATES,
    url: '/Conversations/{sid}',
    links: { ...conversationLinks, export: '/Export' },
    texts: { timers },
  },
  conversationWithParticipants: {
    fields: conversationFields,
    dates: DATES,
    url: '/Conversations/{sid}',
    links: conversationLinks,
    texts: { timers },
  },
  participant: {
    fields: [
      'conversation_sid',
      'sid',
      'identity',
      'attributes',
      'messaging_binding',
      'role_sid',
      'last_read_message_index',
    ],
    serviceFields: ['chat_service_sid'],
    dates: [...DATES, 'last_read_timestamp'],
    url: `${inConversation}/Participants/{sid}`,
  },
  message: {
    fields: [
      'conversation_sid',
      'sid',
      'index',
      'author',
      'body',
      'media',
      'attributes',
      'participant_sid',
      'content_sid',
    ],
    serviceFields: ['chat_service_sid'],
    dates: DATES,
    url: `${inConversation}/Messages/{sid}`,
    links: { delivery_receipts: '/Receipts', channel_metadata: '/ChannelMetadata' },
    texts: {
      delivery: (message: Message, { store }: View) => JSON.stringify(deliveryOf(store, message.sid)),
    },
  },
  userConversation: { fields: [], more: userConversation },
  participantConversation: { fields: [], more: participantConversation },
  receipt: {
    fields: [
      'conversation_sid',
      'sid',
      'message_sid',
      'channel_message_sid',
      'participant_sid',
      'status',
      'error_code',
    ],
    serviceFields: ['chat_service_sid'],
    dates: DATES,
    url: `${inConversation}/Messages/{message_sid}/Receipts/{sid}`,
  },
  webhook: {
    fields: ['conversation_sid', 'sid', 'target', 'configuration'],
    serviceFields: ['chat_service_sid'],
    dates: DATES,
    url: `${inConversation}/Webhooks/{sid}`,
  },
  address: {
    fields: ['sid', 'type', 'address', 'friendly_name', 'auto_creation', 'address_country'],
    dates: DATES,
    url: '/Configuration/Addresses/{sid}',
  },
  credential: {
    fields: ['sid', 'friendly_name', 'type', 'sandbox'],
    dates: DATES,
    url: '/Credentials/{sid}',
  },
  binding: {
    fields: [
      'sid',
      'chat_service_sid',
      'credential_sid',
      'endpoint',
      'identity',
      'binding_type',
      'message_types',
    ],
    dates: DATES,
    url: '/Bindings/{sid}',
  },
} as const satisfies Record<string, Shape>;

export type ShapeName = keyof typeof TABLE;

const writers = compileAll(TABLE);

/** An answer as JSON text: written straight from the record, as the table says. */
export function render(name: ShapeName, record: Records[Kind], view: View): string {
  return writers[name](record, view);
}

/** No client can be online before the real-time protocol is there: false where the service asks, else null. */
function reachability(user: Records['user'], store: Store): Answer {
  const enabled = store.get('service', user.chat_service_sid)?.reachability_enabled === true;
  return { is_online: enabled ? false : null, is_notifiable: enabled ? false : null };
}
