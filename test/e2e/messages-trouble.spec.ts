import { randomUUID } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { useApp } from '../support/app.js';
import { contentsOf, provision, supportChat, type Chat } from '../support/chats.js';
import { eventually } from '../support/eventually.js';
import { FAULTS } from '../support/faults.js';
import { expectProblem } from '../support/problems.js';

// Short times, so that what waits for them is seen within the test.
const running = useApp({ TWILIO_CALL_TIMEOUT_MS: '500', LEASE_MS: '1500' });

afterEach(() => running.sandbox.clearFaults());

const textsOf = async ({ twilioSid }: { twilioSid: string }) =>
  (await contentsOf(running.sandbox, twilioSid)).messages.slice(1).map(({ body }) => body);

const done: [Chat, string[]][] = [];

describe.each(Object.entries(FAULTS))('When %s', (_, fault) => {
  it('a message is there exactly once', async () => {
    const chat = await provision(running.api);
    await running.sandbox.fault({ method: 'POST', path: '/Messages$' }, fault);
    const body = { author: chat.bob.id, body: 'hello' };
    const { body: sent } = await running.api.post(`${chat.path}/messages`, body, 201);
    await running.api.post(`${chat.path}/system-messages`, { body: 'and then' }, 201);
    done.push([chat, ['hello', 'and then']]);
    await eventually(async () => expect(await textsOf(chat)).toEqual(['hello', 'and then']));
    expect((await running.api.get(`${chat.path}/messages/${sent.id}`, 200)).body).toEqual(sent);
  });

  it('a change is made', async () => {
    const chat = await provision(running.api);
    const { body: sent } = await running.api.post(`${chat.path}/system-messages`, { body: 'helo' }, 201);
    await running.sandbox.fault({ method: 'POST', path: '/Messages/IM' }, fault);
    await running.api.patch(`${chat.path}/messages/${sent.id}`, { body: 'hello' }, 200);
    expect(await textsOf(chat)).toEqual(['hello']);
  });

  it('a deletion is made', async () => {
    const chat = await provision(running.api);
    const { body: sent } = await running.api.post(`${chat.path}/system-messages`, { body: 'hello' }, 201);
    await running.sandbox.fault({ method: 'DELETE', path: '/Messages/IM' }, fault);
    await running.api.delete(`${chat.path}/messages/${sent.id}`, 204);
    expect(await textsOf(chat)).toEqual([]);
  });
});

describe('After all that', () => {
  it('every message is there once, after what may have landed late has been looked for', async () => {
    await eventually(async () => {
      expect(await running.sql('select id from conversations where due_at is not null')).toEqual([]);
    });
    for (const [chat, texts] of done) expect(await textsOf(chat)).toEqual(texts);
  });

  it('also where the late twin came after the look-up and before the second', async () => {
    const chat = await provision(running.api);
    await running.sandbox.fault(
      { method: 'POST', path: '/Messages$' },
      { type: 'delay', ms: 1000, applied: 'after' },
    );
    const sent = running.api.post(`${chat.path}/system-messages`, { body: 'hello' }, 201);
    await eventually(async () => {
      const calls = await running.sandbox.requests();
      expect(calls.some(({ path, fault }) => path.includes(chat.twilioSid) && fault === 'delay')).toBe(true);
    });
    await running.sandbox.clearFaults();
    await sent;
    await eventually(async () => expect(await textsOf(chat)).toEqual(['hello', 'hello']));
    await eventually(async () => expect(await textsOf(chat)).toEqual(['hello']));
  });
});

describe('Messages of one conversation', () => {
  it('are sent in the order in which they were accepted, whatever goes wrong', async () => {
    const chat = await provision(running.api);
    for (const fault of [FAULTS['the answer is lost after Twilio has acted'], FAULTS['Twilio answers 500']]) {
      await running.sandbox.fault({ method: 'POST', path: '/Messages$', probability: 0.3 }, fault);
    }
    const texts = Array.from({ length: 10 }, (_, n) => `message ${n}`);
    const headers = { prefer: 'respond-async' };
    for (const body of texts) {
      await running.api.post(`${chat.path}/system-messages`, { body }, 202, { headers });
    }
    await running.api.post(`${chat.path}/messages`, { author: chat.ada.id, body: 'last' }, 201, {
      headers: { prefer: 'wait=30' },
    });
    expect(await textsOf(chat)).toEqual([...texts, 'last']);
  });

  it('are all there, once each, of ten at once', async () => {
    const chat = await provision(running.api);
    await running.sandbox.fault(
      { method: 'POST', path: '/Messages$', probability: 0.3 },
      FAULTS['the answer is lost after Twilio has acted'],
    );
    const texts = Array.from({ length: 10 }, (_, n) => `message ${n}`);
    const answers = await Promise.all(
      texts.map((body) => running.api.post(`${chat.path}/system-messages`, { body }, 201)),
    );
    expect((await textsOf(chat)).sort()).toEqual(texts);
    const { messages } = await contentsOf(running.sandbox, chat.twilioSid);
    expect(answers.map(({ body }) => body.twilioSid).sort()).toEqual(
      messages
        .slice(1)
        .map(({ sid }) => sid)
        .sort(),
    );
  });

  it('wait until it is provisioned, and come after the greeting', async () => {
    await running.sandbox.fault(
      { method: 'POST', path: '/Conversations$', times: 1 },
      { type: 'delay', ms: 200, applied: 'before' },
    );
    const headers = { prefer: 'respond-async' };
    const { body: chat } = await running.api.post('/v1/conversations', supportChat(), 202, { headers });
    const path = `/v1/conversations/${chat.id}`;
    expect((await running.api.get(`${path}/messages`, 200)).body).toEqual({ data: [], nextCursor: null });
    const body = { author: chat.participants[1].id, body: 'hello' };
    const { body: sent } = await running.api.post(`${path}/messages`, body, 201);
    const { body: list } = await running.api.get(`${path}/messages`, 200);
    expect(list.data.map((one: { body: string }) => one.body)).toEqual([
      'Ada will be with you shortly.',
      'hello',
    ]);
    expect(sent.author.identity.displayName).toBe('Bob');
  });
});

describe('When the conversation cannot take them', () => {
  it('409 conversation_failed, when it could not be provisioned', async () => {
    const participants = [{ address: '+15005550001', proxyAddress: '+15559990000', externalId: 'sms-409' }];
    const body = { participants: participants.map((one) => ({ ...one, kind: 'customer' })) };
    await running.sandbox.fault(
      { method: 'POST', path: '/Participants$' },
      { type: 'delay', ms: 400, applied: 'before' },
    );
    const headers = { prefer: 'respond-async' };
    const { body: chat } = await running.api.post('/v1/conversations', body, 202, { headers });
    const path = `/v1/conversations/${chat.id}`;
    const waiting = await running.api.post(`${path}/system-messages`, { body: 'x' }, 409);
    expectProblem(waiting, 'conversation_failed');
    const late = await running.api.post(`${path}/messages`, { author: 'sms-409', body: 'x' }, 409);
    expectProblem(late, 'conversation_failed');
    expect((await running.api.get(`${path}/messages`, 200)).body.data).toEqual([]);
  });

  it('409 conversation_closed, when it is closed here, and when Twilio has closed it', async () => {
    const [here, there] = [await provision(running.api), await provision(running.api)];
    const { body: sent } = await running.api.post(`${there.path}/system-messages`, { body: 'a' }, 201);
    await running.api.post(`${here.path}/close`, {}, 200);
    await running.sandbox.write('POST', `/v1/Conversations/${there.twilioSid}`, [['State', 'closed']]);
    for (const chat of [here, there]) {
      const response = await running.api.post(`${chat.path}/system-messages`, { body: 'x' }, 409);
      expectProblem(response, 'conversation_closed');
      expect((await running.api.get(chat.path, 200)).body.state).toBe('closed');
    }
    const path = `${there.path}/messages/${sent.id}`;
    expectProblem(await running.api.patch(path, { body: 'x' }, 409), 'conversation_closed');
    expectProblem(await running.api.delete(path, 409), 'conversation_closed');
    expect((await running.api.get(path, 200)).body.body).toBe('a');
  });

  it('502 at once for bad credentials; it is sent when they are mended', async () => {
    const chat = await provision(running.api);
    await running.sandbox.fault(
      { method: 'POST', path: '/Messages$', times: 1000 },
      { type: 'status', status: 401, code: 20003 },
    );
    const response = await running.api.post(`${chat.path}/system-messages`, { body: 'x' }, 502);
    expectProblem(response, 'upstream_auth_failed');
    await running.sandbox.clearFaults();
    await eventually(async () => expect(await textsOf(chat)).toEqual(['x']));
  });
});

describe.each(['system-messages', 'messages'])('Idempotency-Key of POST …/%s', (route) => {
  it('gives the same bytes again, also when its author has left since, and says nothing twice', async () => {
    const chat = await provision(running.api);
    const headers = { 'idempotency-key': randomUUID() };
    const body = { body: 'once', ...(route === 'messages' && { author: chat.bob.id }) };
    const path = `${chat.path}/${route}`;
    const answers = await Promise.all(
      Array.from({ length: 5 }, () => running.api.post(path, body, 201, { headers })),
    );
    await running.api.delete(`${chat.path}/participants/${chat.bob.id}`, 204);
    const again = await running.api.post(path, body, 201, { headers });
    expect(new Set([...answers, again].map(({ text }) => text)).size).toBe(1);
    expect(new Set([...answers, again].map((answer) => answer.headers['location'])).size).toBe(1);
    expect(again.headers['idempotent-replayed']).toBe('true');
    expect(await textsOf(chat)).toEqual(['once']);
    const other = { ...body, body: 'another' };
    expectProblem(await running.api.post(path, other, 422, { headers }), 'idempotency_key_reused');
  });
});

describe.each([
  ['changed', 'POST', (path: string, status: number) => running.api.patch(path, { body: 'x' }, status)],
  ['deleted', 'DELETE', (path: string, status: number) => running.api.delete(path, status)],
] as const)('A message that is to be %s', (_, theirs, change) => {
  const hello = async (chat: Chat) =>
    (await running.api.post(`${chat.path}/messages`, { author: chat.bob.id, body: 'hello' }, 201)).body;

  it('422: stays as it was, where Twilio refuses that', async () => {
    const chat = await provision(running.api);
    const said = await hello(chat);
    const path = `${chat.path}/messages/${said.id}`;
    const fault = { type: 'status', status: 400, code: 50504 };
    await running.sandbox.fault({ method: theirs, path: '/Messages/IM' }, fault);
    expect(expectProblem(await change(path, 422), 'upstream_refused')).toMatchObject({
      twilio: { code: 50504 },
    });
    expect((await running.api.get(path, 200)).body).toEqual(said);
  });

  it('409: not in a conversation that failed', async () => {
    const body = { ...supportChat(), participants: [{ address: '+15005550001' }] };
    const { body: problem } = await running.api.post('/v1/conversations', body, 422);
    const path = `/v1/conversations/${problem.conversation.id}`;
    const { body: failed } = await running.api.get(path, 200);
    expectProblem(await change(`${path}/messages/${failed.systemMessage.id}`, 409), 'conversation_failed');
  });

  it('409: nor in one that is deleted meanwhile', async () => {
    const chat = await provision(running.api);
    const said = await hello(chat);
    await running.sandbox.fault({ method: theirs, path: '/Messages/IM' }, { type: 'hang', applied: false });
    const since = await running.sandbox.last();
    const waiting = change(`${chat.path}/messages/${said.id}`, 409);
    await eventually(async () => {
      const sent = await running.sandbox.requests(since);
      expect(sent.map(({ method }) => method)).toContain(theirs);
    });
    await running.api.delete(chat.path, 204);
    expectProblem(await waiting, 'conversation_deleted');
  });
});
