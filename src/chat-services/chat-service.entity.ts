import { Column, Entity, PrimaryColumn } from 'typeorm';

/** ISO 8601 durations, days or smaller. */
export interface DefaultTimers {
  inactive: string | null;
  closed: string | null;
}

@Entity('chat_services')
export class ChatServiceEntity {
  @PrimaryColumn('uuid') id!: string;
  /** `IS…`; null until Twilio has made it. */
  @Column('text', { name: 'twilio_sid', nullable: true }) twilioSid!: string | null;
  @Column('text', { name: 'friendly_name', nullable: true }) friendlyName!: string | null;
  @Column('boolean', { name: 'share_display_names' }) shareDisplayNames!: boolean;
  @Column('jsonb', { name: 'default_timers', nullable: true }) defaultTimers!: DefaultTimers | null;
  @Column('jsonb', { name: 'token_exchange', nullable: true }) tokenExchange!: object | null;
  @Column('timestamptz', { name: 'created_at' }) createdAt!: Date;
  @Column('timestamptz', { name: 'updated_at' }) updatedAt!: Date;
}
