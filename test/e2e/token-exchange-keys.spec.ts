import request from 'supertest';
import { beforeEach, describe, expect, it } from 'vitest';
import type { TokenExchange } from '../../src/chat-services/chat-service.entity.js';
import { unique, useApp } from '../support/app.js';
import { useCompanyLogin } from '../support/company-login.js';
import { eventually } from '../support/eventually.js';

const login = useCompanyLogin();
const running = useApp({ JWKS_ALLOWED_PRIVATE_HOSTS: '127.0.0.1' });

let key: Awaited<ReturnType<typeof login.newKey>>;
let serviceId: string;

/** Written past the check of `PATCH`: what is fetched must not rest on that alone. */
async function setting(changes: Partial<TokenExchange> = {}): Promise<void> {
  const value = login.setting({ jwksUrl: `${login.urlAt('127.0.0.1')}?${unique('test')}`, ...changes });
  await running.sql('update chat_services set token_exchange = $1 where id = $2', [
    JSON.stringify(value),
    serviceId,
  ]);
}

beforeEach(async () => {
  const { body } = await running.api.get<{ data: { id: string }[] }>('/v1/services', 200);
  serviceId = body.data[0]!.id;
  login.published = [];
  login.asked = 0;
  login.serve = () => ({ status: 200, body: JSON.stringify({ keys: login.published }) });
  key = await login.newKey();
  await setting();
});

async function statusOf(signer = key): Promise<number> {
  const token = await login.sign(signer, { subject: unique('cust') });
  const call = request(running.server).post('/v1/tokens/exchange');
  return (await call.set('authorization', `Bearer ${token}`).send({ serviceId })).status;
}

const statuses = (count: number, signer = key) =>
  Promise.all(Array.from({ length: count }, () => statusOf(signer)));

describe('the keys of a login', () => {
  it('are fetched once for many, at once and after', async () => {
    expect(await statuses(20)).toEqual(Array(20).fill(201));
    expect(await statuses(20)).toEqual(Array(20).fill(201));
    expect(login.asked).toBe(1);
  });

  it('are fetched again at once when the login has changed them, and the old ones go', async () => {
    expect(await statusOf()).toBe(201);
    login.published = [];
    const next = await login.newKey();
    expect(await statuses(10, next)).toEqual(Array(10).fill(201));
    expect(await statusOf()).toBe(401);
    expect(login.asked).toBe(2);
  });

  it('are not fetched for each token with a key that nobody knows', async () => {
    const unknown = await login.newKey('ES256', { publish: false });
    expect(await statuses(20, unknown)).toEqual(Array(20).fill(401));
    for (let count = 0; count < 10; count += 1) expect(await statusOf(unknown)).toBe(401);
    expect(login.asked).toBeLessThanOrEqual(2);
    expect(await statusOf()).toBe(201);
  });

  it('are there at once for who has one of them, while they are asked for again because of another', async () => {
    expect(await statusOf()).toBe(201);
    let release = (): void => undefined;
    const released = new Promise<void>((done) => (release = done));
    login.serve = async () => {
      await released;
      return { status: 503, body: 'away' };
    };
    const waiting = statusOf(await login.newKey('ES256', { publish: false }));
    await eventually(() => expect(login.asked).toBe(2));
    expect(await Promise.race([waiting, statusOf()])).toBe(201);
    release();
    expect(await waiting).toBe(401);
  });

  it('last when the login can serve none, and what is served then is not asked for again and again', async () => {
    expect(await statusOf()).toBe(201);
    login.serve = () => ({ status: 503, body: 'away' });
    const unknown = await login.newKey();
    expect(await statuses(10, unknown)).toEqual(Array(10).fill(401));
    expect(await statuses(10)).toEqual(Array(10).fill(201));
    expect(login.asked).toBe(2);
  });

  it.each([
    ['a failure', { status: 500, body: '{}' }],
    ['what is no JSON', { status: 200, body: 'keys' }],
    ['what is no key set', { status: 200, body: '{"keys":{}}' }],
    ['nothing', { status: 204, body: '' }],
    ['too many keys', { status: 200, body: JSON.stringify({ keys: Array(101).fill({ kty: 'EC' }) }) }],
    ['more than anybody needs', { status: 200, body: JSON.stringify({ keys: [], x: 'x'.repeat(300_000) }) }],
  ])('are none when the login answers %s: 401, and no more', async (_, answer) => {
    login.serve = () => answer;
    expect(await statuses(5)).toEqual(Array(5).fill(401));
    expect(login.asked).toBe(1);
  });

  it('are not looked for where a redirect leads', async () => {
    login.serve = () => {
      login.serve = () => ({ status: 200, body: JSON.stringify({ keys: login.published }) });
      return { status: 302, body: '', headers: { location: login.urlAt('127.0.0.1') } };
    };
    expect(await statusOf()).toBe(401);
    expect(login.asked).toBe(1);
  });

  it('are never asked for at an address that is not public, however it is written', async () => {
    const hosts = [
      'localhost',
      '127.0.0.2',
      '[::1]',
      '[::ffff:127.0.0.1]',
      '0.0.0.0',
      '0x7f.2',
      '2130706434',
    ];
    for (const host of [...hosts, '127.1.1', '169.254.169.254', '10.0.0.1', 'localhost.']) {
      await setting({ jwksUrl: `${login.urlAt(host, 'https')}?${unique('test')}` });
      expect(await statusOf(), host).toBe(401);
    }
    for (const host of ['localhost', '[::1]', 'example.com', '127.0.0.2']) {
      await setting({ jwksUrl: login.urlAt(host, 'http') });
      expect(await statusOf(), host).toBe(401);
    }
    for (const url of ['file:///etc/passwd', 'ftp://127.0.0.1/', 'x', '']) {
      await setting({ jwksUrl: url });
      expect(await statusOf(), url).toBe(401);
    }
    expect(login.asked).toBe(0);
  });
});
