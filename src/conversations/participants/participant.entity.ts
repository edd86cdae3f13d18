import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { Preset } from '../../chat-services/presets.js';
import type { Failure } from '../conversation.entity.js';

export const PARTICIPANT_STATES = ['pending', 'joined', 'removing', 'failed'] as const;

/** `removed` is a row kept for who was in when; answers never show it. */
export type ParticipantState = (typeof PARTICIPANT_STATES)[number] | 'removed';

@Entity('participants')
export class ParticipantEntity {
  @PrimaryColumn('uuid') id!: string;
  @Column('uuid', { name: 'conversation_id' }) conversationId!: string;
  /** Null for an address that nobody was named for. */
  @Column('uuid', { name: 'identity_id', nullable: true }) identityId!: string | null;
  @Column('text') kind!: Preset;
  @Column('text', { nullable: true }) address!: string | null;
  @Column('text', { name: 'proxy_address', nullable: true }) proxyAddress!: string | null;
  @Column('text', { name: 'projected_address', nullable: true }) projectedAddress!: string | null;
  /** The preset, else the friendly name; null for an address. */
  @Column('text', { nullable: true }) role!: string | null;
  /** `RL…`; null for a preset, whose sid the chat service knows. */
  @Column('text', { name: 'role_sid', nullable: true }) roleSid!: string | null;
  @Column('json') attributes!: Record<string, unknown>;
  @Column('text') state!: ParticipantState;
  @Column('text', { name: 'twilio_sid', nullable: true }) twilioSid!: string | null;
  @Column('jsonb', { nullable: true }) failure!: Failure | null;
  @Column('timestamptz', { name: 'created_at' }) createdAt!: Date;
  @Column('timestamptz', { name: 'updated_at' }) updatedAt!: Date;
}
