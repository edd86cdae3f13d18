import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsBoolean, IsObject, IsOptional, Matches } from 'class-validator';
import { CLOSED_TIMER, INACTIVE_TIMER, IsTimer } from '../common/validation/duration.js';
import { IsNested } from '../common/validation/nested.js';
import { IfGiven, IsLine } from '../common/validation/text.js';
import type { ChatServiceEntity, TokenExchange } from './chat-service.entity.js';
import { shownName } from './twilio-name.js';

export class CreateChatServiceDto {
  @ApiPropertyOptional({
    maxLength: 200,
    example: 'Support',
    description: 'Of a chat service that is to be made.',
  })
  @IfGiven()
  @IsLine(200)
  friendlyName?: string;

  @ApiPropertyOptional({
    example: 'IS0123456789abcdef0123456789abcdef',
    description: 'One that exists: it is adopted.',
  })
  @IfGiven()
  @Matches(/^IS[0-9a-fA-F]{32}$/, { message: 'must be IS and 32 hexadecimal digits' })
  twilioSid?: string;
}

export class DefaultTimersDto {
  @ApiPropertyOptional({ type: String, nullable: true, example: 'PT1H' })
  @IsOptional()
  @IsTimer(INACTIVE_TIMER.minSeconds, INACTIVE_TIMER.text)
  inactive?: string | null;

  @ApiPropertyOptional({ type: String, nullable: true, example: 'P1D' })
  @IsOptional()
  @IsTimer(CLOSED_TIMER.minSeconds, CLOSED_TIMER.text)
  closed?: string | null;
}

export class TokenExchangeDto implements TokenExchange {
  @ApiProperty({ maxLength: 2048, example: 'https://login.example.com', description: '`iss` of the tokens.' })
  @IsLine(2048)
  issuer!: string;

  @ApiProperty({
    maxLength: 2048,
    example: 'support-chat',
    description: '`aud` of the tokens, or one of them.',
  })
  @IsLine(2048)
  audience!: string;

  @ApiProperty({
    maxLength: 2048,
    example: 'https://login.example.com/.well-known/jwks.json',
    description:
      'Where the keys are: an https URL of a public host; other hosts are those of JWKS_ALLOWED_PRIVATE_HOSTS.',
  })
  @IsLine(2048)
  jwksUrl!: string;

  @ApiPropertyOptional({
    maxLength: 255,
    default: 'sub',
    example: 'sub',
    description: 'The claim that holds the person’s `externalId`.',
  })
  @IsLine(255)
  externalIdClaim: string = 'sub';

  @ApiPropertyOptional({
    type: Boolean,
    default: false,
    example: false,
    description: 'Whether somebody who is not known yet is made known, as a customer.',
  })
  @IsBoolean()
  createIdentities: boolean = false;
}

export class UpdateChatServiceDto {
  @ApiPropertyOptional({
    example: true,
    description:
      'Whether Twilio is told the names of people, as the friendly names of their Users. That is done in the background, and undone when it is turned off.',
  })
  @IfGiven()
  @IsBoolean()
  shareDisplayNames?: boolean;

  @ApiPropertyOptional({
    type: DefaultTimersDto,
    nullable: true,
    description: 'Timers of conversations that are provisioned without their own. Null clears them.',
  })
  @IsOptional()
  @IsObject()
  @IsNested(() => DefaultTimersDto)
  defaultTimers?: DefaultTimersDto | null;

  @ApiPropertyOptional({
    type: TokenExchangeDto,
    nullable: true,
    description: 'Whose tokens are taken for logins. It is replaced whole; null: nobody’s are.',
  })
  @IsOptional()
  @IsObject()
  @IsNested(() => TokenExchangeDto)
  tokenExchange?: TokenExchangeDto | null;
}

export class DefaultTimersResponse {
  @ApiProperty({ type: String, nullable: true, example: 'PT1H' }) inactive!: string | null;
  @ApiProperty({ type: String, nullable: true, example: 'P1D' }) closed!: string | null;
}

/** As it was set, and what follows where something was left out. */
export class TokenExchangeResponse implements TokenExchange {
  @ApiProperty({ example: 'https://login.example.com' }) issuer!: string;
  @ApiProperty({ example: 'support-chat' }) audience!: string;
  @ApiProperty({ example: 'https://login.example.com/.well-known/jwks.json' }) jwksUrl!: string;
  @ApiProperty({ example: 'sub' }) externalIdClaim!: string;
  @ApiProperty() createIdentities!: boolean;
}

export class ChatServiceResponse implements Pick<
  ChatServiceEntity,
  'id' | 'twilioSid' | 'shareDisplayNames'
> {
  @ApiProperty({ format: 'uuid' }) id!: string;
  @ApiProperty({ type: String, nullable: true, description: '`IS…`; null until Twilio has made it.' })
  twilioSid!: string | null;
  @ApiProperty({ type: String, nullable: true }) friendlyName!: string | null;
  @ApiProperty({ description: 'Whether Twilio is told the names of people.' }) shareDisplayNames!: boolean;
  @ApiProperty({ type: DefaultTimersResponse, nullable: true })
  defaultTimers!: DefaultTimersResponse | null;
  @ApiProperty({ type: TokenExchangeResponse, nullable: true }) tokenExchange!: TokenExchange | null;
  @ApiProperty({ format: 'date-time' }) createdAt!: string;
  @ApiProperty({ format: 'date-time' }) updatedAt!: string;

  static from(entity: ChatServiceEntity): ChatServiceResponse {
    return Object.assign(new ChatServiceResponse(), {
      id: entity.id,
      twilioSid: entity.twilioSid,
      friendlyName: entity.friendlyName === null ? null : shownName(entity.friendlyName),
      shareDisplayNames: entity.shareDisplayNames,
      // In one order of keys, whatever the store makes of it: the ETag is over the text.
      defaultTimers: entity.defaultTimers && {
        inactive: entity.defaultTimers.inactive,
        closed: entity.defaultTimers.closed,
      },
      tokenExchange: entity.tokenExchange && inOrder(entity.tokenExchange),
      createdAt: entity.createdAt.toISOString(),
      updatedAt: entity.updatedAt.toISOString(),
    });
  }
}

function inOrder(exchange: TokenExchange): TokenExchange {
  const { issuer, audience, jwksUrl, externalIdClaim, createIdentities } = exchange;
  return { issuer, audience, jwksUrl, externalIdClaim, createIdentities };
}
