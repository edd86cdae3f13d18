import { IsNested } from '../common/validation/nested.js';
import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsDefined, IsIn, IsOptional } from 'class-validator';
import { IfGiven, IsAttributes, IsLine } from '../common/validation/text.js';
import { CONVERSATION_ATTRIBUTES_MAX, TimersDto } from './conversation.dto.js';
import { SystemMessageDto } from './messages/message.dto.js';
import { NewParticipantDto } from './participants/participant.dto.js';

export const WANTED_STATES = ['active', 'inactive', 'closed'] as const;

export class UpdateConversationDto {
  @ApiPropertyOptional({ type: String, nullable: true, maxLength: 256, example: 'Order 4711, second parcel' })
  @IsOptional()
  @IsLine(256)
  friendlyName?: string | null;

  @ApiPropertyOptional({
    type: 'object',
    additionalProperties: true,
    nullable: true,
    example: { crm: 'hubspot' },
  })
  @IsOptional()
  @IsAttributes(CONVERSATION_ATTRIBUTES_MAX)
  attributes?: Record<string, unknown> | null;

  @ApiPropertyOptional({
    type: TimersDto,
    nullable: true,
    description: 'Replaced whole; null turns both off.',
  })
  @IsOptional()
  @IsNested(() => TimersDto)
  timers?: TimersDto | null;

  @ApiPropertyOptional({ enum: WANTED_STATES, description: 'Closed is final.' })
  @IfGiven()
  @IsIn(WANTED_STATES)
  state?: (typeof WANTED_STATES)[number];
}

export class CloseConversationDto {
  @ApiPropertyOptional({ type: SystemMessageDto, description: 'A last word, said before it is closed.' })
  @IfGiven()
  @IsNested(() => SystemMessageDto)
  systemMessage?: SystemMessageDto;
}

export class TransferConversationDto {
  @ApiProperty({
    example: 'agent-7',
    description: 'Who leaves: by id, MB…, or the externalId of its identity.',
  })
  @IsLine(255)
  from!: string;

  @ApiProperty({
    type: NewParticipantDto,
    example: { kind: 'agent', externalId: 'agent-8', displayName: 'Grace' },
    description: 'Who takes over; the role is that of `from` unless another is asked for.',
  })
  @IsDefined()
  @IsNested(() => NewParticipantDto)
  to!: NewParticipantDto;

  @ApiPropertyOptional({ type: SystemMessageDto, description: 'Said when `to` is in and `from` still is.' })
  @IfGiven()
  @IsNested(() => SystemMessageDto)
  systemMessage?: SystemMessageDto;
}
