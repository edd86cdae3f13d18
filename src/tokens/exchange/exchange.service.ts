import { Injectable } from '@nestjs/common';
import type { TokenExchange } from '../../chat-services/chat-service.entity.js';
import { AppError } from '../../common/errors/app-error.js';
import type { LogFacts } from '../../common/http/request-facts.js';
import { Database } from '../../database/database.js';
import { IdentitiesService } from '../../identities/identities.service.js';
import { BrowserLimits } from '../browser-limits.js';
import { SessionsService } from '../sessions/sessions.service.js';
import type { TokenResponse } from '../token.dto.js';
import { TokenIssuer } from '../token-issuer.js';
import { assertActive, TokenPeople, type TokenIdentity } from '../token-people.js';
import type { ExchangeTokenDto } from './exchange.dto.js';
import { LoginRefused, LoginVerifier } from './login-verifier.js';

interface ServiceRow {
  twilioSid: string | null;
  tokenExchange: TokenExchange | null;
}

const FIND_SERVICE = `
  select twilio_sid as "twilioSid", token_exchange as "tokenExchange" from chat_services where id = $1`;

/** Access tokens for those whom the company's own login vouches for. */
@Injectable()
export class ExchangeService {
  constructor(
    private readonly database: Database,
    private readonly verifier: LoginVerifier,
    private readonly people: TokenPeople,
    private readonly identities: IdentitiesService,
    private readonly sessions: SessionsService,
    private readonly issuer: TokenIssuer,
    private readonly limits: BrowserLimits,
  ) {}

  /** Mints for the person of the login alone. Whatever is wrong with the login is answered alike. */
  async exchange(login: string | null, body: ExchangeTokenDto, log: LogFacts): Promise<TokenResponse> {
    const { ttlSeconds } = body;
    // In one spelling: by it the requests of a login are counted.
    const serviceId = body.serviceId.toLowerCase();
    try {
      const [service] = await this.database.query<ServiceRow>('tokens.exchange-service', FIND_SERVICE, [
        serviceId,
      ]);
      if (!service?.tokenExchange || service.twilioSid === null) throw new LoginRefused('no exchange');
      if (login === null) throw new LoginRefused('no login');
      const externalId = await this.verifier.externalIdOf(login, service.tokenExchange);
      this.limits.takeCredential(`${serviceId} ${externalId}`);
      const identity = await this.personOf(serviceId, externalId, service.tokenExchange);
      const session = await this.sessions.open(body.session, identity, {
        serviceId,
        conversationId: null,
        ttlSeconds,
        pushCredentialSid: null,
      });
      log({ identityId: identity.id, ...(session && { sessionId: session.id }) });
      return this.issuer.issue({ identity, serviceSid: service.twilioSid, ttlSeconds, session });
    } catch (error) {
      if (!(error instanceof LoginRefused)) throw error;
      log({ refused: error.message });
      throw new AppError('unauthorized', {
        detail: 'The login is not valid for this chat service.',
        headers: { 'www-authenticate': 'Bearer realm="convoke"' },
      });
    }
  }

  private async personOf(
    serviceId: string,
    externalId: string,
    { createIdentities }: TokenExchange,
  ): Promise<TokenIdentity> {
    let identity = await this.people.findByExternalId(serviceId, externalId);
    if (!identity && createIdentities) {
      await this.identities.ensureCustomer(serviceId, externalId);
      identity = await this.people.findByExternalId(serviceId, externalId);
    }
    if (!identity) throw new LoginRefused('unknown person');
    assertActive(identity);
    return identity;
  }
}
