import { ApiProperty } from '@nestjs/swagger';

export class OpenWishResponse {
  @ApiProperty({ example: 'provision', description: 'What was asked for.' }) kind!: string;
  @ApiProperty({ format: 'date-time' }) since!: string;
}

/** One row that is not yet as it is wanted. */
export class UnsettledResponse {
  @ApiProperty({ enum: ['conversation', 'identity', 'chat_service'] }) resource!: string;
  @ApiProperty({ format: 'uuid' }) id!: string;
  @ApiProperty({ format: 'date-time', description: 'Since when it is behind.' }) since!: string;
  @ApiProperty({ type: 'integer', description: 'Tries that failed since it was last given up.' })
  attempts!: number;
  @ApiProperty({
    type: String,
    nullable: true,
    example: 'twilio_unknown_20503',
    description:
      'Why the last try failed: `twilio_<kind>_<code>`, `upstream_auth_failed`, `not_ready`, `internal_error`.',
  })
  reason!: string | null;
  @ApiProperty({ description: 'A replica is working on it.' }) inProgress!: boolean;
  @ApiProperty({
    type: String,
    format: 'date-time',
    nullable: true,
    description: 'Null while it is worked on.',
  })
  nextTryAt!: string | null;
  @ApiProperty({
    type: [OpenWishResponse],
    description: 'What is open, in the order in which it was accepted.',
  })
  wishes!: OpenWishResponse[];
}
