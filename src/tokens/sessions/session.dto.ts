import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Transform } from 'class-transformer';
import { IsBoolean, IsInt, IsString, Max, MaxLength, Min, MinLength } from 'class-validator';
import { PageQuery } from '../../common/http/page.js';
import { IfGiven } from '../../common/validation/text.js';
import { REFRESH_TOKEN_LENGTH } from './refresh-token.js';
import type { SessionEnd, TokenSessionEntity } from './token-session.entity.js';

/** The whole life of a session, in seconds: 5 minutes to 30 days. */
export const SESSION_TTL_SECONDS = { min: 300, max: 2_592_000, standard: 86_400 } as const;

export class NewSessionDto {
  @ApiPropertyOptional({
    type: 'integer',
    minimum: SESSION_TTL_SECONDS.min,
    maximum: SESSION_TTL_SECONDS.max,
    default: SESSION_TTL_SECONDS.standard,
    description: 'The whole life of the session in seconds. No refresh prolongs it.',
  })
  @IsInt()
  @Min(SESSION_TTL_SECONDS.min)
  @Max(SESSION_TTL_SECONDS.max)
  ttlSeconds: number = SESSION_TTL_SECONDS.standard;
}

export class RefreshTokenDto {
  @ApiProperty({
    maxLength: REFRESH_TOKEN_LENGTH,
    description: 'The newest of the session. It is good for one refresh, which answers the next.',
  })
  @IsString()
  @MinLength(1)
  @MaxLength(1024)
  refreshToken!: string;
}

/** What a client is given to keep its login up. */
export class SessionGrant {
  @ApiProperty({ format: 'uuid' }) id!: string;
  @ApiProperty({ example: 'cvr_…', description: 'For one refresh. Stored nowhere.' }) refreshToken!: string;
  @ApiProperty({ format: 'date-time', description: 'The end of the session, whatever happens.' })
  expiresAt!: string;
}

export class ListSessionsQuery extends PageQuery {
  @ApiPropertyOptional({
    type: 'boolean',
    default: false,
    description: 'Those that are over in place of those that are alive.',
  })
  @IfGiven()
  @Transform(({ value }: { value: unknown }) => (value === 'true' ? true : value === 'false' ? false : value))
  @IsBoolean()
  ended: boolean = false;
}

export class TokenSessionResponse implements Pick<
  TokenSessionEntity,
  'id' | 'identityId' | 'conversationId' | 'ttlSeconds'
> {
  @ApiProperty({ format: 'uuid' }) id!: string;
  @ApiProperty({ format: 'uuid' }) identityId!: string;
  @ApiProperty({ type: String, format: 'uuid', nullable: true, description: 'What it is bound to.' })
  conversationId!: string | null;
  @ApiProperty({ type: 'integer', description: 'Life of each access token in seconds.' }) ttlSeconds!: number;
  @ApiProperty({ format: 'date-time' }) createdAt!: string;
  @ApiProperty({ type: String, format: 'date-time', nullable: true }) refreshedAt!: string | null;
  @ApiProperty({ format: 'date-time' }) expiresAt!: string;
  @ApiProperty({ type: String, format: 'date-time', nullable: true, description: 'Ended before its time.' })
  endedAt!: string | null;
  @ApiProperty({
    type: String,
    enum: ['revoked', 'reused', 'displaced', null],
    nullable: true,
    description: 'Why: it was taken back, a used refresh token came again, or there were 50 newer ones.',
  })
  endReason!: SessionEnd | null;

  static from(entity: TokenSessionEntity): TokenSessionResponse {
    const { id, identityId, conversationId, ttlSeconds, endReason } = entity;
    return Object.assign(new TokenSessionResponse(), {
      id,
      identityId,
      conversationId,
      ttlSeconds,
      createdAt: entity.createdAt.toISOString(),
      refreshedAt: entity.refreshedAt?.toISOString() ?? null,
      expiresAt: entity.expiresAt.toISOString(),
      endedAt: entity.endedAt?.toISOString() ?? null,
      endReason,
    });
  }
}
