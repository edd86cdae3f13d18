/**
 * What goes into the gateway and comes out of it: only the fields that the service uses, under Twilio's names.
 * `attributes` stay the JSON text that Twilio keeps, at most 16 KB (conversation, user) or 4 KB (participant, message).
 * Dates have a precision of one second.
 */

/** What accompanies one call. */
export interface Sending {
  /**
   * Called when the call has its turn and right before each HTTP request it makes (a page and a repeated read count
   * each). What it throws goes to the caller unchanged, and nothing is sent: the place to check a lease.
   */
  beforeSend?: () => void | Promise<void>;
}

/** Where a call goes: the chat service (`IS…`). */
export interface At extends Sending {
  serviceSid: string;
}

export type ConversationState = 'initializing' | 'active' | 'inactive' | 'closed';

/** ISO 8601 durations of days or smaller units; `PT0S` turns a timer off. Inactive ≥ PT1M, closed ≥ PT10M. */
export interface TimerDurations {
  inactive?: string;
  closed?: string;
}

/** What has been made, by the sid that Twilio gave it. */
export interface Made {
  sid: string;
}

export interface NewConversation {
  /** Unique in its chat service: the key that makes a repeated creation safe. */
  uniqueName: string;
  friendlyName?: string;
  attributes?: string;
  timers?: TimerDurations;
}

/** A key left out stays as it is at Twilio. */
export interface ConversationChange {
  /** `null` empties it. */
  friendlyName?: string | null;
  attributes?: string;
  state?: 'active' | 'inactive' | 'closed';
  timers?: TimerDurations;
}

export interface UpstreamConversation {
  sid: string;
  chatServiceSid: string;
  uniqueName: string | null;
  friendlyName: string | null;
  state: ConversationState;
  attributes: string;
  /** Timers go in as durations and come back as the instants at which they fire; null where none runs. */
  timers: { dateInactive: Date | null; dateClosed: Date | null };
  dateCreated: Date;
  dateUpdated: Date;
}

/** Somebody who chats, by identity; with `projectedAddress` an agent in a group text. */
export interface NewChatParticipant {
  identity: string;
  roleSid?: string;
  projectedAddress?: string;
  attributes?: string;
}

/** Somebody who is reached at an address (`+1…`, `whatsapp:+1…`). Twilio gives an address no role. */
export interface NewAddressParticipant {
  address: string;
  proxyAddress?: string;
  projectedAddress?: string;
  attributes?: string;
}

export type NewParticipant = NewChatParticipant | NewAddressParticipant;

export interface ParticipantChange {
  roleSid?: string;
  attributes?: string;
}

export interface UpstreamParticipant {
  sid: string;
  conversationSid: string;
  identity: string | null;
  /** Null for an address. */
  roleSid: string | null;
  attributes: string;
  /** Null for somebody who only chats. */
  messagingBinding: {
    type: string | null;
    address: string | null;
    proxyAddress: string | null;
    projectedAddress: string | null;
  } | null;
  dateCreated: Date;
  dateUpdated: Date;
}

export interface NewMessage {
  /** Free text; Twilio writes `system` when it is left out. */
  author?: string;
  body?: string;
  attributes?: string;
  mediaSid?: string;
}

export interface MessageChange {
  author?: string;
  body?: string;
  attributes?: string;
}

export type DeliveryAmount = 'none' | 'some' | 'all';

export interface UpstreamMessage {
  sid: string;
  conversationSid: string;
  /** Strictly growing within the conversation; numbers may be left out. */
  index: number;
  author: string | null;
  /** The participant that the author is, or was when he wrote; null for `system`. */
  participantSid: string | null;
  body: string | null;
  attributes: string;
  media: { sid: string; contentType: string | null; filename: string | null; size: number | null }[];
  /** Null until somebody who does not chat is to get it. */
  delivery: {
    total: number;
    sent: DeliveryAmount;
    delivered: DeliveryAmount;
    read: DeliveryAmount;
    failed: DeliveryAmount;
    undelivered: DeliveryAmount;
  } | null;
  dateCreated: Date;
  dateUpdated: Date;
}

export type RoleType = 'conversation' | 'service';

export interface NewRole {
  friendlyName: string;
  type: RoleType;
  /** At least one; Twilio refuses names it does not know (50104). */
  permissions: string[];
}

export interface UpstreamRole {
  sid: string;
  friendlyName: string;
  type: RoleType;
  permissions: string[];
  dateCreated: Date;
  dateUpdated: Date;
}

export interface NewUser {
  identity: string;
  friendlyName?: string;
  attributes?: string;
  /** A role of type `service`. */
  roleSid?: string;
}

export interface UserChange {
  /** `null` empties it. */
  friendlyName?: string | null;
  attributes?: string;
  roleSid?: string;
}

export interface UpstreamUser {
  sid: string;
  identity: string;
  friendlyName: string | null;
  attributes: string;
  roleSid: string | null;
  dateCreated: Date;
  dateUpdated: Date;
}

/** A conversation that a user is in. */
export interface UpstreamUserConversation {
  conversationSid: string;
  participantSid: string;
  uniqueName: string | null;
  state: ConversationState;
}

export interface UpstreamService {
  sid: string;
  friendlyName: string;
  dateCreated: Date;
  dateUpdated: Date;
}

/** How a list is read. */
export interface ListOptions {
  /** Rows a request asks for: 1 to 100, for roles, users and a user's conversations 1 to 50. The largest by default. */
  pageSize?: number;
  /** Rows in all, from the start of the list; without it everything is read. */
  limit?: number;
}

export interface MessageListOptions extends ListOptions {
  /** By index; `asc` by default. */
  order?: 'asc' | 'desc';
}

/** Where the next page begins, as Twilio says. Only ever sent as the two query parameters that it is. */
export interface PagePosition {
  page: number;
  token: string;
}

export interface ConversationPage {
  conversations: UpstreamConversation[];
  next: PagePosition | null;
}

export interface MessagePage {
  messages: UpstreamMessage[];
  next: PagePosition | null;
}
