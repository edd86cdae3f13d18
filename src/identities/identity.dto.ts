import { ApiProperty, ApiPropertyOptional, OmitType, PartialType } from '@nestjs/swagger';
import { IsIn, IsOptional } from 'class-validator';
import { PRESETS, type Preset } from '../chat-services/presets.js';
import { PageQuery } from '../common/http/page.js';
import { IfGiven, IsAttributes, IsExternalId, IsLine } from '../common/validation/text.js';
import type { IdentityEntity, IdentityStatus } from './identity.entity.js';

/** Bytes of serialised UTF-8. */
export const IDENTITY_ATTRIBUTES_MAX = 16_384;
export const DISPLAY_NAME_MAX = 256;
const STATUSES: IdentityStatus[] = ['active', 'suspended', 'erased'];

export class CreateIdentityDto {
  @ApiProperty({ enum: PRESETS, enumName: 'IdentityKind', example: 'customer' })
  @IsIn(PRESETS)
  kind!: Preset;

  @ApiProperty({
    minLength: 1,
    maxLength: 255,
    example: 'cust-42',
    description: 'Your own id of the person.',
  })
  @IsExternalId()
  externalId!: string;

  @ApiPropertyOptional({ type: String, nullable: true, maxLength: DISPLAY_NAME_MAX, example: 'Bob' })
  @IsOptional()
  @IsLine(DISPLAY_NAME_MAX)
  displayName?: string | null;

  @ApiPropertyOptional({
    type: 'object',
    additionalProperties: true,
    nullable: true,
    example: { segment: 'gold' },
    description: `Whatever you want to keep, at most ${IDENTITY_ATTRIBUTES_MAX} bytes. Twilio never gets it.`,
  })
  @IsOptional()
  @IsAttributes(IDENTITY_ATTRIBUTES_MAX)
  attributes?: Record<string, unknown> | null;
}

export class CreateIdentityWithRoleDto extends CreateIdentityDto {
  @ApiPropertyOptional({
    maxLength: 256,
    example: 'service user',
    description: 'Friendly name or sid of a service role. Needs the scope roles:write as well.',
  })
  @IfGiven()
  @IsLine(256)
  serviceRole?: string;
}

export class AssignServiceRoleDto {
  @ApiProperty({
    maxLength: 256,
    example: 'service user',
    description: 'Friendly name or sid of a service role.',
  })
  @IsLine(256)
  role!: string;
}

export class UpsertIdentityDto extends OmitType(CreateIdentityDto, ['externalId', 'kind']) {
  @ApiPropertyOptional({
    enum: PRESETS,
    enumName: 'IdentityKind',
    example: 'customer',
    description: 'May be left out where the identity is known.',
  })
  @IfGiven()
  @IsIn(PRESETS)
  kind?: Preset;

  @ApiPropertyOptional({ description: 'The same as in the path, or left out.', example: 'cust-42' })
  @IfGiven()
  @IsExternalId()
  externalId?: string;
}

export class UpdateIdentityDto extends PartialType(OmitType(CreateIdentityDto, ['externalId', 'kind'])) {}

export class ListIdentitiesQuery extends PageQuery {
  @ApiPropertyOptional({ enum: PRESETS, enumName: 'IdentityKind' })
  @IfGiven()
  @IsIn(PRESETS)
  kind?: Preset;

  @ApiPropertyOptional({ example: 'cust-42' })
  @IfGiven()
  @IsExternalId()
  externalId?: string;

  @ApiPropertyOptional({ enum: STATUSES, enumName: 'IdentityStatus' })
  @IfGiven()
  @IsIn(STATUSES)
  status?: IdentityStatus;
}

export class IdentityResponse implements Pick<
  IdentityEntity,
  'id' | 'kind' | 'externalId' | 'displayName' | 'twilioIdentity' | 'twilioSid' | 'serviceRole' | 'status'
> {
  @ApiProperty({ format: 'uuid' }) id!: string;
  @ApiProperty({ enum: PRESETS, enumName: 'IdentityKind' }) kind!: Preset;
  @ApiProperty({ type: String, nullable: true, description: 'Null once erased.' }) externalId!: string | null;
  @ApiProperty({ type: String, nullable: true }) displayName!: string | null;
  @ApiProperty({ description: 'What Twilio knows the person by.' }) twilioIdentity!: string;
  @ApiProperty({
    type: String,
    nullable: true,
    description:
      '`US…`; null until Twilio has the User. A list may learn it later than a reading of the identity itself.',
  })
  twilioSid!: string | null;
  @ApiProperty({ type: String, nullable: true }) serviceRole!: string | null;
  @ApiProperty({ type: 'object', additionalProperties: true }) attributes!: Record<string, unknown>;
  @ApiProperty({
    type: [String],
    description: 'Addresses that the person has taken part by.',
    example: ['+15551230000'],
  })
  addresses!: string[];
  @ApiProperty({ enum: STATUSES, enumName: 'IdentityStatus' }) status!: IdentityStatus;
  @ApiProperty({ format: 'date-time' }) createdAt!: string;
  @ApiProperty({ format: 'date-time' }) updatedAt!: string;

  static from(entity: IdentityEntity, addresses: string[]): IdentityResponse {
    return Object.assign(new IdentityResponse(), {
      id: entity.id,
      kind: entity.kind,
      externalId: entity.externalId,
      displayName: entity.displayName,
      twilioIdentity: entity.twilioIdentity,
      twilioSid: entity.twilioSid,
      serviceRole: entity.serviceRole,
      attributes: entity.attributes,
      addresses,
      status: entity.status,
      createdAt: entity.createdAt.toISOString(),
      updatedAt: entity.updatedAt.toISOString(),
    });
  }
}
