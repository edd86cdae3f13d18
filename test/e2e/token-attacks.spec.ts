import { randomBytes } from 'node:crypto';
import request from 'supertest';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ApiClient } from '../support/api-client.js';
import { serviceEnv, unique } from '../support/app.js';
import { useCompanyLogin } from '../support/company-login.js';
import { useTestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { startService, type Running } from '../support/processes.js';
import { expectProblem } from '../support/problems.js';
import { useSandbox } from '../support/sandbox.js';
import { partsOf, type Opened } from '../support/token-sessions.js';

/** The service as a process of its own, so that its whole log can be read. */
const database = useTestDatabase();
const sandbox = useSandbox();
const login = useCompanyLogin();
let service: Running;
let api: ApiClient;
let env: Record<string, string>;

beforeAll(async () => {
  env = { ...serviceEnv(database.url, sandbox), JWKS_ALLOWED_PRIVATE_HOSTS: '127.0.0.1' };
  service = await startService(env);
  api = new ApiClient(service.baseUrl, env['BOOTSTRAP_API_KEY']!);
});
afterAll(() => service?.end());

const refresh = (refreshToken: string, headers: Record<string, string> = {}) =>
  request(service.baseUrl).post('/v1/tokens/refresh').set(headers).send({ refreshToken });

const secrets: string[] = [];
const note = (...texts: string[]): void => void secrets.push(...texts);

async function open(name: string, more: object = {}): Promise<Opened> {
  const { body } = await api.post<Opened>('/v1/tokens', { externalId: name, session: {}, ...more }, 201);
  note(body.token, body.session.refreshToken, ...partsOf(body.session.refreshToken));
  return body;
}

describe('who attacks token sessions', () => {
  const name = `Bob-${unique('cust')}`;

  it('guesses in vain, and ends nobody’s session by guessing', async () => {
    await api.post(
      '/v1/identities',
      { kind: 'customer', externalId: name, displayName: 'Robert Tables' },
      201,
    );
    const { session } = await open(name);
    const [family] = partsOf(session.refreshToken);
    const random = (): string => randomBytes(32).toString('base64url');
    for (const guess of [`cvr_${random()}_${random()}`, `cvr_${session.id}_${random()}`, `cvr_${family}`]) {
      note(guess);
      expectProblem(await refresh(guess), 'unauthorized');
    }
    const { body } = (await refresh(session.refreshToken)) as { body: Opened };
    note(body.token, body.session.refreshToken);
    expect(body.session.id).toBe(session.id);
  });

  it('gets by a refresh token what its session is for: no header makes it another person or service', async () => {
    const { session, identity } = await open(name);
    const headers = {
      'x-forwarded-for': '127.0.0.1',
      'x-identity': 'admin',
      authorization: `Bearer ${api.key}`,
    };
    const { status, body } = (await refresh(session.refreshToken, headers)) as {
      status: number;
      body: Opened;
    };
    expect({ status, identity: body.identity }).toEqual({ status: 200, identity });
    note(body.session.refreshToken);
  });

  it('cannot revoke, or see, what belongs to another service', async () => {
    const { session, identity } = await open(name);
    const made = await api.post<{ id: string }>('/v1/services', { friendlyName: unique('other') }, 201);
    const key = { name: 'admin', scopes: ['admin'], serviceId: made.body.id };
    const { body } = await api.post<{ key: string }>('/v1/api-keys', key, 201);
    note(body.key);
    const foreign = api.with(body.key);
    expectProblem(await foreign.delete(`/v1/token-sessions/${session.id}`, 404), 'not_found');
    expectProblem(await foreign.get(`/v1/identities/${identity.id}/token-sessions`, 404), 'not_found');
    expectProblem(await foreign.post('/v1/tokens', { externalId: name }, 404), 'not_found');
  });

  it('gets nothing for somebody who has been erased', async () => {
    const gone = unique('gone');
    const body = { kind: 'customer', externalId: gone };
    const { body: identity } = await api.post<{ id: string }>('/v1/identities', body, 201);
    const { session } = await open(gone);
    await api.post(`/v1/identities/${identity.id}/erase`, {}, 200);
    const response = await refresh(session.refreshToken);
    expect([401, 403]).toContain(response.status);
    expectProblem(response, response.status === 403 ? 'identity_suspended' : 'unauthorized');
  });

  it('finds no token, key, secret or name in the log, but who minted for whom, on one line a request', async () => {
    const { body: services } = await api.get<{ data: { id: string }[] }>('/v1/services', 200);
    const serviceId = services.data.at(-1)!.id;
    await api.patch(`/v1/services/${serviceId}`, { tokenExchange: login.setting() }, 200);
    const key = await login.newKey();
    const exchange = (token: string) =>
      request(service.baseUrl)
        .post('/v1/tokens/exchange')
        .set('authorization', `Bearer ${token}`)
        .send({ serviceId, session: {} });
    const logins = [await login.sign(key, { subject: name }), await login.sign(key, { audience: 'x' })];
    for (const token of logins) await exchange(token);
    const { session, identity } = await open(name);
    await refresh(session.refreshToken, { 'x-request-id': 'the-refresh' });
    await refresh(session.refreshToken.slice(0, -1));
    await request(service.baseUrl)
      .post('/v1/tokens/refresh')
      .set('content-type', 'application/json')
      .send('{');
    await api.get(`/v1/tokens?refreshToken=${session.refreshToken}`, 404);

    const log = await eventually(() => {
      const output = service.output();
      expect(output).toContain('GET');
      expect(output).toContain('the-refresh');
      return output;
    });
    const { apiKeySecret, authToken } = sandbox.config;
    for (const secret of [...secrets, ...logins, api.key, apiKeySecret, authToken, database.url]) {
      expect(log).not.toContain(secret);
    }
    for (const text of [name, 'Robert', 'eyJ', 'cvr_', api.key.split('_')[2]!])
      expect(log).not.toContain(text);
    const lines = log
      .split('\n')
      .flatMap((line) => (line.startsWith('{') ? [JSON.parse(line) as object] : []));
    expect(lines.filter((line) => 'reqId' in line && line.reqId === 'the-refresh')).toEqual([
      expect.objectContaining({
        route: '/v1/tokens/refresh',
        status: 200,
        identityId: identity.id,
        sessionId: session.id,
      }),
    ]);
    expect(lines).toContainEqual(
      expect.objectContaining({
        route: '/v1/tokens',
        identityId: identity.id,
        sessionId: session.id,
        keyId: expect.any(String) as string,
      }),
    );
    expect(lines).toContainEqual(
      expect.objectContaining({ route: '/v1/tokens/exchange', refused: 'ERR_JWT_CLAIM_VALIDATION_FAILED' }),
    );
  });
});
