import { Injectable } from '@nestjs/common';
import { newId } from '../../common/new-id.js';
import { AppConfig } from '../../config/app-config.js';
import { Database } from '../../database/database.js';
import { standingColumns, type Standing, type TokenIdentity } from '../token-people.js';
import { generateRefreshToken, sealSuccessor, type RefreshToken } from './refresh-token.js';
import type { SessionEnd } from './token-session.entity.js';

/** A session and the refresh token that is good now. Its time is that of Postgres, on which all replicas agree. */
export interface OpenedSession {
  id: string;
  refreshToken: string;
  expiresAt: Date;
  secondsLeft: number;
}

export interface NewSession {
  serviceId: string;
  identityId: string;
  conversationId: string | null;
  /** Of each access token. */
  ttlSeconds: number;
  pushCredentialSid: string | null;
  /** The whole life of the session. */
  lifeSeconds: number;
}

/** What decides a refresh, as one statement saw it. */
export interface SessionRow extends Standing, Omit<TokenIdentity, 'id'> {
  id: string;
  serviceId: string;
  identityId: string;
  conversationId: string | null;
  ttlSeconds: number;
  pushCredentialSid: string | null;
  tokenHash: Buffer;
  expiresAt: Date;
  secondsLeft: number;
  alive: boolean;
  /** Sealed: what was given for the token presented, while its grace lasts. */
  successor: Buffer | null;
}

interface InsertedRow {
  expiresAt: Date;
  /** Of the same person, without this one: those that were alive, and with those that were over. */
  aliveBefore: number;
  keptBefore: number;
}

/** Sessions of one person that are alive at once; another ends the oldest. */
const ALIVE_MAX = 50;
/** From so many on it is looked whether there are too many: those that are made at once do not see each other. */
const ALIVE_WATCHED = ALIVE_MAX / 2;
/** Of those that are over, so many are kept when there are twice as many. */
const OVER_KEPT = 50;

const INSERT = `
  with kept as (
    select count(*) filter (where ended_at is null and expires_at > now())::int as alive, count(*)::int as total
    from token_sessions where identity_id = $2)
  insert into token_sessions (id, service_id, identity_id, conversation_id, ttl_seconds, push_credential_sid,
    family_hash, token_hash, expires_at)
  select $1, i.service_id, i.id, $3, $4, $5, $6, $7, now() + $8::float8 * interval '1 second'
  from identities i where i.id = $2 and i.status = 'active'
  returning expires_at as "expiresAt", (select alive from kept) as "aliveBefore", (select total from kept) as "keptBefore"`;

// The oldest by Postgres's clock: ids begin with that of the replica that made them. The session $2 stays in any case.
// Locked in the order of the ids.
const DISPLACE = `
  with ranked as (
    select id, alive, row_number() over (partition by alive order by created_at desc, id desc) as place
    from (
      select id, created_at, ended_at is null and expires_at > now() as alive
      from token_sessions where identity_id = $1 and id <> $2) as others),
  dropped as (
    delete from token_sessions where id in (
      select id from token_sessions
      where id in (select id from ranked where not alive and place > ${OVER_KEPT})
      order by id for update skip locked))
  update token_sessions set ended_at = now(), end_reason = 'displaced'
  where id in (
    select id from token_sessions
    where ended_at is null and id in (select id from ranked where alive and place >= ${ALIVE_MAX})
    order by id for no key update)`;

const FIND = `
  select s.id, s.service_id as "serviceId", s.identity_id as "identityId", s.conversation_id as "conversationId",
    s.ttl_seconds as "ttlSeconds", s.push_credential_sid as "pushCredentialSid", s.token_hash as "tokenHash",
    s.expires_at as "expiresAt", extract(epoch from s.expires_at - now())::float8 as "secondsLeft",
    s.ended_at is null and s.expires_at > now() as alive, g.successor,
    i.external_id as "externalId", i.display_name as "displayName", i.twilio_identity as "twilioIdentity", i.status,
    ${standingColumns('s.identity_id')}
  from token_sessions s
  join identities i on i.id = s.identity_id
  left join conversations c on c.id = s.conversation_id
  left join token_session_graces g on g.session_id = s.id and g.used_hash = $2 and g.until > now()
  where s.family_hash = $1`;

// Of those who use one token at once, the row lets one pass; the others then find what it got.
const ROTATE = `
  with rotated as (
    update token_sessions s set token_hash = $3, refreshed_at = now()
    from identities i
    where s.id = $1 and s.token_hash = $2 and s.ended_at is null and s.expires_at > now()
      and i.id = s.identity_id and i.status = 'active'
    returning s.id)
  insert into token_session_graces (session_id, used_hash, successor, until)
  select id, $2, $4, now() + $5::float8 * interval '1 second' from rotated
  returning session_id`;

// Locked in the order of their ids: two of these at once do not wait for each other.
const END = `
  update token_sessions set ended_at = now(), end_reason = $1
  where id in (
    select id from token_sessions
    where ended_at is null and expires_at > now() and `;

const PRUNE = `
  delete from token_sessions where id in (
    select id from token_sessions where least(expires_at, ended_at) < now() - $1 * interval '1 day'
    order by id limit 1000 for update skip locked)
  returning id`;

/** The statements of token sessions. Nothing is cached: what is ended here is ended on every replica. */
@Injectable()
export class SessionStore {
  constructor(
    private readonly config: AppConfig,
    private readonly database: Database,
  ) {}

  /** Null where the person is not active, or no longer there. */
  async open(session: NewSession): Promise<OpenedSession | null> {
    const id = newId();
    const token = generateRefreshToken();
    const { identityId, conversationId, ttlSeconds, pushCredentialSid, lifeSeconds } = session;
    const [row] = await this.database.query<InsertedRow>('token-sessions.insert', INSERT, [
      id,
      identityId,
      conversationId,
      ttlSeconds,
      pushCredentialSid,
      token.familyHash,
      token.hash,
      lifeSeconds,
    ]);
    if (!row) return null;
    const { expiresAt, aliveBefore, keptBefore } = row;
    if (aliveBefore >= ALIVE_WATCHED || keptBefore - aliveBefore >= 2 * OVER_KEPT) {
      await this.database.query('token-sessions.displace', DISPLACE, [identityId, id]);
    }
    return { id, refreshToken: token.text, expiresAt, secondsLeft: lifeSeconds };
  }

  async find(presented: RefreshToken): Promise<SessionRow | undefined> {
    const values = [presented.familyHash, presented.hash];
    return (await this.database.query<SessionRow>('token-sessions.find', FIND, values))[0];
  }

  /** Puts a new token in the place of the one presented. Null when that is no longer the one that is good. */
  async rotate(id: string, presented: RefreshToken): Promise<RefreshToken | null> {
    const successor = generateRefreshToken(presented.family);
    const rotated = await this.database.query('token-sessions.rotate', ROTATE, [
      id,
      presented.hash,
      successor.hash,
      sealSuccessor(presented, successor),
      this.config.tokens.refreshGraceSeconds,
    ]);
    return rotated.length > 0 ? successor : null;
  }

  /** Ends one session of the chat service, or all of a person. Answers how many were alive. */
  async end(
    reason: SessionEnd,
    serviceId: string,
    which: { id: string } | { identityId: string },
  ): Promise<number> {
    const [by, value] = 'id' in which ? ['id', which.id] : ['identity_id', which.identityId];
    const ended = await this.database.query(
      `token-sessions.end-by-${by}`,
      `${END} service_id = $2 and ${by} = $3 order by id for no key update) returning id`,
      [reason, serviceId, value],
    );
    return ended.length;
  }

  /** Deletes what was given for used tokens and is given no more. */
  async dropGraces(): Promise<void> {
    await this.database.query(
      'token-sessions.drop-graces',
      'delete from token_session_graces where until < now()',
      [],
    );
  }

  /** Deletes a batch of sessions that have been over for long enough; answers how many. */
  async prune(): Promise<number> {
    const { sessionKeepDays } = this.config.retention;
    return (await this.database.query('token-sessions.prune', PRUNE, [sessionKeepDays])).length;
  }
}
