import { Body, Controller, Header, Post } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import { CallerOf, RequireScope, type Caller } from '../access/caller.js';
import { ApiExamples, ApiFailures } from '../common/http/api-docs.js';
import { LogFactsOf, type LogFacts } from '../common/http/request-facts.js';
import { MintTokenDto, TokenResponse } from './token.dto.js';
import { TokensService } from './tokens.service.js';

@ApiTags('Tokens')
@ApiBearerAuth()
@Controller('v1/tokens')
export class TokensController {
  constructor(private readonly tokens: TokensService) {}

  @Post()
  @RequireScope('tokens:mint')
  @Header('cache-control', 'no-store')
  @ApiOperation({
    operationId: 'mintToken',
    summary: 'Mint an access token for a browser',
    description: 'A token that is out lives to its expiry: Twilio cannot take one back.',
  })
  @ApiExamples(MintTokenDto, {
    customer: { externalId: 'cust-42' },
    short: { externalId: 'cust-42', ttlSeconds: 900 },
    session: { externalId: 'cust-42', session: { ttlSeconds: 28_800 } },
  })
  @ApiResponse({ status: 201, type: TokenResponse })
  @ApiFailures(
    'validation_failed',
    'missing_scope',
    'identity_suspended',
    'not_found',
    'participant_not_found',
    'conversation_closed',
    'conversation_failed',
  )
  mint(
    @CallerOf() caller: Caller,
    @Body() body: MintTokenDto,
    @LogFactsOf() log: LogFacts,
  ): Promise<TokenResponse> {
    return this.tokens.mint(caller, body, log);
  }
}
