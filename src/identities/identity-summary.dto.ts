import { ApiProperty } from '@nestjs/swagger';
import type { IdentityEntity } from './identity.entity.js';

type Shown = Pick<IdentityEntity, 'id' | 'externalId' | 'displayName' | 'twilioIdentity'>;

/** An identity as other resources name it. */
export class IdentitySummary implements Shown {
  @ApiProperty({ format: 'uuid' }) id!: string;
  @ApiProperty({ type: String, nullable: true, description: 'Null once erased or deleted.' }) externalId!:
    string | null;
  @ApiProperty({ type: String, nullable: true }) displayName!: string | null;
  @ApiProperty({ description: 'What Twilio knows the person by.' }) twilioIdentity!: string;

  static from({ id, externalId, displayName, twilioIdentity }: Shown): IdentitySummary {
    return Object.assign(new IdentitySummary(), { id, externalId, displayName, twilioIdentity });
  }
}
