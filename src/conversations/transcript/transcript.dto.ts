import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsIn } from 'class-validator';
import { PRESETS, type Preset } from '../../chat-services/presets.js';
import { IdentitySummary } from '../../identities/identity-summary.dto.js';
import {
  CONVERSATION_STATES,
  type ConversationEntity,
  type ConversationState,
} from '../conversation.entity.js';
import type { ViewedParticipant } from '../conversation.dto.js';
import { MessageAuthor, MessageResponse } from '../messages/message.dto.js';
import type { ParticipantEntity } from '../participants/participant.entity.js';
import type { UpstreamMessage } from '../../twilio/twilio.types.js';
import type { IdentityEntity } from '../../identities/identity.entity.js';

export const TRANSCRIPT_FORMATS = ['json', 'text', 'html'] as const;
export type TranscriptFormatName = (typeof TRANSCRIPT_FORMATS)[number];

export class TranscriptQuery {
  @ApiPropertyOptional({ enum: TRANSCRIPT_FORMATS, default: 'json' })
  @IsIn(TRANSCRIPT_FORMATS)
  format: TranscriptFormatName = 'json';
}

export class TranscriptConversation implements Pick<
  ConversationEntity,
  'id' | 'twilioSid' | 'externalRef' | 'friendlyName' | 'state'
> {
  @ApiProperty({ format: 'uuid' }) id!: string;
  @ApiProperty({ type: String, nullable: true, description: '`CH…`' }) twilioSid!: string | null;
  @ApiProperty({ type: String, nullable: true }) externalRef!: string | null;
  @ApiProperty({ type: String, nullable: true }) friendlyName!: string | null;
  @ApiProperty({ enum: CONVERSATION_STATES, enumName: 'ConversationState' }) state!: ConversationState;
  @ApiProperty({ format: 'date-time' }) createdAt!: string;

  static from(conversation: ConversationEntity): TranscriptConversation {
    const { id, twilioSid, externalRef, friendlyName, state, createdAt } = conversation;
    return Object.assign(new TranscriptConversation(), {
      id,
      twilioSid,
      externalRef,
      friendlyName,
      state,
      createdAt: createdAt.toISOString(),
    });
  }
}

/** Somebody who is or was in the conversation. */
export class TranscriptParticipant implements Pick<ParticipantEntity, 'id' | 'kind' | 'role' | 'address'> {
  @ApiProperty({ format: 'uuid' }) id!: string;
  @ApiProperty({ enum: PRESETS, enumName: 'IdentityKind' }) kind!: Preset;
  @ApiProperty({ type: String, nullable: true }) role!: string | null;
  @ApiProperty({ type: IdentitySummary, nullable: true }) identity!: IdentitySummary | null;
  @ApiProperty({ type: String, nullable: true, description: 'Null also for one who was erased.' })
  address!: string | null;
  @ApiProperty({ description: 'The person was erased.' }) erased!: boolean;
  @ApiProperty({
    format: 'date-time',
    description: 'As Twilio has it; of one who has left, when he was asked for.',
  })
  joinedAt!: string;
  @ApiProperty({ type: String, format: 'date-time', nullable: true }) leftAt!: string | null;

  /** `joined` is when Twilio let him in, where it still says so. */
  static from({ participant, identity }: ViewedParticipant, joined: Date | undefined): TranscriptParticipant {
    const { id, kind, role, address, state, createdAt, updatedAt } = participant;
    const erased = identity?.status === 'erased';
    return Object.assign(new TranscriptParticipant(), {
      id,
      kind,
      role,
      identity: identity && IdentitySummary.from(identity),
      address: erased ? null : address,
      erased,
      joinedAt: (joined ?? createdAt).toISOString(),
      leftAt: state === 'removed' ? updatedAt.toISOString() : null,
    });
  }
}

/** Who said something, as far as we know. */
export interface Author {
  kind: Preset | null;
  identity: IdentityEntity | null;
  /** Null for somebody who chats. */
  address: string | null;
}

export class TranscriptAuthor extends MessageAuthor {
  @ApiProperty({ enum: PRESETS, enumName: 'IdentityKind', nullable: true, description: 'Where it is known.' })
  kind!: Preset | null;
  @ApiProperty({ description: 'The person was erased.' }) erased!: boolean;

  static from({ kind, identity, address }: Author): TranscriptAuthor {
    const erased = identity?.status === 'erased';
    return Object.assign(new TranscriptAuthor(), {
      type: address === null ? ('identity' as const) : ('address' as const),
      ...(address !== null && !erased && { address }),
      ...(identity && { identity: IdentitySummary.from(identity) }),
      kind,
      erased,
    });
  }

  /** Whom Twilio does not name any more. */
  static erased(): TranscriptAuthor {
    return Object.assign(new TranscriptAuthor(), { type: 'identity' as const, kind: null, erased: true });
  }

  static system(): TranscriptAuthor {
    return Object.assign(new TranscriptAuthor(), { type: 'system' as const, kind: null, erased: false });
  }
}

export class TranscriptMessage extends MessageResponse {
  @ApiProperty({ type: TranscriptAuthor }) override author!: TranscriptAuthor;

  static by(message: UpstreamMessage, author: TranscriptAuthor): TranscriptMessage {
    return Object.assign(new TranscriptMessage(), MessageResponse.from(message, []), { author });
  }
}

/** What stands in a transcript before its messages. */
export interface TranscriptHead {
  conversation: TranscriptConversation;
  participants: TranscriptParticipant[];
}

export class TranscriptResponse implements TranscriptHead {
  @ApiProperty({ type: TranscriptConversation }) conversation!: TranscriptConversation;
  @ApiProperty({ type: [TranscriptParticipant], description: 'All who are or were in it.' })
  participants!: TranscriptParticipant[];
  @ApiProperty({ type: [TranscriptMessage], description: 'Oldest first.' }) messages!: TranscriptMessage[];
}
