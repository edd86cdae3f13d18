import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsIn, IsOptional, Matches } from 'class-validator';
import { PageQuery } from '../../common/http/page.js';
import { IfGiven, IsAttributes, IsLine, IsMessageBody } from '../../common/validation/text.js';
import { IdentitySummary } from '../../identities/identity-summary.dto.js';
import type { UpstreamMessage } from '../../twilio/twilio.types.js';
import type { ViewedParticipant } from '../conversation.dto.js';
import {
  messageIdOf,
  RESERVED_ATTRIBUTE,
  splitAttributes,
  type MessageEntity,
  type MessageState,
} from './message.entity.js';

/** Bytes of serialised UTF-8. */
export const MESSAGE_ATTRIBUTES_MAX = 3840;

export class SystemMessageDto {
  @ApiProperty({
    example: 'Ada will be with you shortly.',
    description: 'At most 32,768 bytes; 1,600 characters by SMS.',
  })
  @IsMessageBody()
  body!: string;

  @ApiPropertyOptional({ type: 'object', additionalProperties: true, example: {} })
  @IfGiven()
  @IsAttributes(MESSAGE_ATTRIBUTES_MAX, [RESERVED_ATTRIBUTE])
  attributes?: Record<string, unknown>;
}

export class CreateMessageDto extends SystemMessageDto {
  @ApiProperty({
    example: 'agent-7',
    description: 'A participant: by id, MB…, or the externalId of its identity.',
  })
  @IsLine(255)
  author!: string;

  @ApiPropertyOptional({
    example: 'ME0123456789abcdef0123456789abcdef',
    description: 'Media uploaded to Twilio.',
  })
  @IfGiven()
  @Matches(/^ME[0-9a-fA-F]{32}$/, { message: 'must be ME and 32 hexadecimal digits' })
  mediaSid?: string;
}

export class UpdateMessageDto {
  @ApiPropertyOptional({ example: 'Ada will be with you in a minute.' })
  @IfGiven()
  @IsMessageBody()
  body?: string;

  @ApiPropertyOptional({
    type: 'object',
    additionalProperties: true,
    nullable: true,
    example: { seen: true },
  })
  @IsOptional()
  @IsAttributes(MESSAGE_ATTRIBUTES_MAX, [RESERVED_ATTRIBUTE])
  attributes?: Record<string, unknown> | null;

  @ApiPropertyOptional({
    description: 'The participant who changes it, whose role is checked; left out: the system.',
  })
  @IfGiven()
  @IsLine(255)
  actor?: string;
}

export class DeleteMessageQuery {
  @ApiPropertyOptional({
    description: 'The participant who deletes it, whose role is checked; left out: the system.',
  })
  @IfGiven()
  @IsLine(255)
  actor?: string;
}

export class ListMessagesQuery extends PageQuery {
  @ApiPropertyOptional({ enum: ['asc', 'desc'], default: 'asc' })
  @IsIn(['asc', 'desc'])
  order: 'asc' | 'desc' = 'asc';
}

export class MessageAuthor {
  @ApiProperty({ enum: ['identity', 'address', 'system'] }) type!: 'identity' | 'address' | 'system';
  @ApiPropertyOptional({ type: IdentitySummary }) identity?: IdentitySummary;
  @ApiPropertyOptional({ example: '+15551230000' }) address?: string;

  /** Of somebody who is or was in the conversation; `author` is what Twilio has. */
  static of(author: string | null, people: readonly ViewedParticipant[]): MessageAuthor {
    if (author === null || author === 'system') return { type: 'system' };
    const by = people.find(
      ({ participant, identity }) =>
        participant.address === author ||
        (participant.address === null && identity?.twilioIdentity === author),
    );
    if (by) return MessageAuthor.ofParticipant(by);
    return /^(\w+:)?\+\d+$/.test(author) ? { type: 'address', address: author } : { type: 'identity' };
  }

  static ofParticipant({ participant, identity }: ViewedParticipant): MessageAuthor {
    const named = identity ? { identity: IdentitySummary.from(identity) } : {};
    if (participant.address !== null) return { type: 'address', address: participant.address, ...named };
    return { type: 'identity', ...named };
  }
}

export class MessageMedia {
  @ApiProperty({ example: 'ME0123456789abcdef0123456789abcdef' }) sid!: string;
  @ApiProperty({ type: String, nullable: true }) contentType!: string | null;
  @ApiProperty({ type: String, nullable: true }) filename!: string | null;
  @ApiProperty({ type: 'integer', nullable: true, description: 'Bytes.' }) size!: number | null;

  /** Of which nothing is known until Twilio has taken the message. */
  static unseen(sid: string): MessageMedia {
    return Object.assign(new MessageMedia(), { sid, contentType: null, filename: null, size: null });
  }
}

const AMOUNTS = ['none', 'some', 'all'] as const;
type Amount = (typeof AMOUNTS)[number];

/** How far a message has come to those who are reached at an address. */
export class MessageDelivery {
  @ApiProperty({ type: 'integer' }) total!: number;
  @ApiProperty({ enum: AMOUNTS, enumName: 'DeliveryAmount' }) sent!: Amount;
  @ApiProperty({ enum: AMOUNTS, enumName: 'DeliveryAmount' }) delivered!: Amount;
  @ApiProperty({ enum: AMOUNTS, enumName: 'DeliveryAmount' }) read!: Amount;
  @ApiProperty({ enum: AMOUNTS, enumName: 'DeliveryAmount' }) failed!: Amount;
  @ApiProperty({ enum: AMOUNTS, enumName: 'DeliveryAmount' }) undelivered!: Amount;
}

export class MessageResponse {
  @ApiProperty({
    type: String,
    format: 'uuid',
    nullable: true,
    description: 'Null when it did not come through Convoke.',
  })
  id!: string | null;
  @ApiProperty({ type: String, nullable: true, description: '`IM…`' }) twilioSid!: string | null;
  @ApiProperty({ enum: ['sending', 'sent', 'failed'], enumName: 'MessageState' }) state!: MessageState;
  @ApiProperty({ type: 'integer', nullable: true, description: 'Grows within the conversation, with gaps.' })
  index!: number | null;
  @ApiProperty({ type: MessageAuthor }) author!: MessageAuthor;
  @ApiProperty({ type: String, nullable: true }) body!: string | null;
  @ApiProperty({ type: 'object', additionalProperties: true }) attributes!: Record<string, unknown>;
  @ApiProperty({ type: [MessageMedia] }) media!: MessageMedia[];
  @ApiProperty({ type: MessageDelivery, nullable: true }) delivery!: MessageDelivery | null;
  @ApiProperty({ format: 'date-time' }) createdAt!: string;
  @ApiProperty({ format: 'date-time' }) updatedAt!: string;

  /** As Twilio has it. */
  static from(message: UpstreamMessage, people: readonly ViewedParticipant[]): MessageResponse {
    return Object.assign(new MessageResponse(), {
      id: messageIdOf(message),
      twilioSid: message.sid,
      state: 'sent',
      index: message.index,
      author: MessageAuthor.of(message.author, people),
      body: message.body,
      attributes: splitAttributes(message.attributes).shown,
      media: message.media,
      delivery: message.delivery,
      createdAt: message.dateCreated.toISOString(),
      updatedAt: message.dateUpdated.toISOString(),
    });
  }

  /** As it waits to be sent, or was refused. */
  static fromRow(row: MessageEntity, author: ViewedParticipant | null): MessageResponse {
    return Object.assign(new MessageResponse(), {
      id: row.id,
      twilioSid: row.twilioSid,
      state: row.state,
      index: row.index,
      author: author ? MessageAuthor.ofParticipant(author) : { type: 'system' },
      body: row.body,
      attributes: row.attributes,
      media: row.mediaSid === null ? [] : [MessageMedia.unseen(row.mediaSid)],
      delivery: null,
      createdAt: row.createdAt.toISOString(),
      updatedAt: row.updatedAt.toISOString(),
    });
  }
}
