import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import {
  ArrayMaxSize,
  ArrayMinSize,
  ArrayUnique,
  IsArray,
  IsIn,
  IsInt,
  IsUUID,
  Max,
  Min,
} from 'class-validator';
import type { ApiKeyEntity } from '../../access/api-key.entity.js';
import { SCOPES, type Scope } from '../../access/scopes.js';
import { PageQuery } from '../../common/http/page.js';
import { IfGiven, IsLine } from '../../common/validation/text.js';
import { IsTimestamp } from '../../common/validation/timestamp.js';

export class CreateApiKeyDto {
  @ApiProperty({ maxLength: 256, example: 'helpdesk' })
  @IsLine(256)
  name!: string;

  @ApiProperty({ enum: SCOPES, isArray: true, minItems: 1, example: ['conversations:write', 'tokens:mint'] })
  @IsArray()
  @ArrayMinSize(1)
  @ArrayMaxSize(SCOPES.length)
  @ArrayUnique()
  @IsIn(SCOPES, { each: true })
  scopes!: Scope[];

  @ApiPropertyOptional({ format: 'date-time', description: 'In the future. Left out: it does not expire.' })
  @IfGiven()
  @IsTimestamp()
  expiresAt?: string;

  @ApiPropertyOptional({ format: 'uuid', description: 'Another chat service: for operators.' })
  @IfGiven()
  @IsUUID()
  serviceId?: string;

  @ApiPropertyOptional({
    type: 'integer',
    minimum: 1,
    maximum: 1_000_000,
    description:
      'Requests a minute that it may make. Left out: as many as any key. More than that only an operator gives.',
  })
  @IfGiven()
  @IsInt()
  @Min(1)
  @Max(1_000_000)
  rateLimit?: number;
}

export class ListApiKeysQuery extends PageQuery {
  @ApiPropertyOptional({ format: 'uuid', description: 'Another chat service: for operators.' })
  @IfGiven()
  @IsUUID()
  serviceId?: string;
}

export class ApiKeyResponse implements Pick<
  ApiKeyEntity,
  'id' | 'name' | 'scopes' | 'serviceId' | 'rateLimit'
> {
  @ApiProperty({ format: 'uuid' }) id!: string;
  @ApiPropertyOptional({
    example: 'cvk_1a2b3c_…',
    description: 'Only in the first answer to its creation: it is stored nowhere.',
  })
  key?: string;
  @ApiProperty({ description: 'Whether the secret has been shown before: true wherever `key` is left out.' })
  secretShown!: boolean;
  @ApiProperty() name!: string;
  @ApiProperty({ enum: SCOPES, isArray: true }) scopes!: Scope[];
  @ApiProperty({ format: 'uuid' }) serviceId!: string;
  @ApiProperty({ type: String, format: 'date-time', nullable: true }) expiresAt!: string | null;
  @ApiProperty({
    type: 'integer',
    nullable: true,
    description: 'Requests a minute; null: as many as any key may make.',
  })
  rateLimit!: number | null;
  @ApiProperty({ type: String, format: 'date-time', nullable: true, description: 'Within a minute.' })
  lastUsedAt!: string | null;
  @ApiProperty({ format: 'date-time' }) createdAt!: string;

  static from(entity: ApiKeyEntity, key?: string): ApiKeyResponse {
    return Object.assign(new ApiKeyResponse(), {
      id: entity.id,
      ...(key !== undefined && { key }),
      secretShown: key === undefined,
      name: entity.name,
      scopes: entity.scopes,
      serviceId: entity.serviceId,
      expiresAt: entity.expiresAt?.toISOString() ?? null,
      rateLimit: entity.rateLimit,
      lastUsedAt: entity.lastUsedAt?.toISOString() ?? null,
      createdAt: entity.createdAt.toISOString(),
    });
  }
}
