import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { Preset } from '../chat-services/presets.js';
import { AppError } from '../common/errors/app-error.js';

export type IdentityStatus = 'active' | 'suspended' | 'erased';

@Entity('identities')
export class IdentityEntity {
  @PrimaryColumn('uuid') id!: string;
  @Column('uuid', { name: 'service_id' }) serviceId!: string;
  @Column('text') kind!: Preset;
  /** The caller's own id; null once erased. */
  @Column('text', { name: 'external_id', nullable: true }) externalId!: string | null;
  @Column('text', { name: 'display_name', nullable: true }) displayName!: string | null;
  /** What Twilio knows the person by: never a name, an e-mail or the caller's id. */
  @Column('text', { name: 'twilio_identity' }) twilioIdentity!: string;
  /** `US…`; null until Twilio has the User and we have seen it. */
  @Column('text', { name: 'twilio_sid', nullable: true }) twilioSid!: string | null;
  @Column('text', { name: 'service_role', nullable: true }) serviceRole!: string | null;
  /** They stay with us: Twilio never gets them. */
  @Column('json') attributes!: Record<string, unknown>;
  @Column('text') status!: IdentityStatus;
  /** Its deletion has been accepted. What conversations read of people does not say. */
  @Column('boolean') deleting?: boolean;
  /** Its deletion is done: it is kept for the conversations that it was in, and shown nowhere else. */
  @Column('timestamptz', { name: 'deleted_at', nullable: true }) deletedAt?: Date | null;
  @Column('timestamptz', { name: 'created_at' }) createdAt!: Date;
  @Column('timestamptz', { name: 'updated_at' }) updatedAt!: Date;
}

/** The opaque identity of a new person, of characters that are safe in any path. */
export function twilioIdentityOf(id: string): string {
  return `cvk_${id}`;
}

/** Nothing is changed any more of a person who is erased, or about to be deleted. */
export function assertChangeable({ status, deleting }: Pick<IdentityEntity, 'status' | 'deleting'>): void {
  if (deleting) throw beingDeleted();
  if (status === 'erased') throw new AppError('identity_suspended', { detail: 'The identity is erased.' });
}

/** Until that is done: then there is no such identity, and its `externalId` is free. */
export function beingDeleted(): AppError {
  return new AppError('identity_suspended', {
    detail: 'The identity is being deleted.',
    headers: { 'retry-after': '1' },
  });
}
