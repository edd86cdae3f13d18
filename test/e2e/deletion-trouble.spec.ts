import { randomUUID } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { unique, useApp } from '../support/app.js';
import { contentsOf, provision, supportChat, type Chat } from '../support/chats.js';
import { eventually } from '../support/eventually.js';
import { FAULTS } from '../support/faults.js';
import { expectProblem } from '../support/problems.js';

// Short times, so that what waits for them is seen within the test.
const running = useApp({ TWILIO_CALL_TIMEOUT_MS: '500', LEASE_MS: '1500' });

afterEach(() => running.sandbox.clearFaults());

const async = { headers: { prefer: 'respond-async' } };

async function isAtTwilio(id: string): Promise<boolean> {
  const path = '/v1/Conversations?PageSize=100';
  const { conversations } = await running.sandbox.twilio<{ conversations: { unique_name: string }[] }>(path);
  return conversations.some(({ unique_name }) => unique_name === `cvk_${id}`);
}

describe('DELETE /v1/conversations/{conversation}', () => {
  it.each(Object.entries(FAULTS))('204 when %s', async (_, fault) => {
    const chat = await provision(running.api);
    await running.sandbox.fault({ method: 'DELETE', path: '/CH\\w+$' }, fault);
    await running.api.delete(chat.path, 204);
    expect(await isAtTwilio(chat.id)).toBe(false);
  });
});

describe('A conversation that lands at Twilio after its deletion', () => {
  it.each([
    ['before its deletion was confirmed', { type: 'reset-before', applyAfterMs: 300 }],
    ['after that', { type: 'delay', ms: 1500, applied: 'after' }],
  ])('is removed: %s', async (_, fault) => {
    await running.sandbox.fault({ method: 'POST', path: '/Conversations$' }, fault);
    await running.sandbox.fault(
      { method: 'GET', path: '/Conversations/cvk_', times: 1 },
      { type: 'delay', ms: 450, applied: 'before' },
    );
    const since = await running.sandbox.last();
    const { body: chat } = await running.api.post('/v1/conversations', supportChat(), 202, async);
    await eventually(async () => expect(await running.sandbox.requests(since)).not.toEqual([]));
    await running.api.delete(`/v1/conversations/${chat.id}`, 204);
    await eventually(async () => expect(await isAtTwilio(chat.id)).toBe(true));
    await eventually(async () => {
      expect(await running.sql('select id from conversations where due_at is not null')).toEqual([]);
    });
    expect(await isAtTwilio(chat.id)).toBe(false);
  });
});

describe('A conversation that somebody else has deleted at Twilio', () => {
  const to = { kind: 'agent', externalId: 'agent-gone' };
  const commands: Record<string, (chat: Chat) => Promise<Parameters<typeof expectProblem>[0]>> = {
    PATCH: (chat) => running.api.patch(chat.path, { friendlyName: 'x' }, 409),
    close: (chat) => running.api.post(`${chat.path}/close`, {}, 409),
    'close with a last word': (chat) =>
      running.api.post(`${chat.path}/close`, { systemMessage: { body: 'x' } }, 409),
    'adding somebody': (chat) => running.api.post(`${chat.path}/participants`, to, 409),
    'changing somebody': (chat) =>
      running.api.patch(`${chat.path}/participants/${chat.bob.id}`, { role: 'agent' }, 409),
    transfer: (chat) => running.api.post(`${chat.path}/transfer`, { from: chat.ada.id, to }, 409),
    'a system message': (chat) => running.api.post(`${chat.path}/system-messages`, { body: 'x' }, 409),
    'a message': (chat) => running.api.post(`${chat.path}/messages`, { author: chat.ada.id, body: 'x' }, 409),
  };

  it.each(Object.entries(commands))('409 conversation_deleted: %s', async (_, command) => {
    const chat = await provision(running.api);
    await running.sandbox.write('DELETE', `/v1/Conversations/${chat.twilioSid}`);
    expectProblem(await command(chat), 'conversation_deleted');
    expectProblem(await running.api.get(chat.path, 404), 'not_found');
    await running.api.delete(chat.path, 404);
    const again = { ...supportChat(), externalRef: chat.externalRef };
    const { body: next } = await running.api.post('/v1/conversations', again, 201);
    expect(next.id).not.toBe(chat.id);
  });

  it('409 conversation_deleted for all who wait', async () => {
    const chat = await provision(running.api);
    await running.sandbox.write('DELETE', `/v1/Conversations/${chat.twilioSid}`);
    const answers = await Promise.all(
      Array.from({ length: 5 }, (_, n) =>
        running.api.post(`${chat.path}/system-messages`, { body: `${n}` }, 409).catch((error: unknown) => {
          // Who comes after the first was answered finds nothing.
          expect(String(error)).toContain('404 instead of 409');
          return null;
        }),
      ),
    );
    expect(answers.some((answer) => answer !== null)).toBe(true);
    for (const answer of answers) if (answer) expectProblem(answer, 'conversation_deleted');
  });

  it('stays when its chat service cannot be found either: nothing is concluded from that', async () => {
    const chat = await provision(running.api);
    const missing = { type: 'status', status: 404, code: 20404 };
    await running.sandbox.fault({ path: '/Services/', times: 1000 }, missing);
    await running.api.patch(chat.path, { friendlyName: 'x' }, 202, { headers: { prefer: 'wait=1' } });
    await running.sandbox.clearFaults();
    await eventually(async () => {
      expect((await running.api.get(chat.path, 200)).body).toMatchObject({
        friendlyName: 'x',
        state: 'active',
      });
    });
  });
});

describe('A conversation that Twilio does not find for a moment, and that is there', () => {
  const MISSING = { type: 'status', status: 404, code: 20404 };

  const staysThroughAll = async (chat: Chat) => {
    await running.api.patch(chat.path, { friendlyName: 'x' }, 200);
    const { body } = await running.api.get(chat.path, 200);
    expect(body).toMatchObject({ friendlyName: 'x', state: 'active' });
  };

  it.each([1, 2, 3, 4, 5])('stays, with %i calls about anything that find nothing', async (times) => {
    const chat = await provision(running.api);
    await running.sandbox.fault({ path: '/Services/IS', times }, MISSING);
    await staysThroughAll(chat);
  });

  it('stays, where the chat service is found before and not after', async () => {
    const chat = await provision(running.api);
    const path = `/Conversations/${chat.twilioSid}$`;
    await running.sandbox.fault({ method: 'POST', path, times: 1 }, MISSING);
    await running.sandbox.fault({ method: 'GET', path, times: 1 }, MISSING);
    await running.sandbox.fault({ method: 'GET', path: '/Services/IS[0-9a-f]+$', nth: 2 }, MISSING);
    await staysThroughAll(chat);
    await running.sandbox.clearFaults();
  });

  it.each([1, 2, 3, 4])('is left by whoever is to leave, with %i calls that find nothing', async (times) => {
    const chat = await provision(running.api);
    await running.sandbox.fault({ path: '/Services/IS', times }, MISSING);
    await running.api.delete(`${chat.path}/participants/${chat.bob.id}`, 204);
    await running.sandbox.clearFaults();
    const { participants } = await contentsOf(running.sandbox, chat.twilioSid);
    expect(participants.map(({ sid }) => sid)).toEqual([chat.ada.twilioSid]);
    expect((await running.api.get(chat.path, 200)).body.state).toBe('active');
  });

  it('keeps whoever is in it', async () => {
    const chat = await provision(running.api);
    const { id, twilioSid } = chat.bob;
    await running.sandbox.fault({ method: 'POST', path: `/Participants/${twilioSid}$` }, MISSING);
    await running.api.patch(`${chat.path}/participants/${id}`, { attributes: { vip: true } }, 200);
    const { body } = await running.api.get(chat.path, 200);
    expect(body.participants).toMatchObject([{ state: 'joined' }, { id, state: 'joined' }]);
  });
});

describe('Idempotency-Keys of a deleted conversation', () => {
  it('410 answer_erased for every command that was answered, and nothing is done', async () => {
    const key = () => ({ headers: { 'idempotency-key': randomUUID() } });
    const wanted = supportChat();
    const keys = [key(), key(), key(), key(), key(), key()] as const;
    const { body: chat } = await running.api.post('/v1/conversations', wanted, 201, keys[0]);
    const path = `/v1/conversations/${chat.id}`;
    const [ada] = chat.participants;
    const grace = { kind: 'agent', externalId: unique('agent') };
    const calls = [
      [`${path}/participants`, grace, 201],
      [`${path}/system-messages`, { body: 'hi' }, 201],
      [`${path}/messages`, { author: ada.id, body: 'hi' }, 201],
      [`${path}/transfer`, { from: ada.id, to: { externalId: grace.externalId } }, 200],
      [`${path}/close`, { systemMessage: { body: 'Good bye.' } }, 200],
    ] as const;
    for (const [n, [route, body, status]] of calls.entries()) {
      await running.api.post(route, body, status, keys[n + 1]);
    }
    await running.api.delete(path, 204);
    const since = await running.sandbox.last();
    expectProblem(await running.api.post('/v1/conversations', wanted, 410, keys[0]), 'answer_erased');
    for (const [n, [route, body]] of calls.entries()) {
      expectProblem(await running.api.post(route, body, 410, keys[n + 1]), 'answer_erased');
    }
    expect(await running.sandbox.requestsBesideRoles(since)).toEqual([]);
    const other = await running.api.post('/v1/conversations', supportChat(), 422, keys[0]);
    expectProblem(other, 'idempotency_key_reused');
    const stored = await running.sql(
      'select answer from wishes where aggregate_id = $1 and answer is not null',
      [chat.id],
    );
    expect(JSON.stringify(stored)).not.toContain(ada.identity.externalId);
  });

  it('409 conversation_deleted again for one that was ended by the deletion', async () => {
    const chat = await provision(running.api);
    await running.sandbox.fault(
      { method: 'POST', path: '/Messages$', times: 1000 },
      { type: 'status', status: 500 },
    );
    const headers = { 'idempotency-key': randomUUID() };
    const path = `${chat.path}/system-messages`;
    const body = { body: 'hi' };
    await running.api.post(path, body, 202, { headers: { ...headers, prefer: 'wait=0' } });
    await running.api.delete(chat.path, 204);
    const { body: problem } = await running.api.post(path, body, 409, { headers });
    expect(problem.code).toBe('conversation_deleted');
  });
});

describe('An answer that is forgotten before all who wait for it were told', () => {
  it('410 answer_erased for whoever waits, and not 202 after a long wait for nothing', async () => {
    await running.sandbox.fault(
      { method: 'POST', path: '/Conversations$', times: 1000 },
      { type: 'status', status: 503 },
    );
    const headers = { 'idempotency-key': randomUUID(), prefer: 'wait=30' };
    const body = supportChat();
    const first = running.api.post('/v1/conversations', body, 410, { headers });
    await eventually(async () => {
      const open = await running.sql(`select id from wishes where kind = 'provision' and status is null`);
      expect(open).toHaveLength(1);
    });
    const second = running.api.post('/v1/conversations', body, 410, { headers });
    await eventually(async () => {
      expect(await running.sql('select id from wishes where watched and status is null')).toHaveLength(1);
    });
    // As when another replica settles it, and a deletion forgets it, one right after the other.
    await running.sql(`update wishes set status = 201, answer = null where watched and status is null`);
    expectProblem(await second, 'answer_erased');
    expectProblem(await first, 'answer_erased');
  });
});
