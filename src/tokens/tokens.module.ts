import { Module } from '@nestjs/common';
import { ChatServicesModule } from '../chat-services/chat-services.module.js';
import { IdentitiesModule } from '../identities/identities.module.js';
import { TwilioModule } from '../twilio/twilio.module.js';
import { BrowserLimits } from './browser-limits.js';
import { BrowserTokensController } from './browser-tokens.controller.js';
import { ExchangeService } from './exchange/exchange.service.js';
import { JwksCache } from './exchange/jwks-cache.js';
import { JwksClient } from './exchange/jwks-client.js';
import { LoginVerifier } from './exchange/login-verifier.js';
import { SessionPruning } from './sessions/session-pruning.js';
import { SessionStore } from './sessions/session-store.js';
import { SessionsController } from './sessions/sessions.controller.js';
import { SessionsService } from './sessions/sessions.service.js';
import { TokenIssuer } from './token-issuer.js';
import { TokenPeople } from './token-people.js';
import { TokensController } from './tokens.controller.js';
import { TokensService } from './tokens.service.js';

@Module({
  imports: [TwilioModule, ChatServicesModule, IdentitiesModule],
  controllers: [TokensController, BrowserTokensController, SessionsController],
  providers: [
    TokensService,
    BrowserLimits,
    TokenPeople,
    TokenIssuer,
    SessionsService,
    SessionStore,
    SessionPruning,
    ExchangeService,
    LoginVerifier,
    JwksCache,
    JwksClient,
  ],
})
export class TokensModule {}
