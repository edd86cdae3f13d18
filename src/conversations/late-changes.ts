import type { TwilioGateway } from '../twilio/twilio.gateway.js';
import type { ConversationStore } from './conversation-store.js';
import type { Attempt } from './conversation-work.js';

/**
 * A change that was given up, and sent again, may have taken effect after a later one: where Twilio shows what was asked
 * for before the last, the last is sent again. What somebody else has changed at Twilio stays.
 */
export async function sendLastChange(
  gateway: TwilioGateway,
  store: ConversationStore,
  { lease, at, work }: Attempt,
  conversationSid: string,
): Promise<void> {
  await Promise.all([
    ofConversation(gateway, store, { lease, at, work }, conversationSid),
    ofParticipants(gateway, store, { lease, at, work }, conversationSid),
  ]);
}

type Context = Pick<Attempt, 'lease' | 'at' | 'work'>;

async function ofConversation(
  gateway: TwilioGateway,
  store: ConversationStore,
  { lease, at, work }: Context,
  conversationSid: string,
): Promise<void> {
  const asked = await store.lateChanges(lease.id, 'update');
  const there = asked.length > 1 ? await gateway.findConversation(at, conversationSid) : null;
  if (!there) return;
  const { friendlyName, attributes } = work.view.conversation;
  const nameIsOld =
    isOther(there.friendlyName || null, friendlyName) &&
    asked.some((change) => change['friendlyName'] === (there.friendlyName || null));
  const attributesAreOld = isSuperseded(there.attributes, attributes, asked);
  if (!nameIsOld && !attributesAreOld) return;
  await gateway.updateConversation(at, conversationSid, {
    ...(nameIsOld && { friendlyName }),
    ...(attributesAreOld && { attributes: JSON.stringify(attributes) }),
  });
}

async function ofParticipants(
  gateway: TwilioGateway,
  store: ConversationStore,
  { lease, at, work }: Context,
  conversationSid: string,
): Promise<void> {
  const asked = await store.lateChanges(lease.id, 'update_participant');
  if (asked.length < 2) return;
  for (const other of await gateway.listParticipants(at, conversationSid)) {
    const found = work.view.participants.find(({ participant }) => participant.twilioSid === other.sid);
    if (found?.participant.state !== 'joined') continue;
    const { id, attributes } = found.participant;
    const ofThis = asked.filter((change) => change['participantId'] === id);
    if (isSuperseded(other.attributes, attributes, ofThis)) {
      await gateway.updateParticipant(at, conversationSid, other.sid, {
        attributes: JSON.stringify(attributes),
      });
    }
  }
}

const isOther = (one: unknown, other: unknown): boolean => JSON.stringify(one) !== JSON.stringify(other);

/** Twilio has the attributes that one of these changes asked for, and they are not the last. */
function isSuperseded(there: string, last: object, asked: Record<string, unknown>[]): boolean {
  return (
    there !== JSON.stringify(last) && asked.some(({ attributes }) => JSON.stringify(attributes) === there)
  );
}
