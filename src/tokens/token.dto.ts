import { IsNested } from '../common/validation/nested.js';
import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsInt, IsObject, IsUUID, Matches, Max, Min } from 'class-validator';
import { IfGiven, isExternalId } from '../common/validation/text.js';
import { Rule } from '../common/validation/rule.js';
import { IdentitySummary } from '../identities/identity-summary.dto.js';
import { TOKEN_TTL_SECONDS } from '../twilio/access-tokens.js';
import { NewSessionDto, SessionGrant } from './sessions/session.dto.js';

/** What may be asked of any new token. */
export class TokenOptionsDto {
  @ApiPropertyOptional({
    type: 'integer',
    minimum: TOKEN_TTL_SECONDS.min,
    maximum: TOKEN_TTL_SECONDS.max,
    default: 3600,
    description: 'Life of the token in seconds.',
  })
  @IsInt()
  @Min(TOKEN_TTL_SECONDS.min)
  @Max(TOKEN_TTL_SECONDS.max)
  ttlSeconds: number = 3600;

  @ApiPropertyOptional({
    type: NewSessionDto,
    description: 'Asks for a session: a refresh token, with which the browser gets the next access token.',
  })
  @IfGiven()
  @IsObject()
  @IsNested(() => NewSessionDto)
  session?: NewSessionDto;
}

export class MintTokenDto extends TokenOptionsDto {
  @ApiPropertyOptional({ format: 'uuid', description: 'Whose token it is to be.' })
  @IfGiven()
  @IsUUID()
  identityId?: string;

  @ApiPropertyOptional({
    example: 'cust-42',
    description: 'The same by your own id. One of the two is given.',
  })
  @Rule<MintTokenDto>(
    'exactlyOne',
    ({ identityId, externalId }) => (identityId === undefined) !== (externalId === undefined),
    'give either identityId or externalId',
  )
  @Rule<MintTokenDto>(
    'isExternalId',
    ({ externalId }) => externalId === undefined || isExternalId(externalId),
    'is not an externalId',
  )
  externalId?: string;

  @ApiPropertyOptional({
    description: 'Refused unless the identity is in this conversation, and it is open. Id or CH….',
  })
  @IfGiven()
  @Matches(/^(CH[0-9a-fA-F]{32}|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})$/, {
    message: 'must be the id or the CH… of a conversation',
  })
  conversationId?: string;

  @ApiPropertyOptional({ example: 'CR0123456789abcdef0123456789abcdef' })
  @IfGiven()
  @Matches(/^CR[0-9a-fA-F]{32}$/, { message: 'must be CR and 32 hexadecimal digits' })
  pushCredentialSid?: string;
}

export class TokenResponse {
  @ApiProperty({ description: 'A JWT for Twilio’s client SDKs.' }) token!: string;
  @ApiProperty({ enum: ['twilio-access-token'] }) tokenType!: 'twilio-access-token';
  @ApiProperty({ type: IdentitySummary }) identity!: IdentitySummary;
  @ApiProperty({ example: 'IS0123456789abcdef0123456789abcdef' }) chatServiceSid!: string;
  @ApiProperty({ format: 'date-time' }) expiresAt!: string;
  @ApiProperty({ format: 'date-time', description: 'Early enough for a clock that is 60 seconds off.' })
  refreshAfter!: string;
  @ApiProperty({ type: SessionGrant, nullable: true, description: 'Null unless one was asked for.' })
  session!: SessionGrant | null;
}
