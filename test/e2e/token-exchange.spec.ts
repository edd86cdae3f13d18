import { createHmac } from 'node:crypto';
import { exportSPKI, importJWK } from 'jose';
import request, { type Response } from 'supertest';
import { beforeEach, describe, expect, it } from 'vitest';
import type { TokenExchange } from '../../src/chat-services/chat-service.entity.js';
import { otherService } from '../support/access.js';
import { unique, useApp } from '../support/app.js';
import { useCompanyLogin } from '../support/company-login.js';
import { expectInvalid, expectProblem } from '../support/problems.js';
import { claimsOf, refresh, sessionsOf, verdictOf, type Opened } from '../support/token-sessions.js';

const login = useCompanyLogin();
const running = useApp({ JWKS_ALLOWED_PRIVATE_HOSTS: '127.0.0.1' });

let key: Awaited<ReturnType<typeof login.newKey>>;
let serviceId: string;
let subject: string;

/** Every test has a URL of its own, so that none meets keys that another left. */
async function setting(changes: Partial<TokenExchange> = {}): Promise<void> {
  const jwksUrl = `${login.urlAt('127.0.0.1')}?${unique('test')}`;
  const tokenExchange = login.setting({ jwksUrl, ...changes });
  await running.api.patch(`/v1/services/${serviceId}`, { tokenExchange }, 200);
}

beforeEach(async () => {
  const { body } = await running.api.get<{ data: { id: string }[] }>('/v1/services', 200);
  serviceId = body.data.at(-1)!.id;
  login.published = [];
  login.serve = () => ({ status: 200, body: JSON.stringify({ keys: login.published }) });
  key = await login.newKey();
  subject = unique('cust');
  await setting();
});

const exchange = (
  token: string | null,
  body: object = { serviceId },
): Promise<Omit<Response, 'body'> & { body: Opened }> => {
  const call = request(running.server).post('/v1/tokens/exchange');
  return Promise.resolve((token === null ? call : call.set('authorization', `Bearer ${token}`)).send(body));
};

/** Every refusal has the same words, whatever the reason. */
function expectRefused(response: Response | Awaited<ReturnType<typeof exchange>>): void {
  const problem = expectProblem(response, 'unauthorized');
  expect(problem.detail).toBe('The login is not valid for this chat service.');
  expect(response.headers['www-authenticate']).toMatch(/^Bearer /);
}

describe('POST /v1/tokens/exchange', () => {
  it('201: a login gets an access token for its own person, which Twilio takes', async () => {
    const response = await exchange(await login.sign(key, { subject }));
    expect(response.status, response.text).toBe(201);
    expect(response.body).toMatchObject({
      tokenType: 'twilio-access-token',
      identity: { externalId: subject, displayName: null },
      session: null,
    });
    const { twilioIdentity: identity } = response.body.identity;
    expect(await verdictOf(running, response.body.token)).toMatchObject({ valid: true, identity });
    expect(response.headers['cache-control']).toBe('no-store');
  });

  it('201: who is not known is made known once, as a customer, however many logins come at once', async () => {
    const token = await login.sign(key, { subject });
    const answers = await Promise.all(Array.from({ length: 10 }, () => exchange(token)));
    expect(answers.map(({ status }) => status)).toEqual(Array(10).fill(201));
    expect(new Set(answers.map(({ body }) => body.identity.id)).size).toBe(1);
    const { body } = await running.api.get<{ data: object[] }>(`/v1/identities?externalId=${subject}`, 200);
    expect(body.data).toMatchObject([{ kind: 'customer', externalId: subject, status: 'active' }]);
  });

  it('201: who is known stays as he is, and may be named by another claim', async () => {
    await setting({ externalIdClaim: 'https://example.com/crm-id' });
    const known = { kind: 'agent', externalId: subject, displayName: 'Ada' };
    const { body: ada } = await running.api.post<{ id: string }>('/v1/identities', known, 201);
    const more = { 'https://example.com/crm-id': subject };
    const { body } = await exchange(await login.sign(key, { subject: 'auth0|1', more }));
    expect(body.identity).toMatchObject({ id: ada.id, displayName: 'Ada' });
  });

  it('201: with a session, which is refreshed and revoked like any other, and a life as asked', async () => {
    const token = await login.sign(key, { subject });
    const { body } = await exchange(token, { serviceId, ttlSeconds: 900, session: { ttlSeconds: 1200 } });
    const { iat, exp } = claimsOf(body.token);
    expect(exp - iat).toBe(900);
    const { body: next } = await refresh(running, body.session.refreshToken);
    expect(next.identity.id).toBe(body.identity.id);
    expect((await sessionsOf(running, body.identity.id)).data).toHaveLength(1);
    await running.api.delete(`/v1/token-sessions/${body.session.id}`, 204);
    expectProblem(await refresh(running, next.session.refreshToken), 'unauthorized');
  });

  it.each(['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA'])('201: a login may sign with %s', async (alg) => {
    const other = await login.newKey(alg);
    expect((await exchange(await login.sign(other, { subject }))).status).toBe(201);
  });

  it('201: a login may name no key, where several could be meant', async () => {
    login.published = [];
    await login.newKey('ES256', { kid: false });
    const second = await login.newKey('ES256', { kid: false });
    expect((await exchange(await login.sign(second, { subject }))).status).toBe(201);
  });

  it('201: an audience may be one of several, and clocks half a minute off', async () => {
    const audience = ['other', login.audience];
    const now = Math.floor(Date.now() / 1000);
    const more = { nbf: now + 20 };
    expect((await exchange(await login.sign(key, { subject, audience, more }))).status).toBe(201);
    expect((await exchange(await login.sign(key, { subject, expiresIn: -20 }))).status).toBe(201);
  });

  it.each([
    ['has expired', { expiresIn: -60 }],
    ['never expires', { expiresIn: null }],
    ['is not valid yet', { more: { nbf: Math.floor(Date.now() / 1000) + 3600 } }],
    ['is for somebody else', { audience: 'another-app' }],
    ['is for nobody', { audience: null }],
    ['is of another login', { issuer: 'https://evil.example/' }],
    ['is of none', { issuer: null }],
    ['names nobody', { subject: null }],
    ['names somebody no externalId can name', { subject: `US${'0'.repeat(32)}` }],
    ['names somebody by a number', { subject: null, more: { sub: 42 as unknown as string } }],
  ])('401: a token that %s', async (_, claims) => {
    expectRefused(await exchange(await login.sign(key, { subject, ...claims })));
  });

  it('401: a token that was changed, is not whole, is too long, or is none', async () => {
    const token = await login.sign(key, { subject });
    const [head, , signature] = token.split('.');
    const payload = Buffer.from(JSON.stringify({ sub: 'admin' })).toString('base64url');
    const long = await login.sign(key, { subject, more: { padding: 'x'.repeat(8192) } });
    const broken = [
      `${head}.${payload}.${signature}`,
      `${head}.${payload}.`,
      `${head}`,
      'x',
      long,
      '..',
      '.',
    ];
    for (const text of [...broken, running.api.key, null]) expectRefused(await exchange(text));
  });

  it('401: alg none, and HS256 with the public key for a secret', async () => {
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const { issuer: iss, audience: aud } = login;
    const claims = part({ sub: subject, iss, aud, exp: Math.floor(Date.now() / 1000) + 300 });
    expectRefused(await exchange(`${part({ alg: 'none' })}.${claims}.`));
    const pem = await exportSPKI((await importJWK(key.publicJwk, 'ES256', { extractable: true })) as never);
    for (const secret of [pem, JSON.stringify(key.publicJwk)]) {
      const signed = `${part({ alg: 'HS256', kid: key.kid })}.${claims}`;
      const signature = createHmac('sha256', secret).update(signed).digest('base64url');
      expectRefused(await exchange(`${signed}.${signature}`));
    }
  });

  it('401: a key that the login does not publish, whatever its name; nor one that the token brings along', async () => {
    const forged = await login.newKey('ES256', { publish: false });
    expectRefused(await exchange(await login.sign(forged, { subject })));
    expectRefused(await exchange(await login.sign({ ...forged, kid: key.kid }, { subject })));
    expectRefused(await exchange(await login.sign({ ...forged, kid: undefined }, { subject })));
  });

  it('401: a service without the setting, and one that nobody has', async () => {
    const token = await login.sign(key, { subject });
    const { id } = await otherService(running.api);
    for (const other of [id, '01890000-0000-7000-8000-000000000000']) {
      expectRefused(await exchange(token, { serviceId: other }));
    }
  });

  it('401: a person who is not known, where the service does not make people known', async () => {
    await setting({ createIdentities: false });
    expectRefused(await exchange(await login.sign(key, { subject })));
    const { body } = await running.api.get<{ data: object[] }>(`/v1/identities?externalId=${subject}`, 200);
    expect(body.data).toEqual([]);
  });

  it('403: a suspended person; once deleted or erased, he is somebody new', async () => {
    const token = await login.sign(key, { subject });
    const { body } = await exchange(token);
    const { id } = body.identity;
    await running.sql(`update identities set status = 'suspended' where id = $1`, [id]);
    expectProblem(await exchange(token), 'identity_suspended');
    await running.api.delete(`/v1/identities/${id}`, 204);
    const { id: second } = (await exchange(token)).body.identity;
    await running.sql(`update identities set status = 'erased', external_id = null where id = $1`, [second]);
    const { id: third } = (await exchange(token)).body.identity;
    expect(new Set([id, second, third]).size).toBe(3);
  });

  it('400: what may be asked for, and what not', async () => {
    const token = await login.sign(key, { subject });
    expectInvalid(await exchange(token, {}), 'serviceId');
    expectInvalid(await exchange(token, { serviceId: 'x' }), 'serviceId');
    expectInvalid(await exchange(token, { serviceId, ttlSeconds: 179 }), 'ttlSeconds');
    expectInvalid(await exchange(token, { serviceId, externalId: 'somebody-else' }), 'externalId');
  });
});
