import type { TwilioGateway } from '../../twilio/twilio.gateway.js';
import { matches } from '../chat-calls.js';
import type { Attempt } from '../conversation-work.js';
import { isIn } from './participant-rows.js';

/**
 * An addition that was given up may have taken effect after its participant had been removed: whoever is in at Twilio
 * without our having let him in, and has just left here, is taken out again.
 */
export async function removeLateParticipants(
  gateway: TwilioGateway,
  { at, work }: Attempt,
  conversationSid: string,
): Promise<void> {
  const { participants } = work.view;
  const gone = participants.filter(
    ({ participant }) => !isIn(participant) && participant.updatedAt > work.lateSince,
  );
  if (gone.length === 0) return;
  const wanted = participants.filter(({ participant }) => isIn(participant));
  for (const other of await gateway.listParticipants(at, conversationSid)) {
    const isThis = ({ participant, identity }: (typeof participants)[number]): boolean =>
      participant.twilioSid === other.sid || matches(other, participant, identity);
    if (gone.some(isThis) && !wanted.some(isThis))
      await gateway.removeParticipant(at, conversationSid, other.sid);
  }
}
