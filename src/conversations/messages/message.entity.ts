import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { Failure } from '../conversation.entity.js';

export type MessageState = 'sending' | 'sent' | 'failed';

/** A message that goes out through us: it is a row before it is sent, since Twilio knows no key for messages. */
@Entity('messages')
export class MessageEntity {
  @PrimaryColumn('uuid') id!: string;
  @Column('uuid', { name: 'conversation_id' }) conversationId!: string;
  /** The greeting is the system message that provisioning was asked for. */
  @Column('text') purpose!: 'greeting' | 'message';
  /** Null: the author is `system`. */
  @Column('uuid', { name: 'author_id', nullable: true }) authorId!: string | null;
  @Column('text') body!: string;
  @Column('json') attributes!: Record<string, unknown>;
  @Column('text', { name: 'media_sid', nullable: true }) mediaSid!: string | null;
  /** Twilio's: grows within the conversation, with gaps; null until it is sent. */
  @Column('integer', { name: 'message_index', nullable: true }) index!: number | null;
  @Column('text') state!: MessageState;
  @Column('text', { name: 'twilio_sid', nullable: true }) twilioSid!: string | null;
  @Column('jsonb', { nullable: true }) failure!: Failure | null;
  @Column('timestamptz', { name: 'created_at' }) createdAt!: Date;
  @Column('timestamptz', { name: 'updated_at' }) updatedAt!: Date;
}

/** The key within a message's attributes at Twilio that is ours; callers neither set nor see it. */
export const RESERVED_ATTRIBUTE = 'convoke';

/** What stands in place of author and body once the author was erased: Twilio is not known to take an empty one. */
export const ERASED_AUTHOR = 'erased';
export const ERASED_BODY = '[erased]';

/** A message's attributes as Twilio gets them: the caller's, and our id, by which it is found again. */
export function twilioAttributes(message: MessageEntity): string {
  const mark = { id: message.id, ...(message.authorId === null && { type: 'system' }) };
  return JSON.stringify({ ...message.attributes, [RESERVED_ATTRIBUTE]: mark });
}

/** The attributes of a message at Twilio, split into the caller's and what is ours. What is no object counts as empty. */
export function splitAttributes(text: string): { shown: Record<string, unknown>; mark: unknown } {
  const value = parse(text);
  if (value === null || typeof value !== 'object' || Array.isArray(value))
    return { shown: {}, mark: undefined };
  const { [RESERVED_ATTRIBUTE]: mark, ...shown } = value as Record<string, unknown>;
  return { shown, mark };
}

/**
 * Our id out of the attributes of a message at Twilio, or null when it did not come through us: who forwards a message of
 * the system may send its attributes with it.
 */
export function messageIdOf({
  attributes,
  author,
}: {
  attributes: string;
  author: string | null;
}): string | null {
  const { id, type } = (splitAttributes(attributes).mark ?? {}) as { id?: unknown; type?: unknown };
  const isForwarded = type === 'system' && author !== 'system';
  return typeof id === 'string' && !isForwarded ? id : null;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
