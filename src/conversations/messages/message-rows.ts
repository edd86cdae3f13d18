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

/** What an SMS or WhatsApp message may hold, in characters. */
export const SMS_BODY_MAX = 1600;
