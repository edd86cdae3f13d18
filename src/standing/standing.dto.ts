import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsIn } from 'class-validator';
import { IfGiven } from '../common/validation/text.js';

export const ERASED_MESSAGES = ['keep', 'delete'] as const;

export class EraseIdentityDto {
  @ApiPropertyOptional({
    enum: ERASED_MESSAGES,
    default: 'keep',
    description:
      '`keep`: the person’s own messages lose author and body; those in closed conversations stay as they are, and are listed. `delete`: they are deleted, and a closed conversation that holds any, or an address of the person, is deleted whole.',
  })
  @IfGiven()
  @IsIn(ERASED_MESSAGES)
  messages: (typeof ERASED_MESSAGES)[number] = 'keep';
}

export class ErasedItem {
  @ApiProperty({
    example: 'messages',
    description:
      '`identity`, `user` (at Twilio), `participants`, `messages` (at Twilio), `messageCopies` (ours), `conversations` (closed ones, deleted), `answers` (stored for an Idempotency-Key); `kept: <path>` for what stays at Twilio.',
  })
  where!: string;

  @ApiProperty({ type: 'integer', example: 12 }) count!: number;
}

/** Proof of an erasure. Kept, and answered again to every repeat. */
export class ErasureReceipt {
  @ApiProperty({ format: 'uuid' }) identityId!: string;
  @ApiProperty({ format: 'date-time' }) erasedAt!: string;
  @ApiProperty({ type: [ErasedItem] }) items!: ErasedItem[];
  @ApiProperty({
    pattern: '^[0-9a-f]{64}$',
    example: 'b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9',
    description:
      'SHA-256 of the rest of the receipt as JSON, with its keys in order and without white space: nothing of the person is in it.',
  })
  hash!: string;
}
