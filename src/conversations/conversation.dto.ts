import { ApiProperty, ApiPropertyOptional, PickType } from '@nestjs/swagger';
import { ArrayMaxSize, ArrayMinSize, IsArray, IsIn, IsOptional, IsUUID } from 'class-validator';
import { PageQuery } from '../common/http/page.js';
import { CLOSED_TIMER, INACTIVE_TIMER, IsTimer } from '../common/validation/duration.js';
import { IsNested } from '../common/validation/nested.js';
import { IfGiven, IsAttributes, IsExternalId, IsExternalRef, IsLine } from '../common/validation/text.js';
import { IsTimestamp } from '../common/validation/timestamp.js';
import type { IdentityEntity } from '../identities/identity.entity.js';
import {
  CONVERSATION_STATES,
  type ConversationEntity,
  type ConversationState,
  type Failure,
} from './conversation.entity.js';
import { FailureSchema } from './failure.dto.js';
import { SystemMessageDto } from './messages/message.dto.js';
import type { MessageEntity } from './messages/message.entity.js';
import { NewParticipantDto, ParticipantResponse } from './participants/participant.dto.js';
import type { ParticipantEntity } from './participants/participant.entity.js';

/** Bytes of serialised UTF-8. */
export const CONVERSATION_ATTRIBUTES_MAX = 16_384;
export const PARTICIPANTS_MAX = 50;

export class TimersDto {
  @ApiPropertyOptional({
    type: String,
    nullable: true,
    example: 'PT1H',
    description: 'PT1M or more; PT0S for none.',
  })
  @IsOptional()
  @IsTimer(INACTIVE_TIMER.minSeconds, INACTIVE_TIMER.text)
  inactive?: string | null;

  @ApiPropertyOptional({
    type: String,
    nullable: true,
    example: 'P1D',
    description: 'PT10M or more; PT0S for none.',
  })
  @IsOptional()
  @IsTimer(CLOSED_TIMER.minSeconds, CLOSED_TIMER.text)
  closed?: string | null;
}

export class ProvisionConversationDto {
  @ApiPropertyOptional({
    minLength: 1,
    maxLength: 255,
    example: 'case-4711',
    description: 'Your own id of the case.',
  })
  @IfGiven()
  @IsExternalRef()
  externalRef?: string;

  @ApiPropertyOptional({ type: String, nullable: true, maxLength: 256, example: 'Order 4711' })
  @IsOptional()
  @IsLine(256)
  friendlyName?: string | null;

  @ApiPropertyOptional({ type: 'object', additionalProperties: true, example: { crm: 'hubspot' } })
  @IfGiven()
  @IsAttributes(CONVERSATION_ATTRIBUTES_MAX)
  attributes?: Record<string, unknown>;

  @ApiProperty({
    type: [NewParticipantDto],
    minItems: 1,
    maxItems: PARTICIPANTS_MAX,
    example: [
      { kind: 'agent', externalId: 'agent-7', displayName: 'Ada', role: 'agent' },
      { kind: 'customer', externalId: 'cust-42', displayName: 'Bob' },
    ],
  })
  @IsArray()
  @ArrayMinSize(1)
  @ArrayMaxSize(PARTICIPANTS_MAX)
  @IsNested(() => NewParticipantDto, { each: true })
  participants!: NewParticipantDto[];

  @ApiPropertyOptional({ type: SystemMessageDto, description: 'The first message, by `system`.' })
  @IfGiven()
  @IsNested(() => SystemMessageDto)
  systemMessage?: SystemMessageDto;

  @ApiPropertyOptional({ type: TimersDto, description: 'Durations in days or smaller units.' })
  @IfGiven()
  @IsNested(() => TimersDto)
  timers?: TimersDto;
}

export class ListConversationsQuery extends PageQuery {
  @ApiPropertyOptional({ example: 'case-4711' })
  @IfGiven()
  @IsExternalRef()
  externalRef?: string;

  @ApiPropertyOptional({ enum: CONVERSATION_STATES, enumName: 'ConversationState' })
  @IfGiven()
  @IsIn(CONVERSATION_STATES)
  state?: ConversationState;

  @ApiPropertyOptional({ format: 'uuid', description: 'Of a participant.' })
  @IfGiven()
  @IsUUID()
  identityId?: string;

  @ApiPropertyOptional({ example: 'cust-42', description: 'Of a participant.' })
  @IfGiven()
  @IsExternalId()
  externalId?: string;

  @ApiPropertyOptional({ format: 'date-time', description: 'At this moment or later.' })
  @IfGiven()
  @IsTimestamp()
  createdAfter?: string;

  @ApiPropertyOptional({ format: 'date-time', description: 'Before this moment.' })
  @IfGiven()
  @IsTimestamp()
  createdBefore?: string;
}

export class ListConversationsOfIdentityQuery extends PickType(ListConversationsQuery, [
  'limit',
  'cursor',
  'state',
]) {}

export class SystemMessageResponse implements Pick<MessageEntity, 'id' | 'twilioSid' | 'body'> {
  @ApiProperty({ format: 'uuid' }) id!: string;
  @ApiProperty({ type: String, nullable: true, description: '`IM…`' }) twilioSid!: string | null;
  @ApiProperty() body!: string;
}

export class TimersResponse {
  @ApiProperty({ type: String, nullable: true, example: 'PT1H' }) inactive!: string | null;
  @ApiProperty({ type: String, nullable: true, example: 'P1D' }) closed!: string | null;
}

/** A participant, and the identity that it is linked to. */
export interface ViewedParticipant {
  participant: ParticipantEntity;
  identity: IdentityEntity | null;
}

/** All that one answer about a conversation is made of. */
export interface ConversationView {
  conversation: ConversationEntity;
  participants: readonly ViewedParticipant[];
  greeting: MessageEntity | null;
}

export class ConversationResponse implements Pick<
  ConversationEntity,
  'id' | 'twilioSid' | 'externalRef' | 'friendlyName' | 'state' | 'attributes' | 'failure'
> {
  @ApiProperty({ format: 'uuid' }) id!: string;
  @ApiProperty({ type: String, nullable: true, description: '`CH…`; null until Twilio has made it.' })
  twilioSid!: string | null;
  @ApiProperty({ type: String, nullable: true }) externalRef!: string | null;
  @ApiProperty({ type: String, nullable: true }) friendlyName!: string | null;
  @ApiProperty({ enum: CONVERSATION_STATES, enumName: 'ConversationState' }) state!: ConversationState;
  @ApiProperty({ type: 'object', additionalProperties: true }) attributes!: Record<string, unknown>;
  @ApiProperty({ type: TimersResponse, description: 'As they were asked for.' }) timers!: TimersResponse;
  @ApiProperty({ type: [ParticipantResponse] }) participants!: ParticipantResponse[];
  @ApiProperty({ type: SystemMessageResponse, nullable: true }) systemMessage!: SystemMessageResponse | null;
  @ApiProperty({ type: FailureSchema, nullable: true }) failure!: Failure | null;
  @ApiProperty({ format: 'date-time' }) createdAt!: string;
  @ApiProperty({ format: 'date-time' }) updatedAt!: string;

  static from({ conversation, participants, greeting }: ConversationView): ConversationResponse {
    const { id, twilioSid, externalRef, friendlyName, state, attributes, timers, failure } = conversation;
    const shown = participants.filter(
      ({ participant }) =>
        participant.state !== 'removed' && (state === 'failed' || participant.state !== 'failed'),
    );
    return Object.assign(new ConversationResponse(), {
      id,
      twilioSid,
      externalRef,
      friendlyName,
      state,
      attributes,
      timers: { inactive: timers.inactive ?? null, closed: timers.closed ?? null },
      participants: shown.map(({ participant, identity }) => ParticipantResponse.from(participant, identity)),
      systemMessage: greeting && { id: greeting.id, twilioSid: greeting.twilioSid, body: greeting.body },
      failure,
      createdAt: conversation.createdAt.toISOString(),
      updatedAt: conversation.updatedAt.toISOString(),
    });
  }
}
