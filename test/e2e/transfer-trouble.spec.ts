import { randomUUID } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { unique, useApp } from '../support/app.js';
import { namesIn, provision, textsIn, type Chat } from '../support/chats.js';
import { eventually } from '../support/eventually.js';
import { FAULTS } from '../support/faults.js';
import { expectProblem } from '../support/problems.js';

// Short times, so that what waits for them is seen within the test.
const running = useApp({ TWILIO_CALL_TIMEOUT_MS: '500', LEASE_MS: '1500' });

afterEach(() => running.sandbox.clearFaults());

const grace = () => ({ kind: 'agent', externalId: unique('agent'), displayName: 'Grace' });
const systemMessage = { body: 'Grace takes over from Ada.' };
const REFUSED = { address: '+15005550001', proxyAddress: '+15559990000' };

describe('A transfer is made exactly once', () => {
  const calls = {
    joining: ['POST', '/Participants$'],
    saying: ['POST', '/Messages$'],
    leaving: ['DELETE', '/MB'],
  };
  const cases = Object.entries(calls).flatMap(([call, [method, path]]) =>
    Object.entries(FAULTS).map(([what, fault]) => [call, what, { method, path }, fault] as const),
  );
  const made: Chat[] = [];
  it.each(cases)('when at the %s %s', async (_call, _what, match, fault) => {
    const chat = await provision(running.api);
    await running.sandbox.fault(match, fault);
    const body = { from: chat.ada.id, to: grace(), systemMessage };
    await running.api.post(`${chat.path}/transfer`, body, 200);
    expect(await namesIn(running, chat)).toEqual(['Bob', 'Grace']);
    made.push(chat);
  });

  it('and stays so, after what may still have landed late has been looked for', async () => {
    await eventually(async () => {
      expect(await running.sql('select id from conversations where due_at is not null')).toEqual([]);
    });
    for (const chat of made) {
      expect(await namesIn(running, chat)).toEqual(['Bob', 'Grace']);
      expect(await textsIn(running, chat)).toEqual([systemMessage.body]);
    }
  });
});

describe('Idempotency-Key of POST …/transfer', () => {
  it('gives the same bytes again, success and refusal; 422 with another body', async () => {
    const chat = await provision(running.api);
    for (const [to, status] of [
      [REFUSED, 422],
      [grace(), 200],
    ] as const) {
      const headers = { 'idempotency-key': randomUUID() };
      const body = { from: chat.ada.id, to, systemMessage };
      const first = await running.api.post(`${chat.path}/transfer`, body, status, { headers });
      await running.api.post(`${chat.path}/system-messages`, { body: 'between' }, 201);
      const again = await running.api.post(`${chat.path}/transfer`, body, status, { headers });
      expect(again.text).toBe(first.text);
      expect(again.headers['idempotent-replayed']).toBe('true');
      const other = await running.api.post(`${chat.path}/transfer`, { ...body, from: 'x' }, 422, { headers });
      expectProblem(other, 'idempotency_key_reused');
    }
    expect(await textsIn(running, chat)).toEqual(['between', systemMessage.body, 'between']);
  });
});
