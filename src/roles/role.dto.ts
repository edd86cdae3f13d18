import { applyDecorators } from '@nestjs/common';
import { ApiProperty, ApiPropertyOptional, type ApiPropertyOptions } from '@nestjs/swagger';
import { ArrayMaxSize, ArrayNotEmpty, ArrayUnique, IsArray, IsIn, IsString } from 'class-validator';
import { PRESETS, type Preset } from '../chat-services/presets.js';
import type { PresetDrift } from '../chat-services/preset-roles.service.js';
import { shownName } from '../chat-services/twilio-name.js';
import { IfGiven, IsLine } from '../common/validation/text.js';
import type { RoleType, UpstreamRole } from '../twilio/twilio.types.js';
import { ALL_PERMISSIONS } from './permissions.js';
import type { KnownRole } from './role-rows.js';

/** Code points, as for everything whose name at Twilio ends in our id. */
const FRIENDLY_NAME_MAX = 200;
const TYPES: RoleType[] = ['conversation', 'service'];
const PROBLEMS = ['missing', 'permissions', 'twin'] as const;

const PERMISSION_LIST: ApiPropertyOptions = {
  type: 'array',
  items: { type: 'string', enum: [...ALL_PERMISSIONS] },
  minItems: 1,
  maxItems: ALL_PERMISSIONS.length,
  uniqueItems: true,
  example: ['sendMessage', 'editOwnMessage'],
  description: 'In Twilio’s names. Not every one exists for both types.',
};

/** Which names there are depends on the type of the role: the service that knows it looks at them. */
const IsPermissionList = (): PropertyDecorator =>
  applyDecorators(
    IsArray(),
    ArrayNotEmpty(),
    ArrayMaxSize(ALL_PERMISSIONS.length),
    ArrayUnique(),
    IsString({ each: true }),
  );

export class CreateRoleDto {
  @ApiProperty({ maxLength: FRIENDLY_NAME_MAX, example: 'moderator' })
  @IsLine(FRIENDLY_NAME_MAX)
  friendlyName!: string;

  @ApiProperty({
    enum: TYPES,
    enumName: 'RoleType',
    example: 'conversation',
    description: '`conversation`: of participants. `service`: of Users, in the whole chat service.',
  })
  @IsIn(TYPES)
  type!: RoleType;

  @ApiProperty(PERMISSION_LIST)
  @IsPermissionList()
  permissions!: string[];
}

export class UpdateRoleDto {
  @ApiPropertyOptional(PERMISSION_LIST)
  @IfGiven()
  @IsPermissionList()
  permissions?: string[];
}

export class RoleResponse {
  @ApiProperty({
    type: String,
    format: 'uuid',
    nullable: true,
    description: 'Null where it did not come through Convoke.',
  })
  id!: string | null;
  @ApiProperty({ type: String, nullable: true, description: '`RL…`; null until Twilio has made it.' })
  twilioSid!: string | null;
  @ApiProperty({ example: 'moderator' }) friendlyName!: string;
  @ApiProperty({ enum: TYPES, enumName: 'RoleType' }) type!: RoleType;
  @ApiProperty({ enum: PRESETS, enumName: 'IdentityKind', nullable: true, type: String })
  preset!: Preset | null;
  @ApiProperty({ type: [String], example: ['sendMessage'] }) permissions!: string[];
  @ApiProperty({ format: 'date-time' }) createdAt!: string;
  @ApiProperty({ format: 'date-time' }) updatedAt!: string;

  /** As Twilio has it. */
  static from(role: UpstreamRole, known: KnownRole | undefined): RoleResponse {
    return Object.assign(new RoleResponse(), {
      id: known?.id ?? null,
      twilioSid: role.sid,
      friendlyName: shownName(role.friendlyName),
      type: role.type,
      preset: known?.preset ?? null,
      permissions: role.permissions,
      createdAt: role.dateCreated.toISOString(),
      updatedAt: role.dateUpdated.toISOString(),
    });
  }

  /** One that Twilio does not have yet. */
  static pending(known: KnownRole): RoleResponse {
    const at = known.createdAt.toISOString();
    return Object.assign(new RoleResponse(), {
      id: known.id,
      twilioSid: null,
      friendlyName: known.friendlyName,
      type: known.type,
      preset: known.preset,
      permissions: known.permissions,
      createdAt: at,
      updatedAt: at,
    });
  }
}

export class PresetDriftResponse {
  @ApiProperty({ enum: PRESETS, enumName: 'IdentityKind' }) preset!: Preset;
  @ApiProperty({ type: String, nullable: true, description: '`RL…`, as we have recorded it.' })
  twilioSid!: string | null;
  @ApiProperty({
    enum: PROBLEMS,
    isArray: true,
    description:
      '`missing`: Twilio has no such role. `permissions`: it has others. `twin`: another one bears its name.',
  })
  problems!: (typeof PROBLEMS)[number][];
  @ApiProperty({ type: [String], description: 'Should be there and are not.' }) lacks!: string[];
  @ApiProperty({ type: [String], description: 'Are there and should not be.' }) exceeds!: string[];
  @ApiProperty({ type: [String], description: '`RL…` of the others that bear the name.' }) twins!: string[];

  static from({ row, role, lacks, exceeds, twins }: PresetDrift): PresetDriftResponse {
    const problems: PresetDriftResponse['problems'] = [];
    if (!role) problems.push('missing');
    if (lacks.length + exceeds.length > 0) problems.push('permissions');
    if (twins.length > 0) problems.push('twin');
    return Object.assign(new PresetDriftResponse(), {
      preset: row.preset,
      twilioSid: row.twilioSid,
      problems,
      lacks,
      exceeds,
      twins: twins.map(({ sid }) => sid),
    });
  }
}

export class RoleDriftResponse {
  @ApiProperty({ type: Boolean, nullable: true, description: 'Null while a repair is under way.' })
  inSync!: boolean | null;
  @ApiProperty({ type: [PresetDriftResponse], description: 'Empty while a repair is under way.' })
  presets!: PresetDriftResponse[];

  static from(drift: PresetDrift[]): RoleDriftResponse {
    const presets = drift.map((one) => PresetDriftResponse.from(one));
    const inSync = presets.every(({ problems }) => problems.length === 0);
    return Object.assign(new RoleDriftResponse(), { inSync, presets });
  }

  static underWay(): RoleDriftResponse {
    return Object.assign(new RoleDriftResponse(), { inSync: null, presets: [] });
  }
}
