import { setTimeout as pause } from 'node:timers/promises';
import request from 'supertest';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RateLimits } from '../../src/access/limits/rate-limits.js';
import { isDatabaseAway } from '../../src/database/pg-errors.js';
import { callerWith, makeKey } from '../support/access.js';
import type { ApiClient } from '../support/api-client.js';
import { unique, useApp, useReplica } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import { expectProblem } from '../support/problems.js';
import { TcpProxy } from '../support/tcp-proxy.js';

const FAILURES = 20;

const running = useApp({ FAILED_KEYS_PER_MINUTE: String(FAILURES) });

let proxy: TcpProxy | undefined;
let proxiedUrl = '';
beforeAll(async () => {
  const url = new URL(running.database.url);
  proxy = new TcpProxy({ host: url.hostname, port: Number(url.port) });
  url.host = `127.0.0.1:${await proxy.open()}`;
  proxiedUrl = url.href;
});
afterAll(() => proxy?.cut());

/** Another replica, on a way to Postgres that can be cut, without a limit but those that keys have of their own. */
const other = useReplica(running, () => ({
  DATABASE_URL: proxiedUrl,
  RATE_LIMIT_PER_MINUTE: '0',
  FAILED_KEYS_PER_MINUTE: '0',
}));

const FEW = { FAILED_KEYS_PER_MINUTE: String(FAILURES) };

/** One whose clients come by a proxy on this machine, and one whose clients are all on this machine. */
const proxied = useReplica(running, () => ({ ...FEW, TRUSTED_PROXIES: 'loopback, 10.0.0.0/8' }));
const direct = useReplica(running, () => FEW);

const PATH = '/v1/conversations?limit=1';

const limited = async (rateLimit: number) =>
  (await makeKey(running.api, ['conversations:read'], { rateLimit })).key;

/** Whether a request was let through. */
async function passes(api: ApiClient, key: string): Promise<boolean> {
  const call = api.get(PATH, 200, { key });
  return call.then(
    () => true,
    (error: unknown) => {
      if (String(error).includes(': 429 instead of 200')) return false;
      throw error;
    },
  );
}

describe('RateLimit and RateLimit-Policy', () => {
  it('say on every answer to a key how it stands, refusals too', async () => {
    const caller = await callerWith(running.api, 'tokens:mint');
    const answers = [
      await caller.get(PATH, 403),
      await caller.post('/v1/tokens', {}, 400),
      await caller.post('/v1/tokens', { externalId: unique('x') }, 404),
    ];
    const left = answers.map(({ headers }) => {
      expect(headers['ratelimit-policy']).toBe('"key";q=3000;w=3');
      return Number(/^"key";r=(\d+);t=1$/.exec(headers['ratelimit'] as string)?.[1]);
    });
    for (const number of left) expect(number).toBeGreaterThan(2900);
  });

  it('follow the limit of the key itself', async () => {
    const { headers } = await running.api.get(PATH, 200, { key: await limited(90) });
    expect(headers['ratelimit-policy']).toBe('"key";q=5;w=4');
    expect(headers['ratelimit']).toBe('"key";r=4;t=1');
  });

  it('are not there where nothing limits the key, nor for who has no key', async () => {
    const answers = [await other.api.get(PATH, 200), await running.api.get(PATH, 401, { key: null })];
    for (const { headers } of answers) {
      expect(Object.keys(headers).filter((name) => name.startsWith('ratelimit'))).toEqual([]);
    }
  });
});

describe('429 rate_limited', () => {
  it('refuses what is too much, says when to come again, and then lets in', async () => {
    const key = await limited(60);
    for (let left = 2; left >= 0; left -= 1) {
      const { headers } = await running.api.get(PATH, 200, { key });
      expect(headers['ratelimit']).toMatch(new RegExp(`^"key";r=${left};t=`));
    }
    const refused = await running.api.get(PATH, 429, { key });
    expectProblem(refused, 'rate_limited');
    expect(refused.headers['retry-after']).toBe('1');
    expect(refused.headers['ratelimit']).toMatch(/^"key";r=0;t=/);
    await eventually(() => running.api.get(PATH, 200, { key }), 3000);
  });

  it('is for one key alone', async () => {
    const [one, two] = [await limited(12), await limited(12)];
    expect(await passes(running.api, one)).toBe(true);
    expect(await passes(running.api, one)).toBe(false);
    expect(await passes(running.api, two)).toBe(true);
  });

  it('is for the limit of a key also where the environment sets none', async () => {
    const key = await limited(12);
    expect(await passes(other.api, key)).toBe(true);
    expect(await passes(other.api, key)).toBe(false);
  });

  it('is never answered by health and documents', async () => {
    for (const path of ['/livez', '/readyz', '/openapi.json', '/docs']) {
      const { status, headers } = await request(running.server).get(path);
      expect(status, path).toBe(200);
      expect(Object.keys(headers).filter((name) => name.startsWith('ratelimit'))).toEqual([]);
    }
  });

  it('403: more than the default is given by an operator alone', async () => {
    const admin = await callerWith(running.api, 'admin');
    const wanted = { name: 'busy', scopes: ['conversations:read'], rateLimit: 60_001 };
    expectProblem(await admin.post('/v1/api-keys', wanted, 403), 'missing_scope');
    const { body } = await running.api.post('/v1/api-keys', wanted, 201);
    expect(body.rateLimit).toBe(60_001);
    await admin.post('/v1/api-keys', { ...wanted, rateLimit: 60_000 }, 201);
  });
});

describe('two replicas', () => {
  const PER_SECOND = 10;
  const BURST = 30;
  const SECONDS = 12;

  it('together let the limit through, and the burst of each once', async () => {
    const key = await limited(PER_SECOND * 60);
    const started = performance.now();
    const passed: number[] = [];
    const press = async (api: ApiClient): Promise<void> => {
      while (performance.now() - started < SECONDS * 1000) {
        if (await passes(api, key)) passed.push((performance.now() - started) / 1000);
        // A steady press, several times the limit, that leaves the machine to others.
        await pause(10);
      }
    };
    await Promise.all([running.api, running.api, other.api, other.api].map(press));
    const slack = PER_SECOND;
    expect(passed.length).toBeLessThanOrEqual(PER_SECOND * SECONDS + 2 * BURST + slack);
    // Once the bursts are paid off, no more than the limit, and the limit.
    const steady = passed.filter((at) => at >= SECONDS / 2).length;
    expect(steady).toBeLessThanOrEqual(1.1 * PER_SECOND * (SECONDS / 2) + slack);
    expect(steady).toBeGreaterThanOrEqual(0.6 * PER_SECOND * (SECONDS / 2));
  }, 30_000);

  it('know of each other within moments: what one let through is not there at the other', async () => {
    const { id, key } = await makeKey(running.api, ['conversations:read'], { rateLimit: 12 });
    expect(await passes(running.api, key)).toBe(true);
    await eventually(async () =>
      expect(await running.sql('select 1 from key_rates where api_key_id = $1', [id])).toHaveLength(1),
    );
    // The other one lets through what it does not know better of, once; both wait for the time of both then.
    expect(await passes(other.api, key)).toBe(true);
    await other.app.get(RateLimits).settle();
    const { headers } = await other.api.get(PATH, 429, { key });
    expect(Number(headers['retry-after'])).toBeGreaterThan(5);
  });
});

describe('counting', () => {
  const caller = (apiKeyId: string, rateLimit: number) =>
    ({ apiKeyId, rateLimit, scopes: [], serviceId: '' }) as const;

  it('goes on while Postgres is away', async () => {
    const limits = other.app.get(RateLimits);
    const one = caller('01890000-0000-7000-8000-000000000001', 60);
    await proxy?.cut();
    try {
      for (let n = 0; n < 3; n += 1) expect(limits.take(one)?.allowed).toBe(true);
      await expect(limits.settle()).rejects.toSatisfy(isDatabaseAway);
      expect(limits.take(one)?.allowed).toBe(false);
    } finally {
      await proxy?.open();
    }
    await eventually(() => other.api.get(PATH, 200));
  });

  it('costs well under two microseconds a request', () => {
    const limits = running.app.get(RateLimits);
    const one = caller('01890000-0000-7000-8000-000000000002', 1_000_000);
    const rounds = Array.from({ length: 15 }, () => {
      const started = performance.now();
      for (let n = 0; n < 20_000; n += 1) limits.take(one);
      return ((performance.now() - started) * 1000) / 20_000;
    });
    expect(rounds.sort((a, b) => a - b)[7]).toBeLessThan(2);
  });

  it('asks nothing of Postgres while no key is used', async () => {
    const limits = running.app.get(RateLimits);
    await limits.settle();
    const written = async () => (await running.sql('select sum(xmin::text::bigint) as n from key_rates'))[0];
    const before = await written();
    await limits.settle();
    expect(await written()).toEqual(before);
  });
});

describe('keys that are not good', () => {
  const wrong = () => `cvk_${unique('no').replaceAll('-', '')}_${'x'.repeat(40)}`;

  it('429: an address that presents too many is refused, but for keys known to be good, and then let in', async () => {
    const { key: good } = await makeKey(running.api, ['conversations:read']);
    await running.api.get(PATH, 200, { key: good });
    const { key: fresh } = await makeKey(running.api, ['conversations:read']);
    for (let n = 0; n < FAILURES; n += 1) await running.api.get(PATH, 401, { key: wrong() });
    const refused = await running.api.get(PATH, 429, { key: wrong() });
    expectProblem(refused, 'rate_limited');
    expect(Number(refused.headers['retry-after'])).toBeGreaterThanOrEqual(1);
    // A good key's id with another secret gets nobody in either.
    await running.api.get(PATH, 429, { key: good.slice(0, -4) + 'xxxx' });
    await running.api.get(PATH, 429, { key: fresh });
    await running.api.get(PATH, 200, { key: good });
    await running.api.get(PATH, 401, { key: null });
    await eventually(() => running.api.get(PATH, 200, { key: fresh }), 6000);
  });

  it('429: behind a trusted proxy each client is counted by its own address', async () => {
    const from = (client: string, status: number) =>
      proxied.api.get(PATH, status, { key: wrong(), headers: { 'x-forwarded-for': client } });
    for (let n = 0; n < FAILURES; n += 1) await from('203.0.113.7', 401);
    await from('203.0.113.7', 429);
    // What a client says of itself stands before what the proxy says of it.
    await from('198.51.100.1, 203.0.113.7', 429);
    await from('198.51.100.1', 401);
  });

  it('429: without a trusted proxy nobody is another by saying so', async () => {
    for (let n = 0; n < FAILURES; n += 1) {
      await direct.api.get(PATH, 401, { key: wrong(), headers: { 'x-forwarded-for': `203.0.113.${n}` } });
    }
    await direct.api.get(PATH, 429, { key: wrong(), headers: { 'x-forwarded-for': '198.51.100.1' } });
  });

  it('401: none is counted where the environment sets no limit', async () => {
    for (let n = 0; n < 2 * FAILURES; n += 1) await other.api.get(PATH, 401, { key: wrong() });
  });
});
