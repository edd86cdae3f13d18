/**
 * What the store holds, under Twilio's own (snake_case) names, so that an answer is a projection of
 * a record and not a translation. Instants are milliseconds of the sandbox's clock; records are
 * replaced, never edited, except for the counters marked "derived" (the store keeps those itself).
 */
export interface Stored {
  sid: string;
  date_created: number;
  date_updated: number;
  /** Strictly increasing over the whole sandbox, so also per object: what real-time clients order by. */
  created_event_id: number;
  event_id: number;
}

export interface WebhookTarget {
  pre_webhook_url: string | null;
  post_webhook_url: string | null;
  method: 'GET' | 'POST' | null;
  filters: string[] | null;
  target: 'webhook' | 'flex';
}

export interface Account extends Stored {
  default_chat_service_sid: string;
  default_messaging_service_sid: string;
  default_inactive_timer: string | null;
  default_closed_timer: string | null;
  webhooks: WebhookTarget;
}

export interface PushTemplate {
  enabled: boolean;
  template: string | null;
  sound: string | null;
}

export interface Notifications {
  log_enabled: boolean;
  new_message: PushTemplate & {
    badge_count_enabled: boolean;
    with_media: { enabled: boolean; template: string | null };
  };
  added_to_conversation: PushTemplate;
  removed_from_conversation: PushTemplate;
}

export interface Service extends Stored {
  friendly_name: string;
  default_conversation_creator_role_sid: string;
  default_conversation_role_sid: string;
  default_chat_service_role_sid: string;
  reachability_enabled: boolean;
  webhooks: WebhookTarget;
  notifications: Notifications;
}

export type RoleType = 'conversation' | 'service';

export interface Role extends Stored {
  chat_service_sid: string;
  friendly_name: string;
  type: RoleType;
  permissions: string[];
}

export interface User extends Stored {
  chat_service_sid: string;
  identity: string;
  friendly_name: string | null;
  attributes: string;
  role_sid: string;
}

export type ConversationState = 'initializing' | 'active' | 'inactive' | 'closed';

export interface EmailBinding {
  email?: { address: string | null; name: string | null };
}

export interface Conversation extends Stored {
  chat_service_sid: string;
  messaging_service_sid: string;
  friendly_name: string | null;
  unique_name: string | null;
  attributes: string;
  state: ConversationState;
  /** The two timers, in seconds; null when none is set. */
  inactive_after: number | null;
  closed_after: number | null;
  /** When the present state, or the present timers, began to count. */
  state_since: number;
  bindings: EmailBinding;
  created_by: string;
  /** Derived: the index the next message gets, and the last message's instant and event. */
  next_message_index: number;
  last_activity: number;
  activity_event_id: number;
}

export interface MessagingBinding {
  type: string;
  address?: string;
  proxy_address?: string;
  projected_address?: string;
}

export interface Participant extends Stored {
  chat_service_sid: string;
  conversation_sid: string;
  identity: string | null;
  attributes: string;
  messaging_binding: MessagingBinding | null;
  role_sid: string | null;
  last_read_message_index: number | null;
  last_read_timestamp: number | null;
  notification_level: 'default' | 'muted';
}

export interface Media {
  sid: string;
  size: number;
  content_type: string;
  filename: string | null;
}

export interface Message extends Stored {
  chat_service_sid: string;
  conversation_sid: string;
  index: number;
  author: string;
  body: string | null;
  subject: string | null;
  media: Media[] | null;
  attributes: string;
  participant_sid: string | null;
  content_sid: string | null;
}

export type ReceiptStatus = 'queued' | 'sent' | 'delivered' | 'read' | 'failed' | 'undelivered';

export interface Receipt extends Stored {
  chat_service_sid: string;
  conversation_sid: string;
  message_sid: string;
  channel_message_sid: string;
  participant_sid: string;
  status: ReceiptStatus;
  error_code: number;
  /** False once a test has driven it: then it no longer goes forward of itself. */
  automatic: boolean;
}

export type ScopedTarget = 'webhook' | 'trigger' | 'studio';

export interface ScopedWebhook extends Stored {
  chat_service_sid: string;
  conversation_sid: string;
  target: ScopedTarget;
  configuration: {
    url?: string;
    method?: 'get' | 'post';
    filters?: string[];
    triggers?: string[];
    flow_sid?: string;
    replay_after?: number;
  };
}

export interface AutoCreation {
  enabled: boolean;
  type: 'webhook' | 'studio' | 'default';
  conversation_service_sid: string | null;
  webhook_url: string | null;
  webhook_method: 'GET' | 'POST' | null;
  webhook_filters: string[] | null;
  studio_flow_sid: string | null;
  studio_retry_count: number | null;
}

export interface AddressConfiguration extends Stored {
  type: string;
  address: string;
  friendly_name: string | null;
  auto_creation: AutoCreation;
  address_country: string | null;
}

export interface Credential extends Stored {
  friendly_name: string | null;
  type: 'apn' | 'gcm' | 'fcm';
  sandbox: 'True' | 'False' | null;
}

export interface Binding extends Stored {
  chat_service_sid: string;
  credential_sid: string;
  endpoint: string;
  identity: string;
  binding_type: 'apn' | 'gcm' | 'fcm' | 'twilsock';
  message_types: string[];
}

/** How far the sandbox's clock is from the machine's, kept so that a restart does not lose it. */
export interface ClockSetting extends Stored {
  offset: number;
}

export interface Records {
  account: Account;
  service: Service;
  role: Role;
  user: User;
  conversation: Conversation;
  participant: Participant;
  message: Message;
  receipt: Receipt;
  webhook: ScopedWebhook;
  address: AddressConfiguration;
  credential: Credential;
  binding: Binding;
  clock: ClockSetting;
}

export type Kind = keyof Records;

export const KINDS: readonly Kind[] = [
  'account',
  'service',
  'role',
  'user',
  'conversation',
  'participant',
  'message',
  'receipt',
  'webhook',
  'address',
  'credential',
  'binding',
  'clock',
];
