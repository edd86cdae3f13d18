import { isUuid } from '../../common/validation/text.js';
import type { Queryable } from '../../database/database.js';
import { TwilioError } from '../../twilio/twilio-error.js';
import type { TwilioGateway } from '../../twilio/twilio.gateway.js';
import type { At, TimerDurations } from '../../twilio/twilio.types.js';
import { messageIdOf } from '../messages/message.entity.js';
import type { ConversationEntity } from '../conversation.entity.js';
import type { Twin, UpstreamChat } from './comparison.js';
import { unaskedTimers } from './timers.js';

/** Messages that are looked at for twins: the newest, one page. A twin lands soon after its original. */
const MESSAGES_SEEN = 100;

const RECORDED = `
  select id, twilio_sid as "twilioSid" from messages
  where conversation_id = $1 and id = any($2::uuid[]) and twilio_sid is not null`;

/** Reads what Twilio has of a conversation. A closed one is not searched for twins: nothing can be removed from it. */
export async function readChat(
  gateway: TwilioGateway,
  db: Queryable,
  at: At,
  { id, timers }: Pick<ConversationEntity, 'id' | 'timers'>,
  twilioSid: string,
): Promise<UpstreamChat> {
  const [conversation, participants] = await Promise.all([
    gateway.findConversation(at, twilioSid),
    participantsOf(gateway, at, twilioSid),
  ]);
  if (!conversation || !participants)
    return { conversation: null, participants: [], twins: [], defaultTimers: null };
  const twins = conversation.state === 'closed' ? [] : await findTwins(gateway, db, at, { id, twilioSid });
  const unasked = unaskedTimers(timers, { conversation, defaultTimers: {} });
  const defaultTimers = unasked.length > 0 ? await defaultTimersOf(gateway, at) : null;
  return { conversation, participants, twins, defaultTimers };
}

/** Null where our API key may not see them: then nobody can tell who asked for a timer. */
async function defaultTimersOf(gateway: TwilioGateway, at: At): Promise<TimerDurations | null> {
  try {
    return await gateway.findDefaultTimers(at);
  } catch (error) {
    if (error instanceof TwilioError && error.kind === 'blocked') return null;
    throw error;
  }
}

/** Null when the conversation is missing. */
async function participantsOf(gateway: TwilioGateway, at: At, conversationSid: string) {
  try {
    return await gateway.listParticipants(at, conversationSid);
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

const isMissing = (error: unknown): boolean => error instanceof TwilioError && error.kind === 'not_found';

async function findTwins(
  gateway: TwilioGateway,
  db: Queryable,
  at: At,
  { id, twilioSid }: { id: string; twilioSid: string },
): Promise<Twin[]> {
  const options = { order: 'desc', limit: MESSAGES_SEEN } as const;
  const messages = await gateway.listMessages(at, twilioSid, options).catch((error: unknown) => {
    if (isMissing(error)) return [];
    throw error;
  });
  const marked = messages.flatMap((message) => {
    const ours = messageIdOf(message);
    // Whoever writes messages may write what he likes into their attributes.
    return ours !== null && isUuid(ours) ? [{ sid: message.sid, id: ours.toLowerCase() }] : [];
  });
  if (marked.length === 0) return [];
  const rows = await db.query<{ id: string; twilioSid: string }>('drift.recorded-messages', RECORDED, [
    id,
    marked.map((message) => message.id),
  ]);
  const recorded = new Map(rows.map((row) => [row.id, row.twilioSid]));
  const twins = marked.flatMap((message): Twin[] => {
    const recordedSid = recorded.get(message.id);
    if (recordedSid === undefined || recordedSid === message.sid) return [];
    return [{ id: message.id, twilioSid: message.sid, recordedSid }];
  });
  const seen = new Set(messages.map(({ sid }) => sid));
  const confirmed = await Promise.all(
    // Where the one that we know is gone, the other is no twin.
    twins.map(
      async ({ recordedSid }) =>
        seen.has(recordedSid) || (await gateway.findMessage(at, twilioSid, recordedSid)) !== null,
    ),
  );
  return twins.filter((_, index) => confirmed[index]);
}
