import type { TwilioGateway } from '../../twilio/twilio.gateway.js';
import type { ConversationStore } from '../conversation-store.js';
import type { Attempt } from '../conversation-work.js';
import { messageIdOf } from './message.entity.js';

/** How long ago something may have been sent that lands only now, in milliseconds. */
const LATE_WINDOW_MS = 3_600_000;

/** A message that was given up, and sent again, may have taken effect after all: the copy that we do not know goes. */
export async function removeTwins(
  gateway: TwilioGateway,
  store: ConversationStore,
  { lease, at, work }: Attempt,
  conversationSid: string,
): Promise<void> {
  const recorded = await store.sentMessages(lease.id);
  // Those that have been sent and are not recorded yet.
  for (const { id, twilioSid } of work.messages) if (twilioSid !== null) recorded.set(id, twilioSid);
  const earliest = Date.now() - LATE_WINDOW_MS;
  for await (const message of gateway.eachMessage(at, conversationSid, { order: 'desc' })) {
    const own = messageIdOf(message.attributes);
    const sid = own === null ? undefined : recorded.get(own);
    if (sid !== undefined && sid !== message.sid)
      await gateway.deleteMessage(at, conversationSid, message.sid);
    if (message.dateCreated.getTime() < earliest) return;
  }
}
