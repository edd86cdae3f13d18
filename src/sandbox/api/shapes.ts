import type { Kind, Message, Records } from '../store/records.js';
import type { Store } from '../store/store.js';
import { deliveryOf } from '../rules/receipts.js';
import { iso, timersAnswer } from './dates.js';
import { participantConversation, userConversation } from './member-views.js';

/** What an answer is written with: whose account, under which address, as which scope. */
export interface View {
  store: Store;
  accountSid: string;
  /** Scheme, host and /v1, with `/Services/IS…` when the caller used the service-scoped path. */
  base: string;
  /** The same without the service. */
  root: string;
  serviceScoped: boolean;
}

export type Answer = Record<string, unknown>;

interface Shape {
  /** Nearly every answer names the account. */
  anonymous?: true;
  /** Copied from the record under the same name. */
  fields: readonly string[];
  /** In answers on service-scoped paths only (a Twilio peculiarity). */
  serviceFields?: readonly string[];
  dates?: readonly string[];
  url?: string;
  /** Relative to `url`. */
  links?: Readonly<Record<string, string>>;
  more?: (record: never, view: View) => Answer;
}

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
const timers = (record: Records['conversation']): Answer => ({ timers: timersAnswer(record) });

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
    more: timers,
  },
  conversationWithParticipants: {
    fields: conversationFields,
    dates: DATES,
    url: '/Conversations/{sid}',
    links: conversationLinks,
    more: timers,
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
    more: (message: Message, { store }: View) => ({ delivery: deliveryOf(store, message.sid) }),
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
type Render = (record: Records[Kind], view: View) => Answer;

const renderers = Object.fromEntries(
  Object.entries<Shape>(TABLE).map(([name, shape]) => [name, compile(shape)]),
) as Record<ShapeName, Render>;

export function render(name: ShapeName, record: Records[Kind], view: View): Answer {
  return renderers[name](record, view);
}

function compile(shape: Shape): Render {
  const urlOf = shape.url === undefined ? undefined : compileUrl(shape.url);
  const links = Object.entries(shape.links ?? {});
  const more = shape.more as ((record: object, view: View) => Answer) | undefined;
  return (record, view) => {
    const source = record as unknown as Answer;
    const answer: Answer = shape.anonymous ? {} : { account_sid: view.accountSid };
    for (const field of shape.fields) answer[field] = source[field];
    if (view.serviceScoped) for (const field of shape.serviceFields ?? []) answer[field] = source[field];
    for (const field of shape.dates ?? []) answer[field] = isoOrNull(source[field] as number | null);
    if (urlOf !== undefined) {
      const url = urlOf(source, view);
      answer['url'] = url;
      if (links.length > 0)
        answer['links'] = Object.fromEntries(links.map(([key, tail]) => [key, url + tail]));
    }
    return more === undefined ? answer : Object.assign(answer, more(record, view));
  };
}

/** `^` at the front: always from /v1, never below the service of the path. */
function compileUrl(template: string): (source: Answer, view: View) => string {
  const fromRoot = template.startsWith('^');
  const parts = template.replace('^', '').split(/[{}]/);
  return (source, view) => {
    let url = fromRoot ? view.root : view.base;
    for (let at = 0; at < parts.length; at++) {
      url += at % 2 === 0 ? (parts[at] as string) : (source[parts[at] as string] as string);
    }
    return url;
  };
}

const isoOrNull = (instant: number | null): string | null => (instant === null ? null : iso(instant));

/** No client can be online before the real-time protocol is there: false where the service asks, else null. */
function reachability(user: Records['user'], store: Store): Answer {
  const enabled = store.get('service', user.chat_service_sid)?.reachability_enabled === true;
  return { is_online: enabled ? false : null, is_notifiable: enabled ? false : null };
}
