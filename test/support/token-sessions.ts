import request, { type Response } from 'supertest';
import type { TokenVerdict } from '../../src/sandbox/control/tokens.js';
import type { TokenSessionResponse } from '../../src/tokens/sessions/session.dto.js';
import type { TokenResponse } from '../../src/tokens/token.dto.js';
import { unique, type TestApp } from './app.js';

export type Opened = TokenResponse & { session: NonNullable<TokenResponse['session']> };

/** Makes a person known. Answers our id. */
export async function newPerson({ api }: Pick<TestApp, 'api'>): Promise<string> {
  const body = { kind: 'customer', externalId: unique('cust'), displayName: 'Bob' };
  return (await api.post<{ id: string }>('/v1/identities', body, 201)).body.id;
}

/** Mints a token with a session: for a new person, unless one is given. */
export async function openSession(running: Pick<TestApp, 'api'>, more: object = {}): Promise<Opened> {
  const who = 'identityId' in more || 'externalId' in more ? {} : { identityId: await newPerson(running) };
  const body = { ...who, session: {}, ...more };
  return (await running.api.post<Opened>('/v1/tokens', body, 201)).body;
}

/** As a browser does it: without a key. */
export async function refresh(
  { server }: Pick<TestApp, 'server'>,
  refreshToken: unknown,
): Promise<Omit<Response, 'body'> & { body: Opened }> {
  return request(server).post('/v1/tokens/refresh').send({ refreshToken });
}

/** Makes so many seconds pass for all token sessions: Postgres's clock is what counts for them. */
export async function pass({ sql }: Pick<TestApp, 'sql'>, seconds: number): Promise<void> {
  await sql(
    `update token_sessions set expires_at = expires_at - $1 * interval '1 second',
      created_at = created_at - $1 * interval '1 second', refreshed_at = refreshed_at - $1 * interval '1 second',
      ended_at = ended_at - $1 * interval '1 second'`,
    [seconds],
  );
  await sql(`update token_session_graces set until = until - $1 * interval '1 second'`, [seconds]);
}

/** The claims of an access token, unchecked. */
export function claimsOf(token: string): { iat: number; exp: number; grants: object } {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as ReturnType<
    typeof claimsOf
  >;
}

/** The two secrets in a refresh token. They may hold underscores. */
export const partsOf = (refreshToken: string): [family: string, secret: string] => [
  refreshToken.slice(4, 47),
  refreshToken.slice(48),
];

export interface SessionPage {
  data: TokenSessionResponse[];
  nextCursor: string | null;
}

export async function sessionsOf(
  { api }: Pick<TestApp, 'api'>,
  identityId: string,
  query = '',
): Promise<SessionPage> {
  return (await api.get<SessionPage>(`/v1/identities/${identityId}/token-sessions${query}`, 200)).body;
}

/** What Twilio says of an access token. */
export function verdictOf({ sandbox }: Pick<TestApp, 'sandbox'>, token: string): Promise<TokenVerdict> {
  return sandbox.control<TokenVerdict>('POST', '/sandbox/tokens/verify', { token });
}
