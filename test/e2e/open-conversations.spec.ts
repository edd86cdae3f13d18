import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import { useApp } from '../support/app.js';
import { supportChat } from '../support/chats.js';

const running = useApp();

/** Somebody who is in so many open conversations, and in as many closed ones, by rows alone. */
async function busyAgent(open: number): Promise<{ externalId: string; id: string }> {
  const externalId = `busy-${randomUUID()}`;
  const { body } = await running.api.post('/v1/identities', { kind: 'agent', externalId }, 201);
  for (const state of ['active', 'closed']) {
    await running.sql(
      `with chats as (
        insert into conversations (id, service_id, state)
        select gen_random_uuid(), service_id, $2 from identities, generate_series(1, $3::int) where id = $1
        returning id)
      insert into participants (id, conversation_id, identity_id, kind, state)
      select gen_random_uuid(), id, $1, 'agent', 'joined' from chats`,
      [body.id, state, open],
    );
  }
  return { externalId, id: body.id };
}

const withAgent = (externalId: string) => ({
  participants: [{ kind: 'agent', externalId }],
});

async function sent(): Promise<number> {
  const { requests } = await running.sandbox.control<{ requests: unknown[] }>('GET', '/sandbox/requests');
  return requests.length;
}

it('409: who is in 1,000 open conversations comes into no further one, and Twilio is not asked', async () => {
  const { externalId, id } = await busyAgent(1000);
  const before = await sent();
  const { body: problem } = await running.api.post('/v1/conversations', withAgent(externalId), 409);
  expect(problem).toMatchObject({ code: 'identity_conversation_limit' });
  expect(problem.detail).toContain('participants.0');
  await running.api.post('/v1/conversations', { participants: [{ identityId: id }] }, 409);
  const byRef = `/v1/conversations/by-ref/${randomUUID()}`;
  const { body: same } = await running.api.put(byRef, withAgent(externalId), 409);
  expect(same.code).toBe('identity_conversation_limit');
  expect(await sent()).toBe(before);
  const rows = await running.sql(`select 1 from conversations where state = 'provisioning'`);
  expect(rows).toEqual([]);
});

it('the last place is given, and none after it; closing one makes room again', async () => {
  const { externalId } = await busyAgent(999);
  const { body: last } = await running.api.post('/v1/conversations', withAgent(externalId), 201);
  await running.api.post('/v1/conversations', withAgent(externalId), 409);
  await running.api.post(`/v1/conversations/${last.id}/close`, {}, 200);
  await running.api.post('/v1/conversations', withAgent(externalId), 201);
});

it('409: who is in 1,000 open conversations is neither added to one nor given one by transfer', async () => {
  const { externalId } = await busyAgent(1000);
  const { body: chat } = await running.api.post('/v1/conversations', supportChat(), 201);
  const path = `/v1/conversations/${chat.id}`;
  const { body: added } = await running.api.post(`${path}/participants`, { kind: 'agent', externalId }, 409);
  expect(added.code).toBe('identity_conversation_limit');
  const transfer = { from: chat.participants[0].id, to: { kind: 'agent', externalId } };
  const { body: transferred } = await running.api.post(`${path}/transfer`, transfer, 409);
  expect(transferred.code).toBe('identity_conversation_limit');
});

it('who is reached at an address does not count', async () => {
  const { id } = await busyAgent(1000);
  const number = String(Math.floor(Math.random() * 1e7)).padStart(7, '0');
  const body = {
    participants: [{ identityId: id, address: `+1555${number}`, proxyAddress: '+15559990000' }],
  };
  await running.api.post('/v1/conversations', body, 201);
});
