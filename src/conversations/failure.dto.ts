import { ApiProperty } from '@nestjs/swagger';
import type { TwilioFailure } from '../common/errors/app-error.js';
import { ERROR_CATALOG, type ErrorCode } from '../common/errors/error-catalog.js';
import { TwilioFailureSchema } from '../common/http/api-docs.js';
import type { Failure } from './conversation.entity.js';

export class FailureSchema implements Failure {
  @ApiProperty({ enum: Object.keys(ERROR_CATALOG), enumName: 'ErrorCode' }) code!: ErrorCode;
  @ApiProperty() detail!: string;
  @ApiProperty({ type: TwilioFailureSchema, nullable: true }) twilio!: TwilioFailure | null;
}
