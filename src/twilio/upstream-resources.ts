import type { ConfigurationInstance } from 'twilio/lib/rest/conversations/v1/configuration.js';
import type { ConversationInstance } from 'twilio/lib/rest/conversations/v1/service/conversation.js';
import type { MessageInstance } from 'twilio/lib/rest/conversations/v1/service/conversation/message.js';
import type { ParticipantInstance } from 'twilio/lib/rest/conversations/v1/service/conversation/participant.js';
import type { RoleInstance } from 'twilio/lib/rest/conversations/v1/service/role.js';
import type { UserInstance } from 'twilio/lib/rest/conversations/v1/service/user.js';
import type { UserConversationInstance } from 'twilio/lib/rest/conversations/v1/service/user/userConversation.js';
import type { ServiceInstance } from 'twilio/lib/rest/conversations/v1/service.js';
import { sidParameter } from './path-parameters.js';
import type {
  DeliveryAmount,
  TimerDurations,
  UpstreamConversation,
  UpstreamMessage,
  UpstreamParticipant,
  UpstreamRole,
  UpstreamService,
  UpstreamUser,
  UpstreamUserConversation,
} from './twilio.types.js';

/*
 * The SDK's instances as our own types. The SDK declares what Twilio documents and checks nothing; here every sid is
 * checked, since it is stored and sent again. What throws here makes the outcome `unknown` (upstream-calls.ts).
 */

export function toConversation(from: ConversationInstance): UpstreamConversation {
  const timers = record(from.timers);
  return {
    sid: sidParameter('CH', from.sid),
    chatServiceSid: sidParameter('IS', from.chatServiceSid),
    uniqueName: text(from.uniqueName),
    friendlyName: text(from.friendlyName),
    state: from.state,
    attributes: text(from.attributes) ?? '{}',
    timers: { dateInactive: instant(timers['date_inactive']), dateClosed: instant(timers['date_closed']) },
    ...dates(from),
  };
}

export function toParticipant(from: ParticipantInstance): UpstreamParticipant {
  const binding = record(from.messagingBinding);
  return {
    sid: sidParameter('MB', from.sid),
    conversationSid: sidParameter('CH', from.conversationSid),
    identity: text(from.identity),
    roleSid: text(from.roleSid),
    attributes: text(from.attributes) ?? '{}',
    messagingBinding:
      Object.keys(binding).length === 0
        ? null
        : {
            type: text(binding['type']),
            address: text(binding['address']),
            proxyAddress: text(binding['proxy_address']),
            projectedAddress: text(binding['projected_address']),
          },
    ...dates(from),
  };
}

export function toMessage(from: MessageInstance): UpstreamMessage {
  if (!Number.isInteger(from.index)) throw new TypeError('a message without an index');
  return {
    sid: sidParameter('IM', from.sid),
    conversationSid: sidParameter('CH', from.conversationSid),
    index: from.index,
    author: text(from.author),
    participantSid: text(from.participantSid),
    body: text(from.body),
    attributes: text(from.attributes) ?? '{}',
    media: toMedia(from.media),
    delivery: toDelivery(from.delivery),
    ...dates(from),
  };
}

function toMedia(media: unknown): UpstreamMessage['media'] {
  return (Array.isArray(media) ? (media as unknown[]) : []).map(record).map((one) => ({
    sid: text(one['sid']) ?? '',
    contentType: text(one['content_type']),
    filename: text(one['filename']),
    size: typeof one['size'] === 'number' ? one['size'] : null,
  }));
}

function toDelivery(delivery: unknown): UpstreamMessage['delivery'] {
  const from = record(delivery);
  if (Object.keys(from).length === 0) return null;
  const amount = (key: string): DeliveryAmount => {
    const value = from[key];
    return value === 'some' || value === 'all' ? value : 'none';
  };
  return {
    total: Number(from['total'] ?? 0),
    sent: amount('sent'),
    delivered: amount('delivered'),
    read: amount('read'),
    failed: amount('failed'),
    undelivered: amount('undelivered'),
  };
}

export function toRole(from: RoleInstance): UpstreamRole {
  return {
    sid: sidParameter('RL', from.sid),
    friendlyName: from.friendlyName,
    type: from.type,
    permissions: [...from.permissions],
    ...dates(from),
  };
}

export function toUser(from: UserInstance): UpstreamUser {
  return {
    sid: sidParameter('US', from.sid),
    identity: from.identity,
    friendlyName: text(from.friendlyName),
    attributes: text(from.attributes) ?? '{}',
    roleSid: text(from.roleSid),
    ...dates(from),
  };
}

export function toUserConversation(from: UserConversationInstance): UpstreamUserConversation {
  return {
    conversationSid: sidParameter('CH', from.conversationSid),
    participantSid: sidParameter('MB', from.participantSid),
    uniqueName: text(from.uniqueName),
    state: from.conversationState,
  };
}

export function toDefaultTimers(from: ConfigurationInstance): TimerDurations {
  const [inactive, closed] = [text(from.defaultInactiveTimer), text(from.defaultClosedTimer)];
  return { ...(inactive && { inactive }), ...(closed && { closed }) };
}

export function toService(from: ServiceInstance): UpstreamService {
  return { sid: sidParameter('IS', from.sid), friendlyName: from.friendlyName, ...dates(from) };
}

/** Twilio's documentation has it both ways whether a message that was never edited has a dateUpdated. */
function dates(from: { dateCreated: Date; dateUpdated: Date }): { dateCreated: Date; dateUpdated: Date } {
  const dateCreated = instant(from.dateCreated);
  if (dateCreated === null) throw new TypeError('a resource without its dateCreated');
  return { dateCreated, dateUpdated: instant(from.dateUpdated) ?? dateCreated };
}

function instant(value: unknown): Date | null {
  const date = value instanceof Date ? value : typeof value === 'string' ? new Date(value) : null;
  return date === null || Number.isNaN(date.getTime()) ? null : date;
}

function text(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

function record(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
