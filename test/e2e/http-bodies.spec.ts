import request from 'supertest';
import { describe, expect, it } from 'vitest';
import type { ConversationResponse } from '../../src/conversations/conversation.dto.js';
import type { IdentityResponse } from '../../src/identities/identity.dto.js';
import { unique, useApp } from '../support/app.js';
import { supportChat } from '../support/chats.js';
import { expectInvalid, expectProblem } from '../support/problems.js';
import { NOBODYS_ID } from '../support/routes.js';

const running = useApp();

const send = (body: string | Buffer, type: string | null = 'application/json', path = '/v1/identities') => {
  const call = request(running.server).post(path).set('authorization', `Bearer ${running.api.key}`);
  if (type !== null) void call.set('content-type', type);
  return call.send(body);
};

const person = (more: object = {}) => ({ kind: 'customer', externalId: unique('cust'), ...more });

describe('fields', () => {
  it('400: an unknown field is refused by name', async () => {
    const response = await running.api.post('/v1/identities', person({ colour: 'red' }), 400);
    const problem = expectInvalid(response, 'colour');
    expect(problem.errors).toEqual([{ field: 'colour', message: 'is not a known field' }]);
  });

  it.each([
    ['in a list', { participants: [[person(), person()]] }, 'participants'],
    ['by itself', { participants: [person()], systemMessage: [{ body: 'Hello.' }] }, 'systemMessage'],
  ])('400: a list where an object is wanted is refused: %s', async (_, body, field) => {
    expectInvalid(await running.api.post('/v1/conversations', body, 400), field);
  });

  it('400: an unknown field in a list is named with its whole path', async () => {
    const chat = supportChat();
    const participants = [chat.participants[0], { ...chat.participants[1], nick: 'B' }];
    const response = await running.api.post('/v1/conversations', { ...chat, participants }, 400);
    expectInvalid(response, 'participants.1.nick');
  });

  it.each(['constructor', 'toString', 'hasOwnProperty', 'valueOf'])(
    '400: an unknown field is refused though every object has a "%s"',
    async (name) => {
      expectInvalid(await running.api.post('/v1/identities', person({ [name]: 'x' }), 400), name);
      expectInvalid(await running.api.post('/v1/identities', person({ [name]: null }), 400), name);
      const participants = [{ ...person(), [name]: {} }];
      const response = await running.api.post('/v1/conversations', { participants }, 400);
      expectInvalid(response, `participants.0.${name}`);
    },
  );

  it('400: of what is missing that is said, and nothing else', async () => {
    const problem = expectInvalid(await running.api.post('/v1/conversations', {}, 400), 'participants');
    expect(problem['errors']).toEqual([{ field: 'participants', message: 'is missing' }]);
  });

  it('400: all that is wrong is said at once', async () => {
    const response = await running.api.post('/v1/identities', { kind: 'ghost', externalId: 7, x: 1 }, 400);
    expect(
      expectProblem(response, 'validation_failed')
        .errors?.map(({ field }) => field)
        .sort(),
    ).toEqual(['externalId', 'kind', 'x']);
  });

  it('400: an unknown parameter of the query is refused by name', async () => {
    expectInvalid(await running.api.get('/v1/identities?color=red', 400), 'color');
    expectInvalid(await running.api.get('/v1/identities?constructor=1', 400), 'constructor');
    expectInvalid(await running.api.get('/v1/identities?__proto__=1', 400), '__proto__');
  });

  it.each(['limit=0', 'limit=101', 'limit=x', 'limit=1.5', 'limit=', 'limit=1&limit=2'])(
    '400: a list does not take ?%s',
    async (query) => {
      for (const path of ['conversations', 'identities', 'api-keys', 'services']) {
        expectInvalid(await running.api.get(`/v1/${path}?${query}`, 400), 'limit');
      }
    },
  );

  it.each(['cursor=x', 'cursor=%00', 'cursor=', `cursor=${'x'.repeat(600)}`, 'cursor=a&cursor=b'])(
    '400: a list does not take ?%s',
    async (query) => {
      for (const path of ['conversations', 'identities', 'api-keys', 'services']) {
        expectInvalid(await running.api.get(`/v1/${path}?${query}`, 400), 'cursor');
      }
    },
  );

  it('400: a time that is no RFC 3339 time is refused', async () => {
    for (const time of ['2030', '2030-01-01', '2030-W01-1', '2030-02-30T00:00:00Z', '2030-01-01T00:00:00']) {
      const query = `/v1/conversations?createdAfter=${encodeURIComponent(time)}`;
      expectInvalid(await running.api.get(query, 400), 'createdAfter');
    }
  });
});

describe('JSON', () => {
  it.each(['{', '{"kind":}', "{'kind':'agent'}", 'kind=agent', '{"a":1}{"b":2}', '\u0000', 'undefined'])(
    '400: %j is not JSON',
    async (text) => {
      expectProblem(await send(text), 'malformed_json');
    },
  );

  it('400: an empty body with a JSON content type', async () => {
    expectProblem(await send(''), 'malformed_json');
  });

  it('400: no body at all, where one is needed, names the fields', async () => {
    const response = await running.api.post('/v1/identities', undefined, 400);
    expectInvalid(response, 'kind', 'externalId');
  });

  it.each(['[]', '[{}]', '"x"', '1', 'true', 'null'])('400: %s is JSON, but no object', async (text) => {
    expectInvalid(await send(text), 'body');
    const { body: known } = await running.api.post<IdentityResponse>('/v1/identities', person(), 201);
    const patch = await request(running.server)
      .patch(`/v1/identities/${known.id}`)
      .set('authorization', `Bearer ${running.api.key}`)
      .set('content-type', 'application/json')
      .send(text);
    expectInvalid(patch, 'body');
  });

  it('400: documents nested without end are refused before anything walks them', async () => {
    const depth = 100_000;
    const lists = `{"attributes":${'['.repeat(depth)}${']'.repeat(depth)}}`;
    const objects = `{"attributes":${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}}`;
    expectProblem(await send(lists), 'malformed_json');
    expectProblem(await send(objects), 'malformed_json');
  });

  it.each([
    '{"kind":"customer","externalId":"x","__proto__":{"polluted":true}}',
    '{"kind":"customer","externalId":"x","attributes":{"__proto__":{"polluted":true}}}',
    '{"kind":"customer","externalId":"x","attributes":{"constructor":{"prototype":{"polluted":true}}}}',
  ])('400: %s changes no prototype', async (text) => {
    expectProblem(await send(text), 'malformed_json');
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });
});

describe('texts', () => {
  const BAD = {
    NUL: 'a\u0000b',
    'a lone surrogate': 'a\ud800b',
    'a line end': 'a\nb',
    'an escape': 'a\u001bb',
  };

  it.each(Object.entries(BAD))('400: %s in a name or an id is refused', async (_, text) => {
    const { api } = running;
    expectInvalid(await api.post('/v1/identities', person({ externalId: text }), 400), 'externalId');
    expectInvalid(await api.post('/v1/identities', person({ displayName: text }), 400), 'displayName');
    expectInvalid(await api.post('/v1/api-keys', { name: text, scopes: ['admin'] }, 400), 'name');
    expectInvalid(await api.post('/v1/services', { friendlyName: text }, 400), 'friendlyName');
    const chat = supportChat();
    expectInvalid(await api.post('/v1/conversations', { ...chat, friendlyName: text }, 400), 'friendlyName');
    expectInvalid(await api.post('/v1/conversations', { ...chat, externalRef: text }, 400), 'externalRef');
  });

  it.each([
    ['NUL in a value', { a: ['x\u0000'] }],
    ['NUL in a key', { 'x\u0000': 1 }],
    ['a lone surrogate', { a: { b: '\udc00' } }],
    ['a lone surrogate in a key', { '\ud800': 1 }],
  ])('400: attributes with %s are refused', async (_, attributes) => {
    expectInvalid(await running.api.post('/v1/identities', person({ attributes }), 400), 'attributes');
    const chat = supportChat();
    expectInvalid(await running.api.post('/v1/conversations', { ...chat, attributes }, 400), 'attributes');
    const participants = [{ ...person(), attributes }];
    const inList = await running.api.post('/v1/conversations', { participants }, 400);
    expectInvalid(inList, 'participants.0.attributes');
    const systemMessage = { body: 'x', attributes };
    const inMessage = await running.api.post('/v1/conversations', { ...chat, systemMessage }, 400);
    expectInvalid(inMessage, 'systemMessage.attributes');
  });

  it('400: a number beyond what JSON readers hold is refused, instead of becoming null', async () => {
    expectInvalid(await send('{"kind":"customer","externalId":"x","attributes":{"n":1e400}}'), 'attributes');
  });

  it('201: attributes come back as they were sent, whatever their keys are called', async () => {
    const attributes = {
      constructor: 'x',
      toString: 1,
      hasOwnProperty: null,
      then: [[], {}, [{ valueOf: { constructor: null } }]],
      length: 3,
      '': '',
      text: 'line\nline\t"quoted" \\ \u2028 😀 ünï',
      z: 1.5e-7,
      a: { b: { get: false } },
    };
    const { body: made } = await running.api.post<IdentityResponse>(
      '/v1/identities',
      person({ attributes }),
      201,
    );
    expect(JSON.stringify(made.attributes)).toBe(JSON.stringify(attributes));
    const { body: read } = await running.api.get<IdentityResponse>(`/v1/identities/${made.id}`, 200);
    expect(JSON.stringify(read.attributes)).toBe(JSON.stringify(attributes));
    const chat = { ...supportChat(), attributes };
    const { body: conversation } = await running.api.post<ConversationResponse>(
      '/v1/conversations',
      chat,
      201,
    );
    expect(JSON.stringify(conversation.attributes)).toBe(JSON.stringify(attributes));
  });
});

describe('size and media type', () => {
  it('413: a body of 2 MB is refused', async () => {
    expectProblem(await send(JSON.stringify({ x: 'x'.repeat(2_000_000) })), 'payload_too_large');
  });

  it('413: a body just over 1 MiB is refused, one of just 1 MiB is read', async () => {
    const sized = (bytes: number) => JSON.stringify({ x: 'x'.repeat(bytes - 8) });
    expectInvalid(await send(sized(1_048_576)), 'x', 'kind', 'externalId');
    expectProblem(await send(sized(1_048_577)), 'payload_too_large');
  });

  it('413: a body that does not tell its length is counted', async () => {
    const response = await fetch(new URL('/v1/identities', await running.app.getUrl()), {
      method: 'POST',
      headers: { authorization: `Bearer ${running.api.key}`, 'content-type': 'application/json' },
      body: new Blob([JSON.stringify({ x: 'x'.repeat(2_000_000) })]).stream(),
      duplex: 'half',
    });
    expect(response.status).toBe(413);
    expect(await response.json()).toMatchObject({ code: 'payload_too_large' });
  });

  it.each([
    ['text/plain', '{"kind":"customer"}'],
    ['application/x-www-form-urlencoded', 'kind=customer'],
    ['multipart/form-data; boundary=x', '--x--'],
    ['application/xml', '<kind/>'],
    ['application/jsonp', '{}'],
    ['nonsense', '{}'],
    [null, Buffer.from('{}')],
  ])('415: a body of type %s is refused', async (type, body) => {
    expectProblem(await send(body, type), 'unsupported_media_type');
  });

  it('201: the JSON content type is taken with its parameters and in any case', async () => {
    const response = await send(JSON.stringify(person()), 'Application/JSON; Charset=UTF-8');
    expect(response.status).toBe(201);
  });
});

describe('Where nothing is wanted, a field is refused by its name', () => {
  it.each([
    `/v1/identities/${NOBODYS_ID}/suspend`,
    `/v1/identities/${NOBODYS_ID}/reinstate`,
    `/v1/conversations/${NOBODYS_ID}/reconcile`,
    '/v1/roles/repair',
  ])('400 for a body of %s, and none for an empty one', async (path) => {
    expectInvalid(await running.api.post(path, { nonsense: 1 }, 400), 'nonsense');
    expectInvalid(await running.api.post(path, [], 400), 'body');
    await running.api.post(path, {}, path === '/v1/roles/repair' ? 200 : 404);
  });

  it('400 for the page of a repair that stands in the query: it would begin anew each time', async () => {
    expectInvalid(await running.api.post('/v1/drift/repair?limit=20', {}, 400), 'limit');
  });
});
