import { createHash } from 'node:crypto';
import { Client } from 'pg';
import { describe, expect, it } from 'vitest';
import { SCOPES } from '../../src/access/scopes.js';
import type { ApiKeyResponse } from '../../src/chat-services/api-keys/api-key.dto.js';
import type { ChatServiceResponse } from '../../src/chat-services/chat-service.dto.js';
import { loadConfig } from '../../src/config/app-config.js';
import { createApp } from '../../src/configure-app.js';
import { callerWith, keysOf, makeKey, otherService, type KeyPage } from '../support/access.js';
import type { ApiClient } from '../support/api-client.js';
import { serviceEnv, unique, useApp } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import { expectInvalid, expectProblem } from '../support/problems.js';

const running = useApp();

const path = '/v1/api-keys';

const wanted = (more: object = {}) => ({ name: unique('key'), scopes: ['conversations:read'], ...more });

/** Our id of the chat service that the bootstrap key belongs to. */
async function ownService(): Promise<string> {
  const { chatServiceSid } = running.sandbox.config;
  const { body } = await running.api.get<{ data: ChatServiceResponse[] }>('/v1/services?limit=100', 200);
  return body.data.find(({ twilioSid }) => twilioSid === chatServiceSid)?.id ?? '';
}

describe('POST /v1/api-keys', () => {
  it('201: answers the secret once, and the key works at once', async () => {
    const body = wanted({ scopes: ['conversations:read', 'tokens:mint'] });
    const response = await running.api.post<ApiKeyResponse>(path, body, 201);
    expect(response.body).toEqual({
      id: expect.any(String) as string,
      key: expect.stringMatching(/^cvk_[A-Za-z0-9]+_[\w-]{43}$/) as string,
      secretShown: false,
      name: body.name,
      scopes: body.scopes,
      serviceId: await ownService(),
      expiresAt: null,
      rateLimit: null,
      lastUsedAt: null,
      createdAt: expect.any(String) as string,
    });
    expect(response.headers['cache-control']).toBe('no-store');
    expect(response.headers['location']).toBe(`${path}/${response.body.id}`);
    await running.api.get('/v1/conversations', 200, { key: response.body.key ?? '' });
  });

  it('201: keeps nothing of the secret but its SHA-256', async () => {
    const headers = { 'idempotency-key': unique('k') };
    const { body } = await running.api.post<ApiKeyResponse>(path, wanted(), 201, { headers });
    const { id, key = '' } = body;
    const [row] = await running.sql('select * from api_keys where id = $1', [id]);
    const secret = key.split('_').slice(2).join('_');
    const hash = createHash('sha256').update(secret).digest('hex');
    expect((row as { secret_hash: Buffer }).secret_hash.toString('hex')).toBe(hash);
    expect(JSON.stringify(row)).not.toContain(secret);
    const wishes = await running.sql('select * from wishes');
    expect(JSON.stringify(wishes)).toContain(id);
    expect(JSON.stringify(wishes)).not.toContain(secret);
  });

  it('422: the same Idempotency-Key with another body; 409 while the first is being written', async () => {
    const headers = { 'idempotency-key': unique('k') };
    await running.api.post(path, wanted(), 201, { headers });
    expectProblem(await running.api.post(path, wanted(), 422, { headers }), 'idempotency_key_reused');
    const blocker = new Client({ connectionString: running.database.url });
    await blocker.connect();
    try {
      await blocker.query('begin');
      await blocker.query('lock table api_keys in exclusive mode');
      const other = { headers: { 'idempotency-key': unique('k') } };
      const waiting = await running.api.post(path, wanted(), 409, other);
      expectProblem(waiting, 'idempotency_in_progress');
      expect(waiting.headers['retry-after']).toBe('1');
      await blocker.query('rollback');
      await running.api.post(path, wanted(), 201, other);
    } finally {
      await blocker.end();
    }
  });

  it('201: an expiry in any offset is kept as the same moment', async () => {
    const body = wanted({ expiresAt: '2099-06-30T12:00:00+02:00' });
    const response = await running.api.post<ApiKeyResponse>(path, body, 201);
    expect(response.body.expiresAt).toBe('2099-06-30T10:00:00.000Z');
  });

  it('201, then 401: a key works until it expires, and not after', async () => {
    const expiresAt = new Date(Date.now() + 500).toISOString();
    const { key } = await makeKey(running.api, ['admin'], { expiresAt });
    await eventually(() => running.api.get('/v1/conversations', 401, { key }));
    expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(expiresAt));
  });

  it.each([
    ['name', { name: '' }],
    ['name', { name: 'x'.repeat(257) }],
    ['name', { name: undefined }],
    ['scopes', { scopes: [] }],
    ['scopes', { scopes: undefined }],
    ['scopes', { scopes: 'admin' }],
    ['scopes', { scopes: ['everything'] }],
    ['scopes', { scopes: ['admin', 'admin'] }],
    ['scopes', { scopes: [['admin']] }],
    ['expiresAt', { expiresAt: '2001-01-01T00:00:00Z' }],
    ['expiresAt', { expiresAt: '2099-01-01' }],
    ['expiresAt', { expiresAt: '2099-W01-1' }],
    ['expiresAt', { expiresAt: '2099-02-30T00:00:00Z' }],
    ['expiresAt', { expiresAt: 4_102_444_800 }],
    ['expiresAt', { expiresAt: null }],
    ['rateLimit', { rateLimit: 0 }],
    ['rateLimit', { rateLimit: -1 }],
    ['rateLimit', { rateLimit: 1.5 }],
    ['rateLimit', { rateLimit: '60' }],
    ['rateLimit', { rateLimit: 1_000_001 }],
    ['rateLimit', { rateLimit: null }],
    ['serviceId', { serviceId: 'x' }],
    ['serviceId', { serviceId: null }],
  ])('400: %s may not be as in %j', async (field, more) => {
    expectInvalid(await running.api.post(path, wanted(more), 400), field);
  });

  it('201: an admin grants every scope of its own service but operator', async () => {
    const admin = await callerWith(running.api, 'admin');
    const scopes = SCOPES.filter((scope) => scope !== 'operator');
    await admin.post(path, wanted({ scopes }), 201);
    const problem = expectProblem(
      await admin.post(path, wanted({ scopes: ['operator'] }), 403),
      'missing_scope',
    );
    expect(problem.detail).toContain('operator');
  });

  it('403: who is no admin makes no keys for its own service, not even of its own scopes', async () => {
    for (const scope of ['operator', 'tokens:mint'] as const) {
      const caller = await callerWith(running.api, scope);
      expectProblem(await caller.post(path, wanted({ scopes: [scope] }), 403), 'missing_scope');
    }
  });

  it('404: a foreign serviceId is not there for an admin', async () => {
    const { id: serviceId } = await otherService(running.api);
    const admin = await callerWith(running.api, 'admin');
    expectProblem(await admin.post(path, wanted({ serviceId }), 404), 'not_found');
    expectProblem(await admin.get(`${path}?serviceId=${serviceId}`, 404), 'not_found');
  });

  it('201: an operator makes a key of another service, which reaches that service alone', async () => {
    const { id: serviceId, admin } = await otherService(running.api);
    const { key } = await makeKey(running.api, ['admin'], { serviceId: serviceId.toUpperCase() });
    const made = await admin.post<{ id: string }>('/v1/identities', { kind: 'bot', externalId: 'x' }, 201);
    await running.api.get(`/v1/identities/${made.body.id}`, 200, { key });
    await running.api.get(`/v1/identities/${made.body.id}`, 404);
  });

  it('403: an operator who is no admin grants only what stands in its own list', async () => {
    const { id: serviceId } = await otherService(running.api);
    const operator = await callerWith(running.api, 'operator', 'tokens:mint');
    await operator.post(path, wanted({ serviceId, scopes: ['tokens:mint', 'operator'] }), 201);
    const more = wanted({ serviceId, scopes: ['conversations:read'] });
    expectProblem(await operator.post(path, more, 403), 'missing_scope');
  });

  it('404: a serviceId that nobody has', async () => {
    const serviceId = '01890000-0000-7000-8000-000000000000';
    expectProblem(await running.api.post(path, wanted({ serviceId }), 404), 'not_found');
  });
});

describe('GET /v1/api-keys', () => {
  it('200: lists the keys of the own service, newest first, without any secret', async () => {
    const { id, admin } = await otherService(running.api);
    const first = await makeKey(admin, ['tokens:mint']);
    const second = await makeKey(admin, ['admin']);
    const keys = await keysOf(admin);
    expect(keys.map((key) => key.id).slice(0, 2)).toEqual([second.id, first.id]);
    expect(keys).toHaveLength(3);
    for (const key of keys) {
      expect(key).toMatchObject({ secretShown: true, serviceId: id });
      expect(key).not.toHaveProperty('key');
    }
    expect(JSON.stringify(keys)).not.toMatch(/cvk_|hash/);
    expect(await keysOf(running.api, `&serviceId=${id}`)).toEqual(await keysOf(admin));
  });

  it('200: pages', async () => {
    const { admin } = await otherService(running.api);
    const newest = await makeKey(admin, ['admin']);
    const { body: first } = await admin.get<KeyPage>(`${path}?limit=1`, 200);
    expect(first.data.map(({ id }) => id)).toEqual([newest.id]);
    const { body: second } = await admin.get<KeyPage>(`${path}?limit=1&cursor=${first.nextCursor}`, 200);
    expect(second).toMatchObject({ data: [{ scopes: ['admin'] }], nextCursor: null });
    expect(second.data[0]?.id).not.toBe(newest.id);
  });

  it('200: pages neither twice nor past a key, whatever is made and revoked between two pages', async () => {
    const { admin } = await otherService(running.api);
    const ids: string[] = [];
    for (let n = 0; n < 5; n += 1) ids.unshift((await makeKey(admin, ['tokens:mint'])).id);
    const { body: first } = await admin.get<KeyPage>(`${path}?limit=2`, 200);
    await makeKey(admin, ['tokens:mint']);
    // The one that the cursor stands on, too.
    for (const id of ids.slice(0, 2)) await admin.delete(`${path}/${id}`, 204);
    const { body: second } = await admin.get<KeyPage>(`${path}?limit=2&cursor=${first.nextCursor}`, 200);
    const { body: third } = await admin.get<KeyPage>(`${path}?limit=2&cursor=${second.nextCursor}`, 200);
    const seen = [first, second, third].flatMap(({ data }) => data.map(({ id }) => id));
    expect(seen.slice(0, 5)).toEqual(ids);
    expect(third.nextCursor).toBeNull();
  });

  it('200: an expired key is listed until it is revoked', async () => {
    const expiresAt = new Date(Date.now() + 300).toISOString();
    const { id, key } = await makeKey(running.api, ['tokens:mint'], { expiresAt });
    await eventually(() => running.api.get('/v1/conversations', 401, { key }));
    expect((await keysOf(running.api)).find((one) => one.id === id)).toMatchObject({ expiresAt });
    await running.api.delete(`${path}/${id}`, 204);
    expect((await keysOf(running.api)).map((one) => one.id)).not.toContain(id);
  });

  it('400: a limit or a cursor that is none', async () => {
    for (const query of ['limit=0', 'limit=101', 'limit=x'])
      expectInvalid(await running.api.get(`${path}?${query}`, 400), 'limit');
    expectInvalid(await running.api.get(`${path}?cursor=x`, 400), 'cursor');
    expectInvalid(await running.api.get(`${path}?serviceId=x`, 400), 'serviceId');
  });

  it('403: who is no admin lists the keys of another service alone, as an operator', async () => {
    const { id: serviceId } = await otherService(running.api);
    const operator = await callerWith(running.api, 'operator');
    expectProblem(await operator.get(path, 403), 'missing_scope');
    expect((await keysOf(operator, `&serviceId=${serviceId}`)).length).toBe(1);
  });

  it('200: says when a key was used last', async () => {
    const before = Date.now() - 1000;
    const { id, key } = await makeKey(running.api, ['admin']);
    const lastUse = async () => (await keysOf(running.api)).find((one) => one.id === id)?.lastUsedAt;
    expect(await lastUse()).toBeNull();
    await running.api.get('/v1/conversations', 200, { key });
    const used = await eventually(async () => {
      const time = await lastUse();
      expect(time).not.toBeNull();
      return time;
    });
    expect(Date.parse(used ?? '')).toBeGreaterThanOrEqual(before);
  });
});

describe('BOOTSTRAP_API_KEY', () => {
  const startWith = async (key: string): Promise<ApiClient> => {
    const env = { ...serviceEnv(running.database.url, running.sandbox), BOOTSTRAP_API_KEY: key };
    const app = await createApp(loadConfig(env));
    await app.close();
    return running.api.with(key);
  };

  it('is made known by a start, as operator and admin, once', async () => {
    const key = `cvk_boot1_${'a'.repeat(32)}`;
    await startWith(key);
    const api = await startWith(key);
    await api.get('/v1/services', 200);
    const mine = (await keysOf(api)).filter(({ name }) => name === 'bootstrap');
    expect(mine).toHaveLength(2);
    expect(mine[0]).toMatchObject({ scopes: ['operator', 'admin'], serviceId: await ownService() });
  });

  it('stays revoked once it is revoked, whatever starts with it', async () => {
    const key = `cvk_boot2_${'a'.repeat(32)}`;
    const api = await startWith(key);
    const newest = (await keysOf(api))[0]?.id;
    await running.api.delete(`${path}/${newest}`, 204);
    await startWith(key);
    await api.get('/v1/services', 401);
  });

  it('stops the start when its id is known with another secret, and does not say which', async () => {
    await startWith(`cvk_boot3_${'a'.repeat(32)}`);
    const started = startWith(`cvk_boot3_${'b'.repeat(32)}`);
    await expect(started).rejects.toThrow(/boot3 is known with another secret/);
    await expect(started).rejects.not.toThrow(/bbbb/);
    await running.api.get('/v1/services', 200, { key: `cvk_boot3_${'a'.repeat(32)}` });
  });
});
