import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { TwilioFailure } from '../common/errors/app-error.js';
import type { ErrorCode } from '../common/errors/error-catalog.js';

export const CONVERSATION_STATES = ['provisioning', 'active', 'inactive', 'closed', 'failed'] as const;

/** `deleted` is a row that waits for the last look at Twilio; answers never show it. */
export type ConversationState = (typeof CONVERSATION_STATES)[number] | 'deleted';

/** ISO 8601 durations as they were asked for; a key that is missing was not asked for. */
export interface Timers {
  inactive?: string;
  closed?: string;
}

/** Why Twilio would not have it. */
export interface Failure {
  code: ErrorCode;
  detail: string;
  twilio: TwilioFailure | null;
}

@Entity('conversations')
export class ConversationEntity {
  @PrimaryColumn('uuid') id!: string;
  @Column('uuid', { name: 'service_id' }) serviceId!: string;
  @Column('text', { name: 'external_ref', nullable: true }) externalRef!: string | null;
  @Column('text', { name: 'friendly_name', nullable: true }) friendlyName!: string | null;
  @Column('json') attributes!: Record<string, unknown>;
  @Column('jsonb') timers!: Timers;
  @Column('text') state!: ConversationState;
  /** `CH…`; null until Twilio has made it. */
  @Column('text', { name: 'twilio_sid', nullable: true }) twilioSid!: string | null;
  /** Set before what was made at Twilio is taken away again; the state becomes `failed` after that. */
  @Column('jsonb', { nullable: true }) failure!: Failure | null;
  /** When its deletion was asked for: from then on nobody sees it. */
  @Column('timestamptz', { name: 'deleted_at', nullable: true }) deletedAt!: Date | null;
  @Column('timestamptz', { name: 'created_at' }) createdAt!: Date;
  @Column('timestamptz', { name: 'updated_at' }) updatedAt!: Date;
}

/** The natural key of a conversation at Twilio: what was made and not answered is found by it. */
export function uniqueNameOf(id: string): string {
  return `cvk_${id}`;
}
