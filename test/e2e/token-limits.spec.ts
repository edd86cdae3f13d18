import request, { type Response } from 'supertest';
import { describe, expect, it } from 'vitest';
import { unique, useApp } from '../support/app.js';
import { useCompanyLogin } from '../support/company-login.js';
import { expectProblem } from '../support/problems.js';
import { openSession, refresh } from '../support/token-sessions.js';

/** The test stands for a proxy that is trusted, so that it may say which client it is. */
const running = useApp({
  TRUSTED_PROXIES: '127.0.0.1',
  BROWSER_REQUESTS_PER_MINUTE: '60',
  JWKS_ALLOWED_PRIVATE_HOSTS: '127.0.0.1',
});
const login = useCompanyLogin();

const from = (address: string, path: string, body: object): Promise<Response> =>
  Promise.resolve(request(running.server).post(path).set('x-forwarded-for', address).send(body));

/** Sends so many, twenty at once. Answers them. */
async function many(count: number, send: () => Promise<Response>): Promise<Response[]> {
  const answers: Response[] = [];
  let left = count;
  const worker = async () => {
    while (left-- > 0) answers.push(await send());
  };
  await Promise.all(Array.from({ length: 20 }, worker));
  return answers;
}

/** One that trusts nobody: whatever a client says of its address, it is the one that the connection has. */
const alone = useApp({ BROWSER_REQUESTS_PER_MINUTE: '60' });

const SERVICE = '01890000-0000-7000-8000-000000000000';

describe('the limits of those without an API key', () => {
  it.each([
    ['/v1/tokens/refresh', { refreshToken: 'x' }],
    ['/v1/tokens/exchange', { serviceId: SERVICE }],
  ])(
    '%s, 429: an address that comes too often is told when to come again; another is served',
    async (path, body) => {
      const address = path.endsWith('refresh') ? '203.0.113.7' : '203.0.113.8';
      const answers = await many(100, () => from(address, path, body));
      const refused = answers.filter(({ status }) => status === 429);
      expect(answers.filter(({ status }) => status === 401).length).toBeGreaterThanOrEqual(60);
      expect(refused.length).toBeGreaterThan(0);
      expectProblem(refused[0]!, 'rate_limited');
      expect(Number(refused[0]!.headers['retry-after'])).toBeGreaterThanOrEqual(1);
      expect((await from('203.0.113.9', path, body)).status).toBe(401);
    },
  );

  it('429: so is a session, wherever it comes from; its token stays good, and other sessions are served', async () => {
    const { session } = await openSession(running);
    const other = await openSession(running);
    let client = 0;
    // Each from another address.
    const body = { refreshToken: session.refreshToken };
    const answers = await many(200, () => from(`198.51.100.${(client += 1)}`, '/v1/tokens/refresh', body));
    const served = answers.filter(({ status }) => status === 200);
    expect(served.length).toBeGreaterThanOrEqual(120);
    expect(served.length).toBeLessThan(200);
    expectProblem(
      answers.find(({ status }) => status !== 200)!,
      'rate_limited',
    );
    expect((await refresh(running, other.session.refreshToken)).status).toBe(200);
  });

  it('429: an address is no other by what its client writes before what the proxy adds', async () => {
    let forged = 0;
    const path = '/v1/tokens/refresh';
    const answers = await many(100, () =>
      from(`198.51.101.${(forged += 1)}, 203.0.113.20`, path, { refreshToken: 'x' }),
    );
    expect(answers.some(({ status }) => status === 429)).toBe(true);
    expect((await from('198.51.101.1', path, { refreshToken: 'x' })).status).toBe(401);
  });

  it('429: nor where no proxy is trusted, by any header', async () => {
    let forged = 0;
    const answers = await many(100, () => {
      const address = `198.51.102.${(forged += 1)}`;
      const headers = { 'x-forwarded-for': address, 'x-real-ip': address, forwarded: `for=${address}` };
      const call = request(alone.server).post('/v1/tokens/refresh').set(headers);
      return Promise.resolve(call.send({ refreshToken: 'x' }));
    });
    expect(answers.some(({ status }) => status === 429)).toBe(true);
  });

  it('429: so is a login, wherever it comes from and however the id of the chat service is written', async () => {
    const { body: services } = await running.api.get<{ data: { id: string }[] }>('/v1/services', 200);
    const { id } = services.data[0]!;
    await running.api.patch(`/v1/services/${id}`, { tokenExchange: login.setting() }, 200);
    const token = await login.sign(await login.newKey(), { subject: unique('cust') });
    let client = 0;
    const answers = await many(200, () => {
      client += 1;
      const serviceId = [...id]
        .map((digit, at) => (client & (1 << (at % 8)) ? digit.toUpperCase() : digit))
        .join('');
      const call = request(running.server)
        .post('/v1/tokens/exchange')
        .set('authorization', `Bearer ${token}`);
      return Promise.resolve(call.set('x-forwarded-for', `198.51.103.${client}`).send({ serviceId }));
    });
    const served = answers.filter(({ status }) => status === 201);
    expect(served.length).toBeGreaterThanOrEqual(120);
    expect(served.length).toBeLessThan(200);
  });
});
