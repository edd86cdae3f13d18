import { Client } from 'pg';
import request from 'supertest';
import { describe, expect, it } from 'vitest';
import type { IdentityResponse } from '../../src/identities/identity.dto.js';
import { callerWith } from '../support/access.js';
import type { Answer } from '../support/api-client.js';
import { unique, useApp } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import { expectInvalid, expectProblem } from '../support/problems.js';
import { waiting } from '../support/writers.js';

// As few connections as may be: whoever waits for a second one while holding the first would wait for ever.
const running = useApp({ DATABASE_POOL_SIZE: '2' });

const path = '/v1/identities';

const person = (more: object = {}) => ({ kind: 'customer', externalId: unique('cust'), ...more });

const make = async (more: object = {}) =>
  (await running.api.post<IdentityResponse>(path, person(more), 201)).body;

const at = (externalId: string | null) => `${path}/by-external-id/${encodeURIComponent(externalId ?? '')}`;

const etagOf = (answer: Answer<unknown>) => String(answer.headers['etag']);

const ifMatch = (etag: string) => ({ headers: { 'if-match': etag } });

describe('PUT /v1/identities/by-external-id/{externalId}', () => {
  it('201, then 200: makes the identity, then finds the same one', async () => {
    const { externalId, ...body } = person({ displayName: 'Bob', attributes: { a: 1 } });
    const made = await running.api.put<IdentityResponse>(at(externalId), body, 201);
    expect(made.body).toMatchObject({ externalId, displayName: 'Bob', attributes: { a: 1 } });
    const found = await running.api.put<IdentityResponse>(at(externalId), body, 200);
    expect(found.body).toEqual(made.body);
    for (const answer of [made, found]) {
      expect(answer.headers['location']).toBe(`${path}/${made.body.id}`);
    }
    expect(etagOf(found)).toBe(etagOf(made));
  });

  it('201 where the externalId becomes free while it is looked up: it is made anew', async () => {
    const { id, externalId } = await make();
    const client = new Client({ connectionString: running.database.url });
    await client.connect();
    try {
      await client.query('begin');
      await client.query('select from identities where id = $1 for update', [id]);
      const put = running.api.put<IdentityResponse>(at(externalId), { kind: 'customer' }, 201);
      await eventually(async () => expect(await waiting(running)).toBe(1));
      // As an erasure, or the end of a deletion.
      await client.query('update identities set external_id = null where id = $1', [id]);
      await client.query('commit');
      const { body } = await put;
      expect(body).toMatchObject({ externalId, kind: 'customer' });
      expect(body.id).not.toBe(id);
    } finally {
      await client.end();
    }
  });

  it('200: a key left out stays, null clears, attributes are replaced whole', async () => {
    const { externalId } = await make({ displayName: 'Bob', attributes: { a: 1, b: 2 } });
    const put = async (body: object) =>
      (await running.api.put<IdentityResponse>(at(externalId), body, 200)).body;
    expect(await put({ displayName: 'Robert' })).toMatchObject({
      displayName: 'Robert',
      attributes: { a: 1, b: 2 },
    });
    expect(await put({ attributes: { b: 3 } })).toMatchObject({
      displayName: 'Robert',
      attributes: { b: 3 },
    });
    expect(await put({ displayName: null, attributes: null })).toMatchObject({
      displayName: null,
      attributes: {},
    });
  });

  it('200: the kind may be left out where the identity is known', async () => {
    const known = await make({ kind: 'agent' });
    expect((await running.api.put(at(known.externalId), {}, 200)).body).toEqual(known);
  });

  it('400: the kind may not be left out where the identity is not known', async () => {
    expectInvalid(await running.api.put(at(unique('cust')), { displayName: 'Bob' }, 400), 'kind');
  });

  it('409: the kind of a person does not change', async () => {
    const known = await make({ displayName: 'Bob' });
    const body = { kind: 'agent', displayName: 'Robert' };
    const response = await running.api.put(at(known.externalId), body, 409);
    expectProblem(response, 'identity_kind_mismatch');
    expect((await running.api.get(`${path}/${known.id}`, 200)).body).toEqual(known);
  });

  it('400: another externalId in the body is refused, the same one is taken', async () => {
    const body = person();
    expectInvalid(await running.api.put(at(unique('other')), body, 400), 'externalId');
    await running.api.put(at(body.externalId), body, 201);
  });

  it('400: a path that is no externalId makes nobody', async () => {
    for (const odd of ['..', `US${'0'.repeat(32)}`, 'a\nb', ' ']) {
      expectInvalid(await running.api.put(at(odd).replaceAll('.', '%2E'), person(), 400), 'externalId');
    }
  });

  it('201 and 200: of many racers exactly one makes it, and all get the same one', async () => {
    const { externalId, ...body } = person();
    const racers = Array.from({ length: 12 }, () =>
      request(running.server)
        .put(at(externalId))
        .set('authorization', `Bearer ${running.api.key}`)
        .send(body),
    );
    const answers = await Promise.all(racers);
    expect(answers.map(({ status }) => status).sort()).toEqual([...Array<number>(11).fill(200), 201]);
    expect(new Set(answers.map((answer) => (answer.body as IdentityResponse).id)).size).toBe(1);
  });

  it('412: with If-Match nothing is made, and only what was read is changed', async () => {
    const fresh = await running.api.put(at(unique('cust')), { kind: 'customer' }, 412, ifMatch('*'));
    expectProblem(fresh, 'precondition_failed');
    const known = await make();
    const read = await running.api.get(`${path}/${known.id}`, 200);
    const body = { displayName: 'One' };
    const changed = await running.api.put(at(known.externalId), body, 200, ifMatch(etagOf(read)));
    const late = await running.api.put(at(known.externalId), body, 412, ifMatch(etagOf(read)));
    expectProblem(late, 'precondition_failed');
    await running.api.put(at(known.externalId), body, 200, ifMatch(etagOf(changed)));
  });
});

describe('PATCH /v1/identities/{identity}', () => {
  it('200: a key left out stays, null clears, attributes are replaced whole', async () => {
    const { id, createdAt } = await make({ displayName: 'Bob', attributes: { a: 1, b: 2 } });
    const patch = async (body: object) =>
      (await running.api.patch<IdentityResponse>(`${path}/${id}`, body, 200)).body;
    const renamed = await patch({ displayName: 'Robert' });
    expect(renamed).toMatchObject({ displayName: 'Robert', attributes: { a: 1, b: 2 }, createdAt });
    expect(Date.parse(renamed.updatedAt)).toBeGreaterThanOrEqual(Date.parse(createdAt));
    expect(await patch({ attributes: { b: 3 } })).toMatchObject({ attributes: { b: 3 } });
    const cleared = await patch({ displayName: null, attributes: null });
    expect(cleared).toMatchObject({ displayName: null, attributes: {} });
    expect((await running.api.get(`${path}/${id}`, 200)).body).toEqual(cleared);
  });

  it('200: what changes nothing leaves the time and the ETag as they are', async () => {
    const { id } = await make({ displayName: 'Bob', attributes: { a: 1 } });
    const before = await running.api.get(`${path}/${id}`, 200);
    for (const body of [{}, { displayName: 'Bob' }, { attributes: { a: 1 } }]) {
      const after = await running.api.patch(`${path}/${id}`, body, 200);
      expect(after.body).toEqual(before.body);
      expect(etagOf(after)).toBe(etagOf(before));
    }
  });

  it.each(['kind', 'externalId', 'status', 'twilioIdentity', 'id'])(
    '400: %s cannot be changed',
    async (field) => {
      const { id } = await make();
      expectInvalid(await running.api.patch(`${path}/${id}`, { [field]: 'agent' }, 400), field);
    },
  );

  it('200: a suspended identity can be changed; 403: an erased one cannot', async () => {
    const { id } = await make();
    await running.sql(`update identities set status = 'suspended' where id = $1`, [id]);
    await running.api.patch(`${path}/${id}`, { displayName: 'Bob' }, 200);
    await running.sql(`update identities set status = 'erased', external_id = null where id = $1`, [id]);
    const response = await running.api.patch(`${path}/${id}`, { displayName: 'Bob' }, 403);
    expectProblem(response, 'identity_suspended');
  });

  it('404: an identity that nobody has', async () => {
    const none = `${path}/01890000-0000-7000-8000-000000000000`;
    expectProblem(await running.api.patch(none, { displayName: 'Bob' }, 404), 'not_found');
  });

  it('412: a change built on what has changed since is refused, and changes nothing', async () => {
    const { id } = await make();
    const read = await running.api.get(`${path}/${id}`, 200);
    await running.api.patch(`${path}/${id}`, { displayName: 'First' }, 200, ifMatch(etagOf(read)));
    const late = await running.api.patch(
      `${path}/${id}`,
      { displayName: 'Late' },
      412,
      ifMatch(etagOf(read)),
    );
    expectProblem(late, 'precondition_failed');
    const { body } = await running.api.get<IdentityResponse>(`${path}/${id}`, 200);
    expect(body.displayName).toBe('First');
  });

  it('200: If-Match takes *, and a list with the tag among others; 412: a weak tag never matches', async () => {
    const { id } = await make();
    const etag = etagOf(await running.api.get(`${path}/${id}`, 200));
    expect(etag).toMatch(/^"[^"]+"$/);
    const patch = (status: number, tags: string) =>
      running.api.patch(`${path}/${id}`, {}, status, ifMatch(tags));
    await patch(200, '*');
    await patch(200, `"other", ${etag}`);
    expectProblem(await patch(412, `W/${etag}`), 'precondition_failed');
    expectProblem(await patch(412, '"other"'), 'precondition_failed');
    expectProblem(await patch(412, ''), 'precondition_failed');
  });

  it('200 and 412: of many racers with the same If-Match exactly one wins', async () => {
    const { id } = await make();
    const etag = etagOf(await running.api.get(`${path}/${id}`, 200));
    const racers = Array.from({ length: 12 }, (_, index) =>
      request(running.server)
        .patch(`${path}/${id}`)
        .set({ authorization: `Bearer ${running.api.key}`, 'if-match': etag })
        .send({ displayName: `Racer ${index}` }),
    );
    const statuses = (await Promise.all(racers)).map(({ status }) => status);
    expect(statuses.sort()).toEqual([200, ...Array<number>(11).fill(412)]);
  });
});

describe('many at once, on few connections', () => {
  it('201 and 409: a crowd that makes known identities gets its answers at once', async () => {
    const { key } = await callerWith(running.api, 'identities:write');
    const known = await make();
    const startedAt = performance.now();
    const crowd = Array.from({ length: 30 }, (_, index) =>
      request(running.server)
        .post(path)
        .set('authorization', `Bearer ${key}`)
        .send(index % 2 ? person() : person({ externalId: known.externalId })),
    );
    const statuses = (await Promise.all(crowd)).map(({ status }) => status);
    expect(statuses.filter((status) => status === 201)).toHaveLength(15);
    expect(statuses.filter((status) => status === 409)).toHaveLength(15);
    expect(performance.now() - startedAt).toBeLessThan(4000);
  });
});
