import { describe, expect, it } from 'vitest';
import type { Page } from '../../src/common/http/page.js';
import type { Answer } from '../support/api-client.js';
import { unique, useApp } from '../support/app.js';
import {
  addressPair,
  contentsOf,
  provision,
  roleAtTwilio,
  type Chat,
  type Person,
} from '../support/chats.js';
import { expectInvalid, expectProblem } from '../support/problems.js';
import { NOBODYS_ID } from '../support/routes.js';

const running = useApp();

interface Said {
  id: string;
  twilioSid: string;
  body: string;
  path: string;
}

async function say(chat: Chat, author: Person, body = 'hello'): Promise<Said> {
  const { body: sent } = await running.api.post(`${chat.path}/messages`, { author: author.id, body }, 201);
  return { ...sent, path: `${chat.path}/messages/${sent.id}` };
}

/** A message that did not come through Convoke. */
async function sayAtTwilio(chat: Chat, author: string, attributes?: string): Promise<string> {
  const form: [string, string][] = [
    ['Author', author],
    ['Body', 'from a browser'],
    ...(attributes === undefined ? [] : ([['Attributes', attributes]] as [string, string][])),
  ];
  const path = `/v1/Conversations/${chat.twilioSid}/Messages`;
  return (await running.sandbox.write<{ sid: string }>('POST', path, form)).sid;
}

const upstream = (chat: Chat, sid: string) =>
  running.sandbox.twilio<{ body: string; attributes: string }>(
    `/v1/Conversations/${chat.twilioSid}/Messages/${sid}`,
  );

async function pages(path: string): Promise<Said[]> {
  const seen: Said[] = [];
  let cursor: string | null = '';
  while (cursor !== null) {
    const page: Answer<Page<Said>> = await running.api.get(
      cursor === '' ? path : `${path}&cursor=${encodeURIComponent(cursor)}`,
      200,
    );
    seen.push(...page.body.data);
    cursor = page.body.nextCursor;
  }
  return seen;
}

describe('GET /v1/conversations/{conversation}/messages', () => {
  it('200: pages through all of them, in either order, without gap or repetition', async () => {
    const chat = await provision(running.api);
    const texts = ['Ada will be with you shortly.', 'a', 'b', 'c', 'd'];
    for (const text of texts.slice(1)) await say(chat, chat.bob, text);
    const path = `${chat.path}/messages?limit=2`;
    expect((await pages(path)).map(({ body }) => body)).toEqual(texts);
    expect((await pages(`${path}&order=asc`)).map(({ body }) => body)).toEqual(texts);
    expect((await pages(`${path}&order=desc`)).map(({ body }) => body)).toEqual([...texts].reverse());
  });

  it('200: shows what did not come through Convoke, without an id of ours, by whoever said it', async () => {
    const chat = await provision(running.api);
    await sayAtTwilio(chat, chat.bob.identity!.twilioIdentity, '{"a":1}');
    await sayAtTwilio(chat, 'somebody', '[1]');
    await sayAtTwilio(chat, '+15557654321');
    const { body } = await running.api.get(`${chat.path}/messages?order=asc`, 200);
    expect(body.data.slice(1)).toMatchObject([
      { id: null, author: { type: 'identity', identity: chat.bob.identity }, attributes: { a: 1 } },
      { id: null, author: { type: 'identity' }, attributes: {} },
      { id: null, author: { type: 'address', address: '+15557654321' }, attributes: {} },
    ]);
    expect(body.data[0]).toMatchObject({ author: { type: 'system' }, state: 'sent', index: 0 });
  });

  it('200: still names who has left', async () => {
    const chat = await provision(running.api);
    await say(chat, chat.bob);
    await running.api.delete(`${chat.path}/participants/${chat.bob.id}`, 204);
    const { body } = await running.api.get(`${chat.path}/messages?order=desc`, 200);
    expect(body.data[0].author).toEqual({ type: 'identity', identity: chat.bob.identity });
  });

  it.each(['limit=0', 'limit=101', 'order=up', 'cursor=x', 'cursor=e30', 'colour=red'])(
    '400: %s',
    async (query) => {
      const chat = await provision(running.api);
      const response = await running.api.get(`${chat.path}/messages?${query}`, 400);
      expectInvalid(response, query.split('=')[0]!);
    },
  );

  it.each([
    [{ type: 'status', status: 401, code: 20003 }, 502, 'upstream_auth_failed'],
    [{ type: 'status', status: 500 }, 502, 'upstream_unavailable'],
    [{ type: 'status', status: 429, retryAfterSeconds: 7 }, 503, 'upstream_rate_limited'],
  ] as const)('%o at Twilio: %i %s', async (fault, status, code) => {
    const chat = await provision(running.api);
    const { id } = await say(chat, chat.bob);
    await running.sandbox.fault({ method: 'GET', path: '/Messages', times: 100 }, fault);
    try {
      for (const path of [`${chat.path}/messages`, `${chat.path}/messages/${id}`]) {
        const response = await running.api.get(path, status);
        expectProblem(response, code);
        expect(response.headers['retry-after']).toBe(status === 503 ? '7' : undefined);
      }
    } finally {
      await running.sandbox.clearFaults();
    }
  });
});

describe('GET /v1/conversations/{conversation}/messages/{message}', () => {
  it('200 by our id and by IM…, in a conversation by our id and CH…; without an ETag', async () => {
    const chat = await provision(running.api);
    const { id, twilioSid } = await say(chat, chat.bob);
    const read = await running.api.get(`${chat.path}/messages/${id}`, 200);
    expect(read.body).toMatchObject({ id, twilioSid, body: 'hello' });
    expect(read.headers['etag']).toBeUndefined();
    for (const conversation of [chat.id, chat.twilioSid]) {
      const path = `/v1/conversations/${conversation}/messages/${twilioSid}`;
      expect((await running.api.get(path, 200)).body).toEqual(read.body);
    }
  });

  it('404: no such message, or one of another conversation', async () => {
    const [chat, other] = [await provision(running.api), await provision(running.api)];
    const { id, twilioSid } = await say(other, other.bob);
    for (const name of [NOBODYS_ID, `IM${'0'.repeat(32)}`, 'x', id, twilioSid]) {
      expectProblem(await running.api.get(`${chat.path}/messages/${name}`, 404), 'not_found');
    }
    await running.api.get(`${chat.path}/messages/${'x'.repeat(256)}`, 414);
  });
});

describe('PATCH /v1/conversations/{conversation}/messages/{message}', () => {
  it('200: changes the body and replaces attributes whole; null clears; our mark stays', async () => {
    const chat = await provision(running.api);
    const { id, twilioSid, path } = await say(chat, chat.bob);
    const changed = await running.api.patch(path, { body: 'better', attributes: { a: 1, b: 2 } }, 200);
    expect(changed.body).toMatchObject({ id, body: 'better', attributes: { a: 1, b: 2 } });
    const { body: replaced } = await running.api.patch(path, { attributes: { c: 3 } }, 200);
    expect(replaced).toMatchObject({ id, body: 'better', attributes: { c: 3 } });
    expect(JSON.parse((await upstream(chat, twilioSid)).attributes)).toEqual({ c: 3, convoke: { id } });
    const { body: cleared } = await running.api.patch(path, { attributes: null }, 200);
    expect(cleared).toMatchObject({ id, attributes: {} });
    expect((await running.api.get(path, 200)).body).toEqual(cleared);
  });

  it('200: changes one that did not come through Convoke, by IM…', async () => {
    const chat = await provision(running.api);
    const sid = await sayAtTwilio(chat, 'somebody');
    const { body } = await running.api.patch(`${chat.path}/messages/${sid}`, { attributes: { a: 1 } }, 200);
    expect(body).toMatchObject({ id: null, body: 'from a browser', attributes: { a: 1 } });
    expect((await upstream(chat, sid)).attributes).toBe('{"a":1}');
  });

  it('200: nothing asked for changes nothing', async () => {
    const chat = await provision(running.api);
    const { path } = await say(chat, chat.bob);
    const { body: before } = await running.api.get(path, 200);
    expect((await running.api.patch(path, {}, 200)).body).toEqual(before);
    expect((await running.api.patch(path, { actor: chat.bob.id }, 200)).body).toEqual(before);
  });

  it('403: who may edit but his own words may not edit those of others', async () => {
    const chat = await provision(running.api);
    const [own, other] = [await say(chat, chat.bob), await say(chat, chat.ada)];
    const actor = chat.bob.identity?.externalId;
    await running.api.patch(own.path, { body: 'mine', attributes: { a: 1 }, actor }, 200);
    expectProblem(await running.api.patch(other.path, { body: 'x', actor }, 403), 'role_forbids');
    expectProblem(await running.api.patch(other.path, { attributes: {}, actor }, 403), 'role_forbids');
    expect((await upstream(chat, other.twilioSid)).body).toBe('hello');
    await running.api.patch(`${chat.path}/participants/${chat.bob.id}`, { role: 'supervisor' }, 200);
    await running.api.patch(other.path, { body: 'mended', attributes: {}, actor }, 200);
  });

  it('403: body and attributes have permissions of their own', async () => {
    const chat = await provision(running.api);
    const role = await roleAtTwilio(running.sandbox, unique('tagger'), [
      'sendMessage',
      'editOwnMessageAttributes',
    ]);
    await running.api.patch(`${chat.path}/participants/${chat.bob.id}`, { role }, 200);
    const { path } = await say(chat, chat.bob);
    const actor = chat.bob.id;
    await running.api.patch(path, { attributes: { a: 1 }, actor }, 200);
    const both = await running.api.patch(path, { attributes: {}, body: 'x', actor }, 403);
    expect(expectProblem(both, 'role_forbids').detail).toContain('editOwnMessage or editAnyMessage');
  });

  it('404: an actor who is not in; 400: If-Match, as Twilio holds messages', async () => {
    const chat = await provision(running.api);
    const { path } = await say(chat, chat.bob);
    const stranger = { body: 'x', actor: 'nobody' };
    expectProblem(await running.api.patch(path, stranger, 404), 'participant_not_found');
    const headers = { 'if-match': '"x"' };
    expectInvalid(await running.api.patch(path, { body: 'x' }, 400, { headers }), 'If-Match');
    expectInvalid(await running.api.delete(path, 400, { headers }), 'If-Match');
    expect((await running.api.get(path, 200)).body.body).toBe('hello');
  });

  it.each([
    ['no body', { body: null }, 'body'],
    ['an empty body', { body: '' }, 'body'],
    ['the key that is ours', { attributes: { convoke: {} } }, 'attributes'],
    ['another author', { author: 'x' }, 'author'],
  ])('400: %s', async (_, body, field) => {
    const chat = await provision(running.api);
    const { path } = await say(chat, chat.bob);
    expectInvalid(await running.api.patch(path, body, 400), field);
  });

  it('400: over 1,600 characters where somebody gets it by SMS, 200 with as many', async () => {
    const chat = await provision(running.api);
    const { path } = await say(chat, chat.bob);
    await running.api.patch(path, { body: 'x'.repeat(1601) }, 200);
    await running.api.post(`${chat.path}/participants`, addressPair(), 201);
    expectInvalid(await running.api.patch(path, { body: 'x'.repeat(1601) }, 400), 'body');
    await running.api.patch(path, { body: 'x'.repeat(1600) }, 200);
  });

  it('202, and then as it was wished', async () => {
    const chat = await provision(running.api);
    const { path, twilioSid } = await say(chat, chat.bob);
    const headers = { prefer: 'respond-async' };
    const response = await running.api.patch(path, { body: 'later' }, 202, { headers });
    expect(response.body).toMatchObject({ body: 'hello' });
    expect((await running.api.get(response.headers['location']!, 200)).body.twilioSid).toBe(twilioSid);
    const { body } = await running.api.patch(path, { attributes: { a: 1 } }, 200);
    expect(body).toMatchObject({ body: 'later', attributes: { a: 1 } });
  });
});

describe('DELETE /v1/conversations/{conversation}/messages/{message}', () => {
  it('204: it is gone, here and at Twilio, and 404 from then on', async () => {
    const chat = await provision(running.api);
    const { path } = await say(chat, chat.bob);
    await running.api.delete(path, 204);
    await running.api.get(path, 404);
    await running.api.patch(path, { body: 'x' }, 404);
    await running.api.delete(path, 404);
    expect((await contentsOf(running.sandbox, chat.twilioSid)).messages).toHaveLength(1);
  });

  it('403: a customer takes nothing back, an agent but his own words, a supervisor any', async () => {
    const chat = await provision(running.api);
    const [his, hers] = [await say(chat, chat.bob), await say(chat, chat.ada)];
    const by = (message: Said, actor: Person) => `${message.path}?actor=${actor.id}`;
    expectProblem(await running.api.delete(by(his, chat.bob), 403), 'role_forbids');
    expectProblem(await running.api.delete(by(his, chat.ada), 403), 'role_forbids');
    await running.api.delete(by(hers, chat.ada), 204);
    await running.api.patch(`${chat.path}/participants/${chat.ada.id}`, { role: 'supervisor' }, 200);
    await running.api.delete(by(his, chat.ada), 204);
    expectProblem(await running.api.delete(`${his.path}?actor=nobody`, 404), 'not_found');
  });

  it('204 by the system for what did not come through Convoke', async () => {
    const chat = await provision(running.api);
    const sid = await sayAtTwilio(chat, 'somebody');
    await running.api.delete(`${chat.path}/messages/${sid}`, 204);
  });
});
