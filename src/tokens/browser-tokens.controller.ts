import { Body, Controller, Header, HttpCode, Post, UseGuards } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import { Public } from '../access/caller.js';
import { ApiExamples, ApiFailures } from '../common/http/api-docs.js';
import { LogFactsOf, type LogFacts } from '../common/http/request-facts.js';
import { BrowserLimitsGuard } from './browser-limits.guard.js';
import { ExchangeTokenDto } from './exchange/exchange.dto.js';
import { ExchangeService } from './exchange/exchange.service.js';
import { LoginOf } from './exchange/login.js';
import { RefreshTokenDto } from './sessions/session.dto.js';
import { SessionsService } from './sessions/sessions.service.js';
import { TokenResponse } from './token.dto.js';

/** For browsers: no API key, but a credential of the person's own. */
@ApiTags('Tokens')
@Public()
@UseGuards(BrowserLimitsGuard)
@Controller('v1/tokens')
export class BrowserTokensController {
  constructor(
    private readonly sessions: SessionsService,
    private readonly exchanges: ExchangeService,
  ) {}

  @Post('refresh')
  @HttpCode(200)
  @Header('cache-control', 'no-store')
  @ApiOperation({
    operationId: 'refreshToken',
    summary: 'The next access token and refresh token of a session',
    description:
      'For browsers, without an API key. A refresh token is good for one refresh. Sent again within a short grace it is answered with the same successor; after that it ends the session.',
  })
  @ApiExamples(RefreshTokenDto, {
    refresh: { refreshToken: `cvr_${'A'.repeat(43)}_${'B'.repeat(43)}` },
  })
  @ApiResponse({ status: 200, type: TokenResponse })
  @ApiFailures(
    'validation_failed',
    'refresh_token_reused',
    'identity_suspended',
    'not_found',
    'participant_not_found',
    'conversation_closed',
    'rate_limited',
  )
  refresh(@Body() { refreshToken }: RefreshTokenDto, @LogFactsOf() log: LogFacts): Promise<TokenResponse> {
    return this.sessions.refresh(refreshToken, log);
  }

  @Post('exchange')
  @Header('cache-control', 'no-store')
  @ApiOperation({
    operationId: 'exchangeToken',
    summary: 'An access token for whom the company’s own login vouches for',
    description:
      'For browsers, without an API key: `Authorization: Bearer <token of the company’s login>`, where the chat service has `tokenExchange` set. What is wrong with a login is not said.',
  })
  @ApiBearerAuth('login')
  @ApiExamples(ExchangeTokenDto, {
    login: { serviceId: '01890000-0000-7000-8000-000000000000', session: {} },
  })
  @ApiResponse({ status: 201, type: TokenResponse })
  @ApiFailures('validation_failed', 'identity_suspended', 'rate_limited')
  exchange(
    @LoginOf() login: string | null,
    @Body() body: ExchangeTokenDto,
    @LogFactsOf() log: LogFacts,
  ): Promise<TokenResponse> {
    return this.exchanges.exchange(login, body, log);
  }
}
