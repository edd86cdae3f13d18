import { Controller, Delete, Get, HttpCode, Param, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiParam, ApiResponse, ApiTags } from '@nestjs/swagger';
import { CallerOf, RequireScope, type Caller } from '../../access/caller.js';
import { ApiFailures, pageOf, READ_THROUGH_FAILURES } from '../../common/http/api-docs.js';
import type { Page } from '../../common/http/page.js';
import { ListSessionsQuery, TokenSessionResponse } from './session.dto.js';
import { SessionsService } from './sessions.service.js';

@ApiTags('Tokens')
@ApiBearerAuth()
@RequireScope('tokens:mint')
@Controller('v1')
export class SessionsController {
  constructor(private readonly sessions: SessionsService) {}

  @Get('identities/:identity/token-sessions')
  @ApiParam({ name: 'identity', description: 'Our id, or its `US…`.' })
  @ApiOperation({
    operationId: 'listTokenSessions',
    summary: 'List the token sessions of a person that are alive, newest first',
    description:
      'Sessions are made by `POST /v1/tokens` and `POST /v1/tokens/exchange` where they ask for one.',
  })
  @ApiResponse({ status: 200, type: pageOf(TokenSessionResponse) })
  @ApiFailures('validation_failed', 'missing_scope', 'not_found', ...READ_THROUGH_FAILURES)
  list(
    @CallerOf() caller: Caller,
    @Param('identity') identity: string,
    @Query() query: ListSessionsQuery,
  ): Promise<Page<TokenSessionResponse>> {
    return this.sessions.list(caller, identity, query);
  }

  @Delete('identities/:identity/token-sessions')
  @HttpCode(204)
  @ApiParam({ name: 'identity', description: 'Our id, or its `US…`.' })
  @ApiOperation({
    operationId: 'revokeTokenSessions',
    summary: 'Revoke all token sessions of a person, at once',
    description: 'Nothing is refreshed any more; an access token that is out lives to its expiry.',
  })
  @ApiResponse({ status: 204 })
  @ApiFailures('missing_scope', 'not_found', ...READ_THROUGH_FAILURES)
  revokeAll(@CallerOf() caller: Caller, @Param('identity') identity: string): Promise<void> {
    return this.sessions.revokeAll(caller, identity);
  }

  @Delete('token-sessions/:id')
  @HttpCode(204)
  @ApiOperation({
    operationId: 'revokeTokenSession',
    summary: 'Revoke a token session, at once',
    description: 'Nothing is refreshed any more; an access token that is out lives to its expiry.',
  })
  @ApiResponse({ status: 204 })
  @ApiFailures('missing_scope', 'not_found')
  revoke(@CallerOf() caller: Caller, @Param('id') id: string): Promise<void> {
    return this.sessions.revoke(caller, id);
  }
}
