import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import { IsOptional, Matches, ValidateNested } from 'class-validator';
import { CLOSED_TIMER, INACTIVE_TIMER, IsTimer } from '../common/validation/duration.js';
import { IfGiven, IsLine } from '../common/validation/text.js';
import type { ChatServiceEntity } from './chat-service.entity.js';
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

export class UpdateChatServiceDto {
  @ApiPropertyOptional({
    type: DefaultTimersDto,
    nullable: true,
    description: 'Timers of conversations that are provisioned without their own. Null clears them.',
  })
  @IsOptional()
  @ValidateNested()
  @Type(() => DefaultTimersDto)
  defaultTimers?: DefaultTimersDto | null;
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
  @ApiProperty({ type: DefaultTimersDto, nullable: true })
  defaultTimers!: { inactive: string | null; closed: string | null } | null;
  @ApiProperty({ type: 'object', additionalProperties: true, nullable: true }) tokenExchange!: object | null;
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
      tokenExchange: entity.tokenExchange,
      createdAt: entity.createdAt.toISOString(),
      updatedAt: entity.updatedAt.toISOString(),
    });
  }
}
