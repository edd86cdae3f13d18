import request from 'supertest';
import { describe, expect, it } from 'vitest';
import type { IdentityResponse } from '../../src/identities/identity.dto.js';
import { otherService } from '../support/access.js';
import { unique, useApp } from '../support/app.js';
import { importAll, RunningImport, type ImportOptions } from '../support/import-client.js';
import { expectProblem } from '../support/problems.js';

const running = useApp();

const path = '/v1/identities/import';

const send = async (text: string | Buffer, options?: ImportOptions) =>
  importAll(await running.baseUrl(), running.api.key, text, options);

const lines = (...bodies: object[]) => bodies.map((body) => `${JSON.stringify(body)}\n`).join('');

const person = (more: object = {}) => ({ kind: 'customer', externalId: unique('imported'), ...more });

const find = async (externalId: string): Promise<IdentityResponse | undefined> => {
  const query = `/v1/identities?externalId=${encodeURIComponent(externalId)}`;
  return (await running.api.get<{ data: IdentityResponse[] }>(query, 200)).body.data[0];
};

const upsert = async (externalId: string, body: object, status: number) =>
  (await running.api.put<IdentityResponse>(`/v1/identities/by-external-id/${externalId}`, body, status)).body;

describe('POST /v1/identities/import', () => {
  it('200: a line each, in their order: created, updated, unchanged, with the id of the identity', async () => {
    const known = await upsert(unique('imported'), { kind: 'agent', displayName: 'Ada' }, 201);
    const changed = await upsert(unique('imported'), { kind: 'agent', displayName: 'Lin' }, 201);
    const fresh = person({ displayName: 'Bob', attributes: { b: 1, a: [2] } });
    const results = await send(
      lines({ externalId: known.externalId, displayName: 'Ada' }, fresh, {
        kind: 'agent',
        externalId: changed.externalId,
        displayName: 'Lina',
      }),
    );
    const made = await find(fresh.externalId);
    expect(results).toEqual([
      { line: 1, status: 'unchanged', id: known.id },
      { line: 2, status: 'created', id: made?.id },
      { line: 3, status: 'updated', id: changed.id },
    ]);
    expect(made).toMatchObject({ ...fresh, status: 'active', twilioSid: null });
    expect(Object.keys(made?.attributes ?? {})).toEqual(['b', 'a']);
    expect(await find(known.externalId ?? '')).toEqual(known);
    expect(await find(changed.externalId ?? '')).toMatchObject({ id: changed.id, displayName: 'Lina' });
  });

  it('200: the answer says that it is lines of JSON', async () => {
    const response = await request(running.server)
      .post(path)
      .set('authorization', `Bearer ${running.api.key}`)
      .set('content-type', 'application/x-ndjson')
      .send(lines(person()));
    expect(response.status).toBe(200);
    expect(response.headers['content-type']).toBe('application/x-ndjson; charset=utf-8');
  });

  it('200: a key left out stays, null clears, as with PUT', async () => {
    const { externalId = '' } = await upsert(
      unique('imported'),
      { kind: 'agent', displayName: 'Ada', attributes: { a: 1 } },
      201,
    );
    await send(lines({ externalId, attributes: null }));
    expect(await find(externalId ?? '')).toMatchObject({ displayName: 'Ada', attributes: {} });
    await send(lines({ externalId, displayName: null, attributes: { b: 2 } }));
    expect(await find(externalId ?? '')).toMatchObject({ displayName: null, attributes: { b: 2 } });
  });

  it('200: sent again it changes nothing, not even updatedAt', async () => {
    const people = Array.from({ length: 30 }, (_, n) => person({ displayName: `Person ${n}` }));
    const first = await send(lines(...people));
    expect(new Set(first.map(({ status }) => status))).toEqual(new Set(['created']));
    const before = await find(people[7]?.externalId ?? '');
    const again = await send(lines(...people));
    expect(again).toEqual(first.map((result) => ({ ...result, status: 'unchanged' })));
    expect(await find(people[7]?.externalId ?? '')).toEqual(before);
  });

  it('200: what one person is told in several lines comes in their order', async () => {
    const { externalId } = person();
    const results = await send(
      lines(
        { kind: 'customer', externalId, displayName: 'one', attributes: { a: 1 } },
        person(),
        { externalId, displayName: 'two' },
        { externalId, displayName: 'two' },
        { externalId, displayName: 'three', attributes: null },
      ),
    );
    expect(results.map(({ status }) => status)).toEqual([
      'created',
      'created',
      'updated',
      'unchanged',
      'updated',
    ]);
    expect(await find(externalId)).toMatchObject({ displayName: 'three', attributes: {} });
  });

  it('200: a suspended person is changed, and stays suspended', async () => {
    const { id, externalId } = await upsert(unique('imported'), { kind: 'customer' }, 201);
    await running.sql(`update identities set status = 'suspended' where id = $1`, [id]);
    expect(await send(lines({ externalId, displayName: 'Bob' }))).toEqual([
      { line: 1, status: 'updated', id },
    ]);
    expect(await find(externalId ?? '')).toMatchObject({ displayName: 'Bob', status: 'suspended' });
  });

  it('200: each chat service has people of its own', async () => {
    const { admin } = await otherService(running.api);
    const body = person();
    const [ours] = await send(lines(body));
    const [theirs] = await importAll(await running.baseUrl(), admin.key, lines(body));
    expect([ours?.status, theirs?.status]).toEqual(['created', 'created']);
    expect(ours?.id).not.toBe(theirs?.id);
  });

  it('200: no line at all is answered by none', async () => {
    expect(await send('')).toEqual([]);
    expect(await send('\n\r\n \n')).toEqual([]);
  });

  it('200: application/jsonl, with a charset, in any case', async () => {
    expect(await send(lines(person()), { type: 'Application/JSONL; charset=UTF-8' })).toMatchObject([
      { line: 1, status: 'created' },
    ]);
  });

  it('200: CRLF, a byte order mark, empty lines and a last line without an end are taken', async () => {
    const [a, b, c] = [person({ displayName: 'Ä 🦊' }), person(), person()].map((body) =>
      JSON.stringify(body),
    );
    const results = await send(`\ufeff${a}\r\n\r\n\ufeff\n  \n${b}\n${c}`);
    expect(results.map(({ line, status }) => [line, status])).toEqual([
      [1, 'created'],
      [5, 'created'],
      [6, 'created'],
    ]);
  });

  it('200: it does not matter where the pieces of the upload are cut', async () => {
    const text = Buffer.from(`\ufeff${lines(person({ displayName: 'Ä 🦊' }), person())}`);
    const importing = new RunningImport(await running.baseUrl(), running.api.key);
    for (const byte of text) await importing.send(Buffer.from([byte]));
    importing.end();
    expect((await importing.done).map(({ status }) => status)).toEqual(['created', 'created']);
  });
});

describe('a line that is wrong', () => {
  const around = async (bad: string | Buffer) => {
    const [before, after] = [person(), person()];
    const text = Buffer.concat([
      Buffer.from(lines(before)),
      Buffer.from(bad),
      Buffer.from(`\n${lines(after)}`),
    ]);
    const [first, wrong, last] = await send(text);
    expect([first?.status, last?.status, last?.line]).toEqual(['created', 'created', 3]);
    expect(await find(after.externalId)).toBeDefined();
    return wrong;
  };

  it.each([
    ['kind', { kind: 'ghost', externalId: 'x' }],
    ['kind', { kind: null, externalId: 'x' }],
    ['kind', { externalId: 'not-known-and-without-kind' }],
    ['externalId', { kind: 'agent' }],
    ['externalId', { kind: 'agent', externalId: null }],
    ['externalId', { kind: 'agent', externalId: '..' }],
    ['externalId', { kind: 'agent', externalId: `CH${'a'.repeat(32)}` }],
    ['displayName', { kind: 'agent', externalId: 'x', displayName: 'x'.repeat(257) }],
    ['attributes', { kind: 'agent', externalId: 'x', attributes: [] }],
    ['attributes', { kind: 'agent', externalId: 'x', attributes: { a: 'x'.repeat(16_384) } }],
    ['attributes', { kind: 'agent', externalId: 'x', attributes: { a: '\u0000' } }],
    ['colour', { kind: 'agent', externalId: 'x', colour: 'red' }],
    ['constructor', { kind: 'agent', externalId: 'x', constructor: 'x' }],
    ['serviceRole', { kind: 'agent', externalId: 'x', serviceRole: 'service user' }],
  ])('is told with the field %s, and stops no other', async (field, body) => {
    expect(await around(JSON.stringify(body))).toEqual({
      line: 2,
      status: 'failed',
      code: 'validation_failed',
      errors: [{ field, message: expect.any(String) as string }],
    });
  });

  it.each([
    ['no JSON', '{"kind":"agent"'],
    ['two documents', '{} {}'],
    ['invalid UTF-8', Buffer.from([0x22, 0xc3, 0x28, 0x22])],
    ['nested too deeply', `{"attributes":${'['.repeat(100)}${']'.repeat(100)}}`],
    ['what changes a prototype', '{"kind":"agent","externalId":"x","__proto__":{"a":1}}'],
  ])('with %s is told as malformed_json', async (_, text) => {
    const message = expect.any(String) as string;
    expect(await around(text)).toEqual({
      line: 2,
      status: 'failed',
      code: 'malformed_json',
      errors: [{ field: 'line', message }],
    });
  });

  it.each(['[]', '"x"', '7', 'null'])('with %s, which is no object, is told', async (text) => {
    expect(await around(text)).toMatchObject({ status: 'failed', code: 'validation_failed' });
  });

  it('that is longer than 64 KiB is passed over and told; one of 64 KiB is read', async () => {
    const sized = (bytes: number) => {
      const text = JSON.stringify(person());
      return text + ' '.repeat(bytes - text.length);
    };
    expect(await around(sized(65_536))).toMatchObject({ line: 2, status: 'created' });
    expect(await around(sized(65_537))).toMatchObject({ line: 2, code: 'payload_too_large' });
    expect(await around('x'.repeat(5_000_000))).toMatchObject({ line: 2, code: 'payload_too_large' });
  });

  it('that names another kind is told with the code of PUT, and nothing is changed', async () => {
    const { id, externalId } = await upsert(unique('imported'), { kind: 'agent', displayName: 'Ada' }, 201);
    expect(await around(JSON.stringify({ kind: 'bot', externalId, displayName: 'x' }))).toMatchObject({
      line: 2,
      status: 'failed',
      code: 'identity_kind_mismatch',
      errors: [{ field: 'kind', message: expect.stringContaining('agent') as string }],
    });
    expect(await find(externalId ?? '')).toMatchObject({ id, kind: 'agent', displayName: 'Ada' });
  });
});

describe('what is no import', () => {
  it.each([['application/json'], ['text/plain'], ['application/x-www-form-urlencoded'], [null]])(
    '415: a body of type %s is refused',
    async (type) => {
      const call = request(running.server).post(path).set('authorization', `Bearer ${running.api.key}`);
      if (type !== null) void call.set('content-type', type);
      expectProblem(await call.send('{}'), 'unsupported_media_type');
    },
  );

  it('415: a compressed body is refused', async () => {
    const response = await request(running.server)
      .post(path)
      .set('authorization', `Bearer ${running.api.key}`)
      .set('content-type', 'application/x-ndjson')
      .set('content-encoding', 'gzip')
      .send('x');
    expectProblem(response, 'unsupported_media_type');
  });

  it('415: lines of JSON are taken nowhere else', async () => {
    const response = await request(running.server)
      .post('/v1/identities')
      .set('authorization', `Bearer ${running.api.key}`)
      .set('content-type', 'application/x-ndjson')
      .send(lines(person()));
    expectProblem(response, 'unsupported_media_type');
  });
});
