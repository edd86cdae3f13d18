import type { TwilioGateway } from '../../twilio/twilio.gateway.js';
import type { At, UpstreamMessage } from '../../twilio/twilio.types.js';

/** So many older ones in a row, and all that are further back are older. */
const OLDER_IN_A_ROW = 100;

/**
 * The messages of a conversation that came since `earliest`, and some older ones: the newest first, by Twilio's order.
 * Whoever writes a message at Twilio may give it an older date, so that a single older one is not the end.
 */
export async function* messagesSince(
  gateway: TwilioGateway,
  at: At,
  conversationSid: string,
  earliest: Date,
): AsyncGenerator<UpstreamMessage, void> {
  let older = 0;
  for await (const message of gateway.eachMessage(at, conversationSid, { order: 'desc' })) {
    yield message;
    older = message.dateCreated < earliest ? older + 1 : 0;
    if (older === OLDER_IN_A_ROW) return;
  }
}
