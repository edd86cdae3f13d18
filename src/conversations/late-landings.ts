import type { TwilioGateway } from '../twilio/twilio.gateway.js';
import { TwilioError } from '../twilio/twilio-error.js';
import type { ConversationStore } from './conversation-store.js';
import type { Attempt } from './conversation-work.js';
import { sendLastChange } from './late-changes.js';
import { removeTwins, sendLastEdits } from './messages/late-messages.js';
import { removeLateParticipants } from './participants/late-participants.js';

/**
 * A call that was given up may have taken effect since: a message must be there once, who was removed must be out, and of
 * several changes the last one counts.
 */
export async function undoLateLandings(
  gateway: TwilioGateway,
  store: ConversationStore,
  attempt: Attempt,
  conversationSid: string,
): Promise<void> {
  const undo = async (): Promise<void> => {
    const twins = await removeTwins(gateway, store, attempt, conversationSid);
    await Promise.all([
      removeLateParticipants(gateway, attempt, conversationSid),
      sendLastChange(gateway, store, attempt, conversationSid, twins),
      sendLastEdits(gateway, store, attempt, conversationSid),
    ]);
  };
  await undo().catch((error: unknown) => {
    // With the conversation, whatever landed late in it is gone.
    if (!(error instanceof TwilioError) || error.kind !== 'not_found') throw error;
  });
}
