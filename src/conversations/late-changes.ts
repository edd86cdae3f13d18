import { durationSeconds } from '../common/validation/duration.js';
import type { TwilioGateway } from '../twilio/twilio.gateway.js';
import type { UpstreamConversation, UpstreamParticipant } from '../twilio/twilio.types.js';
import { CLOCK_SKEW_MS, roleSidOf } from './chat-calls.js';
import type { ConversationStore } from './conversation-store.js';
import type { Attempt } from './conversation-work.js';
import type { ConversationEntity } from './conversation.entity.js';
import type { ConversationChangeWish } from './lifecycle-wishes.js';
import type { TwinsFound } from './messages/late-messages.js';
import type { ParticipantEntity } from './participants/participant.entity.js';
import type { ParticipantChangeWish } from './participants/participant-wishes.js';

/**
 * A change that was given up, and sent again, may have taken effect after a later one: where Twilio shows what was asked
 * for before the last, the last is sent again. What somebody else has changed at Twilio stays.
 */
export async function sendLastChange(
  gateway: TwilioGateway,
  store: ConversationStore,
  attempt: Attempt,
  conversationSid: string,
  twins: TwinsFound,
): Promise<void> {
  await Promise.all([
    ofConversation(gateway, store, attempt, conversationSid, twins),
    ofParticipants(gateway, store, attempt, conversationSid),
  ]);
}

async function ofConversation(
  gateway: TwilioGateway,
  store: ConversationStore,
  { lease, at, work }: Attempt,
  conversationSid: string,
  twins: TwinsFound,
): Promise<void> {
  const asked = await store.lateChanges<ConversationChangeWish>(lease.id, 'update', work.lateSince);
  const there = asked.length > 0 ? await gateway.findConversation(at, conversationSid) : null;
  if (!there) return;
  const { conversation } = work.view;
  const { friendlyName, attributes, timers } = conversation;
  const nameIsOld =
    isOther(there.friendlyName || null, friendlyName) &&
    asked.some((change) => change.friendlyName === (there.friendlyName || null));
  const change = {
    ...(nameIsOld && { friendlyName }),
    ...(isSuperseded(there.attributes, attributes, asked) && { attributes: JSON.stringify(attributes) }),
    ...(wasPutToRest(there, conversation, asked) && { state: 'active' as const }),
    ...(wasWoken(there, conversation, asked, twins) && { state: 'inactive' as const }),
    ...(mayHaveOldTimers(asked) && { timers: { inactive: 'PT0S', closed: 'PT0S', ...timers } }),
  };
  if (Object.keys(change).length > 0) await gateway.updateConversation(at, conversationSid, change);
}

/** By a change that landed late; not by its timer, which cannot have fired so soon after what woke it. */
function wasPutToRest(
  there: UpstreamConversation,
  { state, timers, updatedAt }: ConversationEntity,
  asked: ConversationChangeWish[],
): boolean {
  if (there.state !== 'inactive' || state !== 'active') return false;
  const timerSeconds = durationSeconds(timers.inactive) ?? Infinity;
  const atRestBefore = asked.some((change) => change.state === 'inactive');
  return atRestBefore && Date.now() - updatedAt.getTime() < timerSeconds * 1000;
}

/** By a change or a message that landed late; not by what somebody else has said, who is not to be put to rest again. */
function wasWoken(
  there: UpstreamConversation,
  { state, updatedAt }: ConversationEntity,
  asked: ConversationChangeWish[],
  { removed, strangerAt }: TwinsFound,
): boolean {
  if (there.state !== 'active' || state !== 'inactive') return false;
  const byUs = removed > 0 || asked.some((change) => change.state === 'active');
  return byUs && (strangerAt === null || strangerAt.getTime() < updatedAt.getTime() - CLOCK_SKEW_MS);
}

/** Twilio shows when timers fire, not what they are: where there were others, the last are sent again in any case. */
function mayHaveOldTimers(asked: ConversationChangeWish[]): boolean {
  const all = asked.flatMap(({ timers }) => (timers ? [JSON.stringify(timers)] : []));
  return new Set(all).size > 1;
}

async function ofParticipants(
  gateway: TwilioGateway,
  store: ConversationStore,
  { lease, at, service, work }: Attempt,
  conversationSid: string,
): Promise<void> {
  const asked = await store.lateChanges<ParticipantChangeWish>(
    lease.id,
    'update_participant',
    work.lateSince,
  );
  if (asked.length < 2) return;
  const roleIsOld = (there: UpstreamParticipant, row: ParticipantEntity, ofThis: ParticipantChangeWish[]) =>
    there.roleSid !== roleSidOf(row, service) &&
    ofThis.some(({ role = null, roleSid = null }) => roleSidOf({ role, roleSid }, service) === there.roleSid);
  for (const other of await gateway.listParticipants(at, conversationSid)) {
    const found = work.view.participants.find(({ participant }) => participant.twilioSid === other.sid);
    if (found?.participant.state !== 'joined') continue;
    const { id, attributes } = found.participant;
    const ofThis = asked.filter(({ participantId }) => participantId === id);
    const roleSid = roleSidOf(found.participant, service);
    const change = {
      ...(isSuperseded(other.attributes, attributes, ofThis) && { attributes: JSON.stringify(attributes) }),
      ...(roleSid !== null && roleIsOld(other, found.participant, ofThis) && { roleSid }),
    };
    if (Object.keys(change).length > 0)
      await gateway.updateParticipant(at, conversationSid, other.sid, change);
  }
}

const isOther = (one: unknown, other: unknown): boolean => JSON.stringify(one) !== JSON.stringify(other);

/** Twilio has the attributes that one of these changes asked for, and they are not the last. */
function isSuperseded(there: string, last: object, asked: { attributes?: object }[]): boolean {
  return (
    there !== JSON.stringify(last) && asked.some(({ attributes }) => JSON.stringify(attributes) === there)
  );
}
