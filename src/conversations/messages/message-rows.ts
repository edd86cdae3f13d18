import { AppError } from '../../common/errors/app-error.js';
import type { Queryable } from '../../database/database.js';
import type { MessageEntity } from './message.entity.js';

const INSERT = `
  insert into messages (id, conversation_id, purpose, author_id, body, attributes, media_sid, state, created_at, updated_at)
  values ($1, $2, $3, $4, $5, $6::json, $7, $8, $9, $9)`;

/** Writes a message that is to be sent. */
export async function insertMessage(tx: Queryable, row: MessageEntity): Promise<void> {
  await tx.query('messages.insert', INSERT, [
    row.id,
    row.conversationId,
    row.purpose,
    row.authorId,
    row.body,
    JSON.stringify(row.attributes),
    row.mediaSid,
    row.state,
    row.createdAt,
  ]);
}

/**
 * Nobody speaks for a person who is suspended or erased; his row is locked until the message has been written, so that
 * his standing does not change in between.
 */
export async function assertMaySpeak(tx: Queryable, authorId: string): Promise<void> {
  const [identity] = await tx.query<{ status: string }>(
    'messages.author-status',
    `select i.status from participants p join identities i on i.id = p.identity_id where p.id = $1
    for key share of i`,
    [authorId],
  );
  if (identity && identity.status !== 'active')
    throw new AppError('identity_suspended', { detail: `The author is ${identity.status}.` });
}

/**
 * What an SMS or WhatsApp message may hold, in UTF-16 units, of which an emoji has two. Twilio's documents say characters:
 * in which way it counts them is not verified, and this is the stricter one.
 */
export const SMS_BODY_MAX = 1600;
