import { Column, Entity, PrimaryColumn } from 'typeorm';

/** ISO 8601 durations, days or smaller. */
export interface DefaultTimers {
  inactive: string | null;
  closed: string | null;
}

/** Whose tokens are taken for logins, in exchange for ours. */
export interface TokenExchange {
  /** `iss` and `aud` of those tokens. */
  issuer: string;
  audience: string;
  /** Where the keys that sign them are. */
  jwksUrl: string;
  /** The claim that holds the person's `externalId`. */
  externalIdClaim: string;
  /** Whether somebody who is not known yet is made known, as a customer. */
  createIdentities: boolean;
}

@Entity('chat_services')
export class ChatServiceEntity {
  @PrimaryColumn('uuid') id!: string;
  /** `IS…`; null until Twilio has made it. */
  @Column('text', { name: 'twilio_sid', nullable: true }) twilioSid!: string | null;
  @Column('text', { name: 'friendly_name', nullable: true }) friendlyName!: string | null;
  @Column('boolean', { name: 'share_display_names' }) shareDisplayNames!: boolean;
  /** Names that Twilio was told are to be taken back from it. */
  @Column('boolean', { name: 'names_stale' }) namesStale!: boolean;
  @Column('jsonb', { name: 'default_timers', nullable: true }) defaultTimers!: DefaultTimers | null;
  @Column('jsonb', { name: 'token_exchange', nullable: true }) tokenExchange!: TokenExchange | null;
  @Column('timestamptz', { name: 'created_at' }) createdAt!: Date;
  @Column('timestamptz', { name: 'updated_at' }) updatedAt!: Date;
}
