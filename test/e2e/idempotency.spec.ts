import request from 'supertest';
import { describe, expect, it } from 'vitest';
import type { ApiKeyResponse } from '../../src/chat-services/api-keys/api-key.dto.js';
import type { IdentityResponse } from '../../src/identities/identity.dto.js';
import { callerWith, otherService } from '../support/access.js';
import type { Answer } from '../support/api-client.js';
import { unique, useApp } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import { expectInvalid, expectProblem } from '../support/problems.js';

const running = useApp();

const path = '/v1/identities';

const person = (more: object = {}) => ({ kind: 'customer', externalId: unique('cust'), ...more });

const withKey = (key: string) => ({ headers: { 'idempotency-key': key } });

const post = (body: object, status: number, key: string, api = running.api) =>
  api.post<IdentityResponse>(path, body, status, withKey(key));

function expectReplayed(again: Answer<unknown>, first: Answer<unknown>): void {
  expect({ status: again.status, text: again.text }).toEqual({ status: first.status, text: first.text });
  expect(again.headers['idempotent-replayed']).toBe('true');
  expect(again.headers['location']).toBe(first.headers['location']);
  expect(again.headers['content-type']).toBe(first.headers['content-type']);
}

describe('the same key with the same body', () => {
  it('201: gives the same bytes again, says so, and makes nothing twice', async () => {
    const [key, body] = [
      unique('k'),
      person({ displayName: 'Bob', attributes: { b: 1, a: { z: 0, y: '😀' } } }),
    ];
    const first = await post(body, 201, key);
    expect(first.headers).not.toHaveProperty('idempotent-replayed');
    await running.api.patch(`${path}/${first.body.id}`, { displayName: 'Changed since' }, 200);
    for (let round = 0; round < 3; round++) expectReplayed(await post(body, 201, key), first);
    const { body: page } = await running.api.get<{ data: unknown[] }>(
      `${path}?externalId=${body.externalId}`,
      200,
    );
    expect(page.data).toHaveLength(1);
  });

  it('201: the order of keys and white space in JSON do not count', async () => {
    const [key, externalId] = [unique('k'), unique('cust')];
    const send = (text: string) =>
      request(running.server)
        .post(path)
        .set({ authorization: `Bearer ${running.api.key}`, 'content-type': 'application/json' })
        .set('idempotency-key', key)
        .send(text);
    const first = await send(
      `{"kind":"agent","externalId":"${externalId}","attributes":{"a":1,"b":[{"x":1,"y":2}]}}`,
    );
    const again = await send(
      `{ "attributes": {"b": [ {"y": 2.0, "x": 1} ], "a": 1},\n "externalId": "${externalId}", "kind": "\\u0061gent" }`,
    );
    expect(first.status).toBe(201);
    expect(again.text).toBe(first.text);
    expect(again.headers['idempotent-replayed']).toBe('true');
    const other = await send(
      `{"kind":"agent","externalId":"${externalId}","attributes":{"a":1,"b":[{"y":1,"x":2}]}}`,
    );
    expectProblem(other, 'idempotency_key_reused');
  });

  it('201: the key is the same plain and quoted', async () => {
    const [key, body] = [unique('k'), person()];
    const first = await post(body, 201, key);
    expectReplayed(await post(body, 201, `"${key}"`), first);
    const odd = person();
    const quoted = await post(odd, 201, `"${key}\\"x\\\\"`);
    expectReplayed(await post(odd, 201, `${key}"x\\`), quoted);
  });

  it('201: many at once make one, and all get its bytes', async () => {
    const [key, body] = [unique('k'), person()];
    const calls = Array.from({ length: 12 }, () =>
      request(running.server)
        .post(path)
        .set({ authorization: `Bearer ${running.api.key}`, 'idempotency-key': key })
        .send(body),
    );
    const answers = await Promise.all(calls);
    expect(answers.map(({ status }) => status)).toEqual(Array(12).fill(201));
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    expect(answers.filter(({ headers }) => headers['idempotent-replayed'] === 'true')).toHaveLength(11);
  });

  it('201: a key of 255 characters is taken', async () => {
    const [key, body] = ['k'.repeat(255), person()];
    const first = await post(body, 201, key);
    expectReplayed(await post(body, 201, `"${key}"`), first);
  });

  it('the call stays safe to repeat when its API key has been replaced', async () => {
    const [key, body] = [unique('k'), person()];
    const [old, rotated] = [await callerWith(running.api, 'admin'), await callerWith(running.api, 'admin')];
    const first = await post(body, 201, key, old);
    expectReplayed(await post(body, 201, key, rotated), first);
  });
});

describe('the same key with another body', () => {
  it('422: is refused, and changes nothing', async () => {
    const [key, body] = [unique('k'), person()];
    const first = await post(body, 201, key);
    const other = person();
    expectProblem(await post(other, 422, key), 'idempotency_key_reused');
    expectProblem(await post({ ...body, displayName: 'Bob' }, 422, key), 'idempotency_key_reused');
    const list = await running.api.get(`${path}?externalId=${other.externalId}`, 200);
    expect(list.body).toEqual({ data: [], nextCursor: null });
    expectReplayed(await post(body, 201, key), first);
  });
});

describe('the scope of a key', () => {
  it('is the path: the same key elsewhere is another', async () => {
    const key = unique('k');
    await post(person(), 201, key);
    const body = { name: 'x', scopes: ['admin'] };
    const response = await running.api.post('/v1/api-keys', body, 201, withKey(key));
    expect(response.headers).not.toHaveProperty('idempotent-replayed');
  });

  it('is the chat service: the same key of another service is another', async () => {
    const [key, body] = [unique('k'), person()];
    const first = await post(body, 201, key);
    const { admin } = await otherService(running.api);
    const foreign = await post(body, 201, key, admin);
    expect(foreign.body.id).not.toBe(first.body.id);
    expect(foreign.headers).not.toHaveProperty('idempotent-replayed');
  });

  it('is not the query: it does not name another call', async () => {
    const [key, body] = [unique('k'), person()];
    const first = await post(body, 201, key);
    const again = await running.api.post<IdentityResponse>(`${path}?`, body, 201, withKey(key));
    expectReplayed(again, first);
  });

  it('401 and 403: a replay is for those alone who might make the call', async () => {
    const [key, body] = [unique('k'), person()];
    await post(body, 201, key);
    const reader = await callerWith(running.api, 'identities:read');
    expectProblem(await post(body, 403, key, reader), 'missing_scope');
    const nobody = await running.api.post(path, body, 401, { ...withKey(key), key: null });
    expectProblem(nobody, 'unauthorized');
  });
});

describe('what is not stored', () => {
  it('400: a body that was refused leaves the key free', async () => {
    const [key, body] = [unique('k'), person()];
    expectInvalid(await post({ ...body, colour: 'red' }, 400, key), 'colour');
    expect((await post(body, 201, key)).headers).not.toHaveProperty('idempotent-replayed');
  });

  it('409: a conflict found before anything was written leaves the key free', async () => {
    const [key, body] = [unique('k'), person()];
    await running.api.post(path, body, 201);
    expectProblem(await post(body, 409, key), 'identity_exists');
    expectProblem(await post(body, 409, key), 'identity_exists');
    await post(person(), 201, key);
  });

  it('403: a grant that was refused leaves the key free', async () => {
    const key = unique('k');
    const admin = await callerWith(running.api, 'admin');
    const call = (scopes: string[], status: number) =>
      admin.post('/v1/api-keys', { name: 'x', scopes }, status, withKey(key));
    expectProblem(await call(['operator'], 403), 'missing_scope');
    await call(['admin'], 201);
  });
});

describe('the form of a key', () => {
  it.each(['', ' ', '""', 'k'.repeat(256), `"${'k'.repeat(256)}"`])('400: %j is none', async (key) => {
    expectInvalid(await post(person(), 400, key), 'Idempotency-Key');
  });
});

describe('POST /v1/api-keys', () => {
  const wanted = () => ({ name: unique('key'), scopes: ['admin'] });

  const make = (body: object, key: string) =>
    running.api.post<ApiKeyResponse>('/v1/api-keys', body, 201, withKey(key));

  it('201: a repeated call makes no second key, and does not show the secret again', async () => {
    const [key, body] = [unique('k'), wanted()];
    const first = await make(body, key);
    const again = await make(body, key);
    const { key: secret, ...shown } = first.body;
    expect(secret).toMatch(/^cvk_/);
    expect(again.body).toEqual({ ...shown, secretShown: true });
    expect(again.headers['idempotent-replayed']).toBe('true');
    expectReplayed(await make(body, key), again);
    const { body: page } = await running.api.get<{ data: ApiKeyResponse[] }>('/v1/api-keys?limit=100', 200);
    expect(page.data.filter(({ name }) => name === body.name)).toHaveLength(1);
  });

  it('201: a repeated call is answered although the expiry asked for is past', async () => {
    const [key, expiresAt] = [unique('k'), new Date(Date.now() + 400).toISOString()];
    const body = { ...wanted(), expiresAt };
    const first = await make(body, key);
    await eventually(() => running.api.get(path, 401, { key: first.body.key ?? '' }));
    expect((await make(body, key)).body.id).toBe(first.body.id);
  });

  it('201: an operator repeats a call for another service under its own service', async () => {
    const { id: serviceId } = await otherService(running.api);
    const [key, body] = [unique('k'), { ...wanted(), serviceId }];
    const first = await make(body, key);
    expect((await make(body, key)).body).toMatchObject({ id: first.body.id, serviceId, secretShown: true });
  });
});

describe('POST /v1/services', () => {
  it('201: a repeated call makes no second service', async () => {
    const [key, body] = [unique('k'), { friendlyName: unique('service') }];
    const call = () => running.api.post('/v1/services', body, 201, withKey(key));
    const first = await call();
    const last = await running.sandbox.last();
    expectReplayed(await call(), first);
    const made = (await running.sandbox.requests(last)).filter(({ method }) => method !== 'GET');
    expect(made).toEqual([]);
  });

  it('202, then 201: the key stays bound to what was begun', async () => {
    const [key, body] = [unique('k'), { friendlyName: unique('service') }];
    const call = (status: number, prefer: string) =>
      running.api.post<{ id: string }>('/v1/services', body, status, {
        headers: { 'idempotency-key': key, prefer },
      });
    await running.sandbox.fault({ method: 'POST', path: '/v1/Services$' }, { type: 'delay', ms: 300 });
    try {
      const begun = await call(202, 'respond-async');
      const waiting = expectProblem(await call(409, 'wait=0'), 'idempotency_in_progress');
      expect(waiting.status).toBe(409);
      const done = await call(201, 'wait=10');
      expect(done.body.id).toBe(begun.body.id);
      expectReplayed(await call(201, 'wait=0'), done);
    } finally {
      await running.sandbox.clearFaults();
    }
  });

  it('409: while it is under way, says where to look and when to come again', async () => {
    const [key, body] = [unique('k'), { friendlyName: unique('service') }];
    await running.sandbox.fault({ method: 'POST', path: '/v1/Services$' }, { type: 'delay', ms: 300 });
    const headers = { 'idempotency-key': key, prefer: 'wait=0' };
    try {
      const begun = await running.api.post('/v1/services', body, 202, { headers });
      const again = await running.api.post('/v1/services', body, 409, { headers });
      expect(again.headers['location']).toBe(begun.headers['location']);
      expect(again.headers['retry-after']).toMatch(/^\d+$/);
    } finally {
      await running.sandbox.clearFaults();
    }
  });
});

it('tokens are minted anew each time: they take no key', async () => {
  const { body } = await running.api.post<IdentityResponse>(path, person(), 201);
  const key = unique('k');
  const first = await running.api.post('/v1/tokens', { identityId: body.id }, 201, withKey(key));
  const other = await running.api.post('/v1/tokens', { externalId: body.externalId }, 201, withKey(key));
  for (const answer of [first, other]) expect(answer.headers).not.toHaveProperty('idempotent-replayed');
});
