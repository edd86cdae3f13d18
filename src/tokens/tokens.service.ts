import { Injectable } from '@nestjs/common';
import type { Caller } from '../access/caller.js';
import { ChatServicesService } from '../chat-services/chat-services.service.js';
import { AppError } from '../common/errors/app-error.js';
import type { LogFacts } from '../common/http/request-facts.js';
import { SessionsService } from './sessions/sessions.service.js';
import type { MintTokenDto, TokenResponse } from './token.dto.js';
import { TokenIssuer } from './token-issuer.js';
import { TokenPeople } from './token-people.js';

@Injectable()
export class TokensService {
  constructor(
    private readonly services: ChatServicesService,
    private readonly people: TokenPeople,
    private readonly sessions: SessionsService,
    private readonly issuer: TokenIssuer,
  ) {}

  /** Mints an access token. Writes nothing, unless a session is asked for. */
  async mint(caller: Caller, body: MintTokenDto, log: LogFacts): Promise<TokenResponse> {
    const { serviceId } = caller;
    const { ttlSeconds, pushCredentialSid = null } = body;
    const serviceSid = await this.services.findTwilioSid(serviceId);
    if (serviceSid === null) throw new AppError('unavailable', { headers: { 'retry-after': '1' } });
    const identity = await this.people.find(serviceId, body);
    const conversationId =
      body.conversationId === undefined
        ? null
        : await this.people.conversationOf(serviceId, identity.id, body.conversationId);
    const session = await this.sessions.open(body.session, identity, {
      serviceId,
      conversationId,
      ttlSeconds,
      pushCredentialSid,
    });
    log({ keyId: caller.apiKeyId, identityId: identity.id, ...(session && { sessionId: session.id }) });
    return this.issuer.issue({ identity, serviceSid, ttlSeconds, pushCredentialSid, session });
  }
}
