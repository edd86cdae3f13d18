import { Controller, Get, Param, Query } from '@nestjs/common';
import {
  ApiBearerAuth,
  ApiExtraModels,
  ApiOperation,
  ApiResponse,
  ApiTags,
  getSchemaPath,
} from '@nestjs/swagger';
import { CallerOf, RequireScope, type Caller } from '../../access/caller.js';
import { ApiFailures } from '../../common/http/api-docs.js';
import type { Reply } from '../../common/http/reply.js';
import { READ_FAILURES } from '../command-docs.js';
import { TranscriptQuery, TranscriptResponse } from './transcript.dto.js';
import { TranscriptService } from './transcript.service.js';

@ApiTags('Messages')
@ApiBearerAuth()
@ApiExtraModels(TranscriptResponse)
@Controller('v1/conversations/:conversation/transcript')
export class TranscriptController {
  constructor(private readonly transcripts: TranscriptService) {}

  @Get()
  @RequireScope('messages:read')
  @ApiOperation({
    operationId: 'getTranscript',
    summary: 'All that was said, and by whom, as one file',
    description:
      'Streamed. When it cannot be read to its end, the connection is broken off; a text and a page that are whole say so in their last line.',
  })
  @ApiResponse({
    status: 200,
    description: 'An attachment.',
    content: {
      'application/json': { schema: { $ref: getSchemaPath(TranscriptResponse) } },
      'text/plain': { schema: { type: 'string' } },
      'text/html': { schema: { type: 'string' } },
    },
  })
  @ApiFailures('validation_failed', ...READ_FAILURES)
  write(
    @CallerOf() caller: Caller,
    @Param('conversation') conversation: string,
    @Query() { format }: TranscriptQuery,
  ): Promise<Reply> {
    return this.transcripts.write(caller, conversation, format);
  }
}
