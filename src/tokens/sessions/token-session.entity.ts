import { Column, Entity, PrimaryColumn } from 'typeorm';

/**
 * Why a session ended before its time: somebody took it back, a used refresh token came again, or the person made too many
 * newer ones.
 */
export type SessionEnd = 'revoked' | 'reused' | 'displaced';

/** A login of one browser or device, kept up by refresh tokens. Statements that decide are in session-store.ts. */
@Entity('token_sessions')
export class TokenSessionEntity {
  @PrimaryColumn('uuid') id!: string;
  @Column('uuid', { name: 'service_id' }) serviceId!: string;
  @Column('uuid', { name: 'identity_id' }) identityId!: string;
  /** Our id of the conversation that the session is bound to. */
  @Column('uuid', { name: 'conversation_id', nullable: true }) conversationId!: string | null;
  /** Life of each access token, in seconds. */
  @Column('integer', { name: 'ttl_seconds' }) ttlSeconds!: number;
  @Column('timestamptz', { name: 'expires_at' }) expiresAt!: Date;
  @Column('timestamptz', { name: 'refreshed_at', nullable: true }) refreshedAt!: Date | null;
  @Column('timestamptz', { name: 'ended_at', nullable: true }) endedAt!: Date | null;
  @Column('text', { name: 'end_reason', nullable: true }) endReason!: SessionEnd | null;
  @Column('timestamptz', { name: 'created_at' }) createdAt!: Date;
}
