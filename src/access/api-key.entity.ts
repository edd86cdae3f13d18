import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { Scope } from './scopes.js';

@Entity('api_keys')
export class ApiKeyEntity {
  @PrimaryColumn('uuid') id!: string;
  /** The public part of the key. */
  @Column('text', { name: 'key_id' }) keyId!: string;
  /** The chat service that the key belongs to. */
  @Column('uuid', { name: 'service_id' }) serviceId!: string;
  @Column('text') name!: string;
  @Column('text', { array: true }) scopes!: Scope[];
  /** SHA-256 of the secret; the secret itself is stored nowhere. */
  @Column('bytea', { name: 'secret_hash' }) secretHash!: Buffer;
  @Column('timestamptz', { name: 'expires_at', nullable: true }) expiresAt!: Date | null;
  /** Requests a minute; null: what the environment says. */
  @Column('integer', { name: 'rate_limit', nullable: true }) rateLimit!: number | null;
  /** Within a minute. */
  @Column('timestamptz', { name: 'last_used_at', nullable: true }) lastUsedAt!: Date | null;
  @Column('timestamptz', { name: 'revoked_at', nullable: true }) revokedAt!: Date | null;
  @Column('timestamptz', { name: 'created_at' }) createdAt!: Date;
}
