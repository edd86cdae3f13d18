import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsIn, IsOptional, IsUUID, Matches } from 'class-validator';
import { PRESETS, type Preset } from '../../chat-services/presets.js';
import { Rule } from '../../common/validation/rule.js';
import { IfGiven, IsAttributes, isExternalId, IsLine } from '../../common/validation/text.js';
import { IdentitySummary } from '../../identities/identity-summary.dto.js';
import type { IdentityEntity } from '../../identities/identity.entity.js';
import { FailureSchema } from '../failure.dto.js';
import type { Failure } from '../conversation.entity.js';
import { PARTICIPANT_STATES, type ParticipantEntity, type ParticipantState } from './participant.entity.js';

export const PARTICIPANT_ATTRIBUTES_MAX = 4096;
const ROLE_MAX = 256;

/** E.164, or a WhatsApp address; Twilio decides whether it can be reached. */
const ADDRESS = /^(whatsapp:)?\+[1-9]\d{6,14}$/;
const ADDRESS_MESSAGE = 'must be a number such as +15551230000 or whatsapp:+15551230000';

/** One participant to be: an identity, or an address that may be linked to one. */
export class NewParticipantDto {
  @ApiPropertyOptional({
    enum: PRESETS,
    enumName: 'IdentityKind',
    description: 'May be left out where the identity is known; `customer` for an address that is nobody’s.',
  })
  @IfGiven()
  @IsIn(PRESETS)
  kind?: Preset;

  @ApiPropertyOptional({
    minLength: 1,
    maxLength: 255,
    example: 'cust-42',
    description: 'Your own id of the person; made known where it is not.',
  })
  @Rule<NewParticipantDto>(
    'namesSomebody',
    ({ externalId, identityId, address }) =>
      [externalId, identityId, address].some((name) => name !== undefined),
    'give externalId, identityId or address',
  )
  @Rule<NewParticipantDto>(
    'namesOne',
    ({ externalId, identityId }) => externalId === undefined || identityId === undefined,
    'give either externalId or identityId',
  )
  @Rule<NewParticipantDto>(
    'isExternalId',
    ({ externalId }) => externalId === undefined || isExternalId(externalId),
    'must be 1 to 255 printable characters, not "." or "..", and not shaped like a Twilio sid',
  )
  externalId?: string;

  @ApiPropertyOptional({ format: 'uuid', description: 'A known identity, instead of externalId.' })
  @IfGiven()
  @IsUUID()
  identityId?: string;

  @ApiPropertyOptional({ type: String, nullable: true, maxLength: 256, example: 'Bob' })
  @IsOptional()
  @IsLine(256)
  displayName?: string | null;

  @ApiPropertyOptional({
    type: String,
    nullable: true,
    example: 'customer',
    description:
      'A preset (agent, customer, supervisor, bot), or the friendly name or sid of a conversation role. Follows `kind` by default. An address has none.',
  })
  @IsOptional()
  @IsLine(ROLE_MAX)
  @Rule<NewParticipantDto>(
    'roleless',
    ({ role, address }) => !role || address === undefined,
    'an address has no role: leave it out',
  )
  role?: string | null;

  @ApiPropertyOptional({ type: 'object', additionalProperties: true, example: { vip: true } })
  @IfGiven()
  @IsAttributes(PARTICIPANT_ATTRIBUTES_MAX)
  attributes?: Record<string, unknown>;

  @ApiPropertyOptional({
    example: '+15551230000',
    description: 'An SMS or WhatsApp address instead of a browser.',
  })
  @IfGiven()
  @Matches(ADDRESS, { message: ADDRESS_MESSAGE })
  address?: string;

  @ApiPropertyOptional({
    example: '+15559990000',
    description: 'Your Twilio number that the address talks to.',
  })
  @IfGiven()
  @Matches(ADDRESS, { message: ADDRESS_MESSAGE })
  @Rule<NewParticipantDto>('needsAddress', ({ address }) => address !== undefined, 'goes with address')
  proxyAddress?: string;

  @ApiPropertyOptional({
    example: '+15559990001',
    description: 'Your Twilio number that stands for a chat participant.',
  })
  @IfGiven()
  @Matches(ADDRESS, { message: ADDRESS_MESSAGE })
  @Rule<NewParticipantDto>(
    'refusesAddress',
    ({ address }) => address === undefined,
    'goes with a chat participant, not with address',
  )
  projectedAddress?: string;
}

export class ParticipantResponse implements Pick<
  ParticipantEntity,
  'id' | 'twilioSid' | 'kind' | 'role' | 'address' | 'proxyAddress' | 'projectedAddress' | 'failure'
> {
  @ApiProperty({ format: 'uuid' }) id!: string;
  @ApiProperty({ type: String, nullable: true, description: '`MB…`' }) twilioSid!: string | null;
  @ApiProperty({ enum: PRESETS, enumName: 'IdentityKind' }) kind!: Preset;
  @ApiProperty({ type: String, nullable: true, description: 'Null for an address.' }) role!: string | null;
  @ApiProperty({ enum: PARTICIPANT_STATES, enumName: 'ParticipantState' }) state!: ParticipantState;
  @ApiProperty({ type: 'object', additionalProperties: true }) attributes!: Record<string, unknown>;
  @ApiProperty({ type: IdentitySummary, nullable: true }) identity!: IdentitySummary | null;
  @ApiProperty({ type: String, nullable: true }) address!: string | null;
  @ApiProperty({ type: String, nullable: true }) proxyAddress!: string | null;
  @ApiProperty({ type: String, nullable: true }) projectedAddress!: string | null;
  @ApiProperty({ type: FailureSchema, nullable: true }) failure!: Failure | null;

  static from(entity: ParticipantEntity, identity: IdentityEntity | null): ParticipantResponse {
    return Object.assign(new ParticipantResponse(), {
      id: entity.id,
      twilioSid: entity.twilioSid,
      kind: entity.kind,
      role: entity.role,
      state: entity.state,
      attributes: entity.attributes,
      identity: identity && IdentitySummary.from(identity),
      address: entity.address,
      proxyAddress: entity.proxyAddress,
      projectedAddress: entity.projectedAddress,
      failure: entity.failure,
    });
  }
}

export class UpdateParticipantDto {
  @ApiPropertyOptional({
    type: String,
    maxLength: ROLE_MAX,
    example: 'supervisor',
    description: 'A preset, or the friendly name or sid of a conversation role.',
  })
  @IsOptional()
  @IsLine(ROLE_MAX)
  role?: string | null;

  @ApiPropertyOptional({ type: 'object', additionalProperties: true, nullable: true, example: { vip: true } })
  @IsOptional()
  @IsAttributes(PARTICIPANT_ATTRIBUTES_MAX)
  attributes?: Record<string, unknown> | null;
}

export class RemoveParticipantQuery {
  @ApiPropertyOptional({ type: Boolean, default: false, description: 'Removes the last agent too.' })
  @IfGiven()
  @IsIn(['true', 'false'])
  force?: 'true' | 'false';
}
