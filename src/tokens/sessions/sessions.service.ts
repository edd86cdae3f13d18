import { timingSafeEqual } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { DataSource, type SelectQueryBuilder } from 'typeorm';
import type { Caller } from '../../access/caller.js';
import { ChatServicesService } from '../../chat-services/chat-services.service.js';
import { AppError } from '../../common/errors/app-error.js';
import { cursorId, toPage, type Page } from '../../common/http/page.js';
import type { LogFacts } from '../../common/http/request-facts.js';
import { isUuid } from '../../common/validation/text.js';
import { IdentitiesService } from '../../identities/identities.service.js';
import { BrowserLimits } from '../browser-limits.js';
import type { TokenResponse } from '../token.dto.js';
import { TokenIssuer } from '../token-issuer.js';
import { assertActive, assertStanding, type TokenIdentity } from '../token-people.js';
import { openSuccessor, parseRefreshToken, type RefreshToken } from './refresh-token.js';
import { TokenSessionResponse, type ListSessionsQuery, type NewSessionDto } from './session.dto.js';
import { SessionStore, type NewSession, type OpenedSession, type SessionRow } from './session-store.js';
import { TokenSessionEntity } from './token-session.entity.js';

/** How often a refresh looks again when somebody else changed the session between its two statements. */
const TRIES = 3;

@Injectable()
export class SessionsService {
  constructor(
    private readonly dataSource: DataSource,
    private readonly store: SessionStore,
    private readonly services: ChatServicesService,
    private readonly identities: IdentitiesService,
    private readonly issuer: TokenIssuer,
    private readonly limits: BrowserLimits,
  ) {}

  /** Null unless one is asked for. */
  async open(
    asked: NewSessionDto | undefined,
    identity: TokenIdentity,
    session: Omit<NewSession, 'identityId' | 'lifeSeconds'>,
  ): Promise<OpenedSession | null> {
    if (asked === undefined) return null;
    const opened = await this.store.open({
      ...session,
      identityId: identity.id,
      lifeSeconds: asked.ttlSeconds,
    });
    if (!opened) assertActive({ status: 'suspended' });
    return opened;
  }

  /**
   * The next access token and refresh token of a session. Of any number of callers with one token all are given the same
   * successor, for as long as the grace lasts; after it a used token ends the session. Whatever else is refused leaves
   * the token as good as it was.
   */
  async refresh(text: string, log: LogFacts): Promise<TokenResponse> {
    const presented = parseRefreshToken(text);
    if (!presented) throw unknownToken();
    this.limits.takeCredential(presented.familyHash.toString('base64'));
    for (let tries = 0; tries < TRIES; tries += 1) {
      const row = await this.store.find(presented);
      if (!row?.alive) throw unknownToken();
      log({ sessionId: row.id, identityId: row.identityId });
      const next = await this.successorOf(row, presented, log);
      if (!next) continue;
      const serviceSid = await this.services.findTwilioSid(row.serviceId);
      if (serviceSid === null) break;
      const { expiresAt, secondsLeft, ttlSeconds, pushCredentialSid } = row;
      const session = { id: row.id, refreshToken: next.text, expiresAt, secondsLeft };
      const identity = { ...row, id: row.identityId };
      return this.issuer.issue({ identity, serviceSid, ttlSeconds, pushCredentialSid, session });
    }
    throw new AppError('unavailable', { headers: { 'retry-after': '1' } });
  }

  async list(caller: Caller, path: string, query: ListSessionsQuery): Promise<Page<TokenSessionResponse>> {
    const { id } = await this.identities.find(caller.serviceId, path);
    const after = cursorId(query);
    const alive = 's.ended_at is null and s.expires_at > now()';
    let rows: SelectQueryBuilder<TokenSessionEntity> = this.dataSource
      .getRepository(TokenSessionEntity)
      .createQueryBuilder('s')
      .where('s.identity_id = :id', { id })
      .andWhere(query.ended ? `not (${alive})` : alive);
    if (after !== null) rows = rows.andWhere('s.id < :after', { after });
    const found = await rows
      .orderBy('s.id', 'DESC')
      .take(query.limit + 1)
      .getMany();
    const page = toPage(found, query.limit);
    return { ...page, data: page.data.map((entity) => TokenSessionResponse.from(entity)) };
  }

  /** Ends a session at once, on every replica. */
  async revoke(caller: Caller, id: string): Promise<void> {
    const ended = isUuid(id) ? await this.store.end('revoked', caller.serviceId, { id }) : 0;
    if (ended === 0) throw new AppError('not_found', { detail: 'There is no such token session.' });
  }

  /** Ends all sessions of a person; none is fine. */
  async revokeAll(caller: Caller, path: string): Promise<void> {
    const { id } = await this.identities.find(caller.serviceId, path);
    await this.store.end('revoked', caller.serviceId, { identityId: id });
  }

  /** Null where somebody else was faster: look again. */
  private async successorOf(
    row: SessionRow,
    presented: RefreshToken,
    log: LogFacts,
  ): Promise<RefreshToken | null> {
    const isCurrent = timingSafeEqual(row.tokenHash, presented.hash);
    if (!isCurrent && !row.successor) {
      await this.store.end('reused', row.serviceId, { id: row.id });
      log({ reused: true });
      throw new AppError('refresh_token_reused', { headers: CHALLENGE });
    }
    assertActive(row);
    if (row.conversationId !== null) assertStanding(row);
    return row.successor ? openSuccessor(presented, row.successor) : this.store.rotate(row.id, presented);
  }
}

const CHALLENGE = { 'www-authenticate': 'Bearer realm="convoke"' };

/** Alike for what was never given, is over or was taken back. */
const unknownToken = (): AppError =>
  new AppError('unauthorized', {
    detail: 'The refresh token is unknown, expired or revoked.',
    headers: CHALLENGE,
  });
