import { randomUUID } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { useApp } from '../support/app.js';
import { contentsOf, supportChat } from '../support/chats.js';
import { eventually } from '../support/eventually.js';
import { FAULTS } from '../support/faults.js';

// Short times, so that what waits for them is seen within the test.
const running = useApp({ TWILIO_CALL_TIMEOUT_MS: '500', LEASE_MS: '1500' });

afterEach(() => running.sandbox.clearFaults());

/** Exactly what was asked for is at Twilio, once. */
async function expectWholeChat(id: string): Promise<void> {
  const { body: chat } = await running.api.get(`/v1/conversations/${id}`, 200);
  expect(chat.state).toBe('active');
  const { participants, messages } = await contentsOf(running.sandbox, chat.twilioSid);
  const wanted = chat.participants.map(
    (one: { identity: { twilioIdentity: string } }) => one.identity.twilioIdentity,
  );
  expect(participants.map(({ identity }) => identity).sort()).toEqual(wanted.sort());
  expect(messages.map(({ body }) => body)).toEqual(['Ada will be with you shortly.']);
  const { conversations } = await running.sandbox.twilio<{ conversations: { unique_name: string }[] }>(
    '/v1/Conversations?PageSize=100',
  );
  expect(conversations.filter(({ unique_name }) => unique_name === `cvk_${id}`)).toHaveLength(1);
}

const calls = { conversation: '/Conversations$', participant: '/Participants$', message: '/Messages$' };
describe('A chat is exactly one, and whole,', () => {
  const cases = Object.entries(calls).flatMap(([call, path]) =>
    Object.entries(FAULTS).map(([what, fault]) => [call, what, path, fault] as const),
  );
  const made: string[] = [];
  it.each(cases)('when at the %s %s', async (_call, _what, path, fault) => {
    await running.sandbox.fault({ method: 'POST', path }, fault);
    const { body: chat } = await running.api.post('/v1/conversations', supportChat(), 201);
    await expectWholeChat(chat.id);
    made.push(chat.id);
  });

  it('and stays so, after what may still have landed late has been looked for', async () => {
    await eventually(async () => {
      expect(await running.sql('select id from conversations where due_at is not null')).toEqual([]);
    });
    for (const id of made) await expectWholeChat(id);
  });

  it('when three calls in four fail, one way or another', async () => {
    for (const fault of [FAULTS['the answer is lost after Twilio has acted'], FAULTS['Twilio answers 500']]) {
      await running.sandbox.fault(
        { method: 'POST', path: '/(Conversations|Participants|Messages)$', probability: 0.5 },
        fault,
      );
    }
    const bodies = Array.from({ length: 10 }, () => supportChat());
    const chats = await Promise.all(
      bodies.map((body) =>
        running.api.post('/v1/conversations', body, 201, { headers: { prefer: 'wait=20' } }),
      ),
    );
    await running.sandbox.clearFaults();
    for (const { body: chat } of chats) await expectWholeChat(chat.id);
  });
});

describe('A refusal', () => {
  it('leaves nothing behind, although the conversation itself landed after it was given up', async () => {
    await running.sandbox.fault(
      { method: 'POST', path: calls.conversation },
      { type: 'delay', ms: 900, applied: 'after' },
    );
    const body = supportChat();
    body.participants.push({ address: '+15005550001', proxyAddress: '+15559990000' });
    const { body: problem } = await running.api.post('/v1/conversations', body, 422);
    await eventually(async () => {
      expect(await running.sql('select id from conversations where due_at is not null')).toEqual([]);
    });
    const { conversations } = await running.sandbox.twilio<{ conversations: { unique_name: string }[] }>(
      '/v1/Conversations?PageSize=100',
    );
    const name = `cvk_${problem.conversation.id}`;
    expect(conversations.filter(({ unique_name }) => unique_name === name)).toEqual([]);
  });
});

describe('Bad credentials', () => {
  it('502 at once; the wish stays, and is fulfilled when they are mended', async () => {
    const headers = { 'idempotency-key': randomUUID() };
    await running.sandbox.fault(
      { method: 'POST', path: calls.conversation, times: 1000 },
      { type: 'status', status: 401, code: 20003 },
    );
    const body = supportChat();
    const { body: problem } = await running.api.post('/v1/conversations', body, 502, { headers });
    expect(problem.code).toBe('upstream_auth_failed');
    await running.sandbox.clearFaults();
    await eventually(async () => {
      const { body: chat } = await running.api.post('/v1/conversations', body, 201, {
        headers: { ...headers, prefer: 'wait=5' },
      });
      await expectWholeChat(chat.id);
    });
  });
});

describe('The same Idempotency-Key', () => {
  it('gives the same bytes again, says so, and makes nothing', async () => {
    const headers = { 'idempotency-key': randomUUID() };
    const body = supportChat();
    const first = await running.api.post('/v1/conversations', body, 201, { headers });
    const since = await running.sandbox.last();
    const again = await running.api.post('/v1/conversations', body, 201, { headers });
    expect(again.text).toBe(first.text);
    expect(first.headers['idempotent-replayed']).toBeUndefined();
    expect(again.headers['idempotent-replayed']).toBe('true');
    expect(again.headers['location']).toBe(first.headers['location']);
    const writes = (await running.sandbox.requests(since)).filter(({ method }) => method !== 'GET');
    expect(writes).toEqual([]);
  });

  it('gives the refusal again, to the byte', async () => {
    const headers = { 'idempotency-key': randomUUID() };
    const body = {
      ...supportChat(),
      participants: [{ address: '+15005550001', proxyAddress: '+15559990000' }],
    };
    const first = await running.api.post('/v1/conversations', body, 422, { headers });
    const again = await running.api.post('/v1/conversations', body, 422, { headers });
    expect(again.text).toBe(first.text);
    expect(again.headers['content-type']).toBe(first.headers['content-type']);
  });

  it('422 with another body', async () => {
    const headers = { 'idempotency-key': randomUUID() };
    await running.api.post('/v1/conversations', supportChat(), 201, { headers });
    const { body: problem } = await running.api.post('/v1/conversations', supportChat(), 422, { headers });
    expect(problem.code).toBe('idempotency_key_reused');
  });

  it('is free again after a 400 or an external_ref_taken: nothing was wished', async () => {
    const headers = { 'idempotency-key': randomUUID() };
    const taken = supportChat();
    await running.api.post('/v1/conversations', taken, 201);
    await running.api.post('/v1/conversations', { participants: [] }, 400, { headers });
    await running.api.post('/v1/conversations', taken, 409, { headers });
    await running.api.post('/v1/conversations', supportChat(), 201, { headers });
  });

  it('409 with Retry-After and Location while the work is under way, then the answer', async () => {
    const headers = { 'idempotency-key': randomUUID() };
    const body = supportChat();
    await running.sandbox.fault(
      { method: 'POST', path: calls.message },
      { type: 'delay', ms: 400, applied: 'before' },
    );
    const accepted = await running.api.post('/v1/conversations', body, 202, {
      headers: { ...headers, prefer: 'wait=0' },
    });
    const met = await running.api.post('/v1/conversations', body, 409, {
      headers: { ...headers, prefer: 'wait=0' },
    });
    expect(met.body.code).toBe('idempotency_in_progress');
    expect(met.headers['retry-after']).toBe('1');
    expect(met.headers['location']).toBe(accepted.headers['location']);
    const waited = await running.api.post('/v1/conversations', body, 201, { headers });
    expect(waited.body).toMatchObject({ id: accepted.body.id, state: 'active' });
    expect(waited.headers['idempotent-replayed']).toBe('true');
  });

  it('makes one chat of many calls at once, and answers all of them alike', async () => {
    const headers = { 'idempotency-key': randomUUID() };
    const body = supportChat();
    const before = await running.sandbox.state();
    const answers = await Promise.all(
      Array.from({ length: 16 }, () => running.api.post('/v1/conversations', body, 201, { headers })),
    );
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    expect(answers.filter((answer) => answer.headers['idempotent-replayed'] !== 'true')).toHaveLength(1);
    const after = await running.sandbox.state();
    expect(after['conversations']).toBe((before['conversations'] ?? 0) + 1);
  });
});
