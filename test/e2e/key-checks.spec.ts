import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeKey } from '../support/access.js';
import { unique, useApp, useReplica } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import { expectProblem } from '../support/problems.js';
import { TcpProxy } from '../support/tcp-proxy.js';

const running = useApp();

let lookUps = 0;
let proxy: TcpProxy | undefined;
let proxied = '';

beforeAll(async () => {
  const url = new URL(running.database.url);
  // Bind, in Postgres's protocol, holds the name of the statement between two zero bytes.
  const count = (chunk: Buffer): void => {
    lookUps += chunk.toString('latin1').split('\0access.find-key\0').length - 1;
  };
  proxy = new TcpProxy({ host: url.hostname, port: Number(url.port) }, count);
  url.host = `127.0.0.1:${await proxy.open()}`;
  proxied = url.href;
});
afterAll(() => proxy?.cut());

/** The other replica reaches Postgres by a way on which the look-ups of keys are counted. */
const other = useReplica(running, () => ({ DATABASE_URL: proxied }));

/** A request of which nothing but the key is looked up. */
const ask = (key: string, status = 403) => other.api.get('/v1/reconciliation', status, { key });

const stranger = async () => (await makeKey(running.api, ['webhooks:admin'])).key;

/** Makes a key with a secret of our choice known, as another process would that is started with it. */
function makeKnown(key: string): Promise<unknown> {
  const [, keyId = '', secret = ''] = key.split('_');
  const INSERT = `
    insert into api_keys (id, key_id, service_id, name, scopes, secret_hash)
    select gen_random_uuid(), $1, id, 'late', '{webhooks:admin}', sha256($2::bytea) from chat_services limit 1`;
  return running.sql(INSERT, [keyId, Buffer.from(secret)]);
}

describe('the check of a key', () => {
  it('asks Postgres once for many requests at once, and not again within half a second', async () => {
    const key = await stranger();
    const before = lookUps;
    const started = performance.now();
    await Promise.all(Array.from({ length: 20 }, () => ask(key)));
    for (let n = 0; n < 20; n += 1) await ask(key);
    const rounds = Math.ceil((performance.now() - started) / 500);
    expect(lookUps - before).toBeGreaterThanOrEqual(1);
    expect(lookUps - before).toBeLessThanOrEqual(rounds);
  });

  it('asks again after half a second', async () => {
    const key = await stranger();
    await ask(key);
    const before = lookUps;
    await eventually(async () => {
      await ask(key);
      expect(lookUps).toBeGreaterThan(before);
    }, 1500);
  });

  it('401 for a wrong secret, whether the right one has just been used or not', async () => {
    const key = await stranger();
    const forged = key.slice(0, -4) + (key.endsWith('AAAA') ? 'BBBB' : 'AAAA');
    expectProblem(await ask(forged, 401), 'unauthorized');
    await ask(key);
    expectProblem(await ask(forged, 401), 'unauthorized');
    await ask(key);
  });

  it('lets a key that one replica makes in at the other at once, also where it was refused before', async () => {
    const key = `cvk_${unique('later').replaceAll('-', '')}_${'s'.repeat(40)}`;
    await ask(key, 401);
    await makeKnown(key);
    await ask(key, 403);
  });

  it('401 at the other replica within a second of a revocation, however busy the key is', async () => {
    const { id, key } = await makeKey(running.api, ['webhooks:admin']);
    await ask(key);
    await running.api.delete(`/v1/api-keys/${id}`, 204);
    const revoked = performance.now();
    await eventually(() => ask(key, 401), 1000);
    expect(performance.now() - revoked).toBeLessThan(1000);
  });

  it('401 from the moment of expiry on, although the key has just been looked up', async () => {
    const expiresAt = new Date(Date.now() + 700);
    const { key } = await makeKey(running.api, ['webhooks:admin'], { expiresAt: expiresAt.toISOString() });
    for (;;) {
      const at = Date.now();
      if (at >= expiresAt.getTime()) break;
      await ask(key).catch((error: unknown) => {
        // It may have expired on the way.
        if (Date.now() < expiresAt.getTime()) throw error;
      });
    }
    expectProblem(await ask(key, 401), 'unauthorized');
  });
});

describe('the last use of a key', () => {
  const lastUse = async (id: string): Promise<Date | null> => {
    const [row] = await running.sql('select last_used_at from api_keys where id = $1', [id]);
    return (row as { last_used_at: Date | null }).last_used_at;
  };

  it('is written soon after the first use, and then at most once a minute', async () => {
    const { id, key } = await makeKey(running.api, ['webhooks:admin']);
    expect(await lastUse(id)).toBeNull();
    const before = Date.now();
    await ask(key);
    const first = await eventually(async () => {
      const time = await lastUse(id);
      expect(time).not.toBeNull();
      return time;
    });
    expect(first?.getTime()).toBeGreaterThanOrEqual(before);
    expect(first?.getTime()).toBeLessThanOrEqual(Date.now());
    await ask(key);
    // What a later key's use shows to be written by now has left the first one alone.
    const later = await makeKey(running.api, ['webhooks:admin']);
    await ask(later.key);
    await eventually(async () => expect(await lastUse(later.id)).not.toBeNull());
    expect(await lastUse(id)).toEqual(first);
  });

  it('delays no request while its row is locked', async () => {
    const { id, key } = await makeKey(running.api, ['webhooks:admin']);
    const lock =
      'with held as (select id from api_keys where id = $1 for update) select pg_sleep(2) from held';
    const held = running.sql(lock, [id]);
    await eventually(async () => {
      const LOCKED = `select 1 from pg_stat_activity where query = $1 and wait_event = 'PgSleep'`;
      expect(await running.sql(LOCKED, [lock])).toHaveLength(1);
    });
    const started = performance.now();
    await ask(key);
    expect(performance.now() - started).toBeLessThan(1000);
    await held;
  });

  it('is written at the stop of a process, for what was used just before', async () => {
    const { id, key } = await makeKey(running.api, ['webhooks:admin']);
    await ask(key);
    await other.close();
    expect(await lastUse(id)).not.toBeNull();
  });
});
