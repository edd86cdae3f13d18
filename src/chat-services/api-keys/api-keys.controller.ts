import { Body, Controller, Delete, Get, Header, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import { CallerOf, RequireScope, type Caller } from '../../access/caller.js';
import { ApiExamples, ApiFailures, ApiIdempotent, pageOf } from '../../common/http/api-docs.js';
import { CommandOf, type Command } from '../../common/http/command.js';
import type { Page } from '../../common/http/page.js';
import type { Reply } from '../../common/http/reply.js';
import { ApiKeyResponse, CreateApiKeyDto, ListApiKeysQuery } from './api-key.dto.js';
import { ApiKeysService } from './api-keys.service.js';

@ApiTags('API keys')
@ApiBearerAuth()
@RequireScope('admin', 'operator')
@Controller('v1/api-keys')
export class ApiKeysController {
  constructor(private readonly keys: ApiKeysService) {}

  @Post()
  @ApiOperation({
    operationId: 'createApiKey',
    summary: 'Make an API key; its secret is shown in this answer alone',
    description:
      'It has the scopes that are named, of which the caller must hold each; a key for another chat service is for operators. A repeat with the same `Idempotency-Key` is answered without the secret.',
  })
  @Header('cache-control', 'no-store')
  @ApiIdempotent()
  @ApiExamples(CreateApiKeyDto, {
    helpdesk: { name: 'helpdesk', scopes: ['conversations:write', 'tokens:mint'] },
    expiring: {
      name: 'reports',
      scopes: ['conversations:read'],
      expiresAt: '2099-12-31T23:59:59Z',
      rateLimit: 600,
    },
  })
  @ApiResponse({ status: 201, type: ApiKeyResponse })
  @ApiFailures(
    'validation_failed',
    'missing_scope',
    'not_found',
    'idempotency_in_progress',
    'idempotency_key_reused',
  )
  create(
    @CommandOf() command: Command,
    @CallerOf() caller: Caller,
    @Body() body: CreateApiKeyDto,
  ): Promise<Reply> {
    return this.keys.create(command, caller, body);
  }

  @Get()
  @ApiOperation({
    operationId: 'listApiKeys',
    summary: 'List the API keys that are not revoked, newest first',
    description: 'Without their secrets, which are stored nowhere.',
  })
  @ApiResponse({ status: 200, type: pageOf(ApiKeyResponse) })
  @ApiFailures('validation_failed', 'missing_scope', 'not_found')
  async list(@CallerOf() caller: Caller, @Query() query: ListApiKeysQuery): Promise<Page<ApiKeyResponse>> {
    const page = await this.keys.list(caller, query);
    return { ...page, data: page.data.map((entity) => ApiKeyResponse.from(entity)) };
  }

  @Delete(':id')
  @HttpCode(204)
  @ApiOperation({
    operationId: 'revokeApiKey',
    summary: 'Revoke an API key, everywhere within a second',
    description:
      'Replicas refuse it within half a second. A key may revoke itself. It is not there any more after that: a second time is `404`.',
  })
  @ApiResponse({ status: 204 })
  @ApiFailures('missing_scope', 'not_found')
  revoke(@CallerOf() caller: Caller, @Param('id') id: string): Promise<void> {
    return this.keys.revoke(caller, id);
  }
}
