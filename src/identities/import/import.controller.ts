import { Controller, HttpCode, Post } from '@nestjs/common';
import {
  ApiBearerAuth,
  ApiBody,
  ApiConsumes,
  ApiExtraModels,
  ApiOperation,
  ApiResponse,
  ApiTags,
  getSchemaPath,
} from '@nestjs/swagger';
import { CallerOf, RequireScope, type Caller } from '../../access/caller.js';
import { ApiFailures } from '../../common/http/api-docs.js';
import type { Reply } from '../../common/http/reply.js';
import { NDJSON_TYPES, StreamsLines, UploadOf, type Upload } from '../../common/http/upload.js';
import { ImportedIdentityDto, ImportResult } from './import.dto.js';
import { ImportService } from './import.service.js';

@ApiTags('Identities')
@ApiBearerAuth()
@Controller('v1/identities/import')
export class ImportController {
  constructor(private readonly imports: ImportService) {}

  @Post()
  @HttpCode(200)
  @RequireScope('identities:write')
  @StreamsLines()
  @ApiOperation({
    operationId: 'importIdentities',
    summary: 'Make many people known, or change what is known: a line of JSON each',
    description:
      'Any number of lines, read as they come and answered as they are written, in their order: read the answer while you send. Each line is a JSON object as in the schema, on one line; empty ones are passed over. A line that fails stops no other one. Sending the same again is safe, and answers `unchanged`.',
  })
  @ApiConsumes(...NDJSON_TYPES)
  @ApiBody({
    type: ImportedIdentityDto,
    examples: {
      customer: {
        value: {
          kind: 'customer',
          externalId: 'cust-42',
          displayName: 'Bob',
          attributes: { segment: 'gold' },
        },
      },
      rename: { value: { externalId: 'cust-42', displayName: 'Robert' } },
    },
  })
  @ApiExtraModels(ImportResult)
  @ApiResponse({
    status: 200,
    description: 'A line for each line that is not empty, in their order.',
    content: { 'application/x-ndjson': { schema: { $ref: getSchemaPath(ImportResult) } } },
  })
  @ApiFailures('missing_scope', 'unsupported_media_type')
  import(@CallerOf() caller: Caller, @UploadOf() upload: Upload): Reply {
    return this.imports.import(caller, upload);
  }
}
