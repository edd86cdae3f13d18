import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { callerWith, otherService } from '../support/access.js';
import { unique, useApp } from '../support/app.js';
import { addressPair, namesIn, provision } from '../support/chats.js';
import { eventually } from '../support/eventually.js';
import { expectProblem } from '../support/problems.js';
import { NOBODYS_ID } from '../support/routes.js';
import { inTurn, writersOf } from '../support/writers.js';

const running = useApp();

const standing = (id: string, what: 'suspend' | 'reinstate') => `/v1/identities/${id}/${what}`;

/** An agent who is in this many chats. */
async function agentIn(chats: number) {
  const externalId = unique('agent');
  const ada = { kind: 'agent', externalId, displayName: 'Ada' };
  const made = [];
  for (let n = 0; n < chats; n++) {
    const bob = { kind: 'customer', externalId: unique('cust'), displayName: 'Bob' };
    made.push(await provision(running.api, { participants: [ada, bob] }));
  }
  const { body: list } = await running.api.get(`/v1/identities?externalId=${externalId}`, 200);
  const id = list.data[0] ? list.data[0].id : (await running.api.post('/v1/identities', ada, 201)).body.id;
  return { id: id as string, externalId, chats: made };
}

describe('POST /v1/identities/{identity}/suspend', () => {
  it('200: out of every open conversation, as the last agent too, here and at Twilio', async () => {
    const { id, chats } = await agentIn(3);
    const { body, headers } = await running.api.post(standing(id, 'suspend'), undefined, 200);
    expect(body).toMatchObject({ id, status: 'suspended', displayName: 'Ada' });
    expect(headers['location']).toBe(`/v1/identities/${id}`);
    for (const chat of chats) expect(await namesIn(running, chat)).toEqual(['Bob']);
    expect((await running.api.get(`/v1/identities/${id}`, 200)).body.status).toBe('suspended');
  });

  it('200 by US…, and takes an address that is linked to the person out too', async () => {
    const pair = addressPair();
    const carl = { kind: 'customer', externalId: unique('sms'), displayName: 'Carl' };
    const chat = await provision(running.api, { participants: [{ ...carl, ...pair }] });
    const id = chat.participants[0]!.identity!.id;
    const group = await provision(running.api, { participants: [{ externalId: carl.externalId }] });
    const { body: known } = await running.api.get(`/v1/identities/${id}`, 200);
    await running.api.post(standing(known.twilioSid, 'suspend'), undefined, 200);
    expect(await namesIn(running, chat)).toEqual([]);
    expect(await namesIn(running, group)).toEqual([]);
  });

  it('200 again, and asks nothing of Twilio', async () => {
    const { id } = await agentIn(1);
    const { body: first } = await running.api.post(standing(id, 'suspend'), undefined, 200);
    const since = await running.sandbox.last();
    const { body: again } = await running.api.post(standing(id, 'suspend'), undefined, 200);
    expect(again).toEqual(first);
    expect(await running.sandbox.requestsBesideRoles(since)).toEqual([]);
  });

  it('leaves closed conversations as they were', async () => {
    const { id, chats } = await agentIn(1);
    await running.api.post(`${chats[0]!.path}/close`, {}, 200);
    await running.api.post(standing(id, 'suspend'), undefined, 200);
    const { body } = await running.api.get(chats[0]!.path, 200);
    expect(body).toMatchObject({ state: 'closed', participants: [{ state: 'joined' }, { state: 'joined' }] });
  });

  it('from then on: no token, no provision with the person, no adding, and nothing said for him', async () => {
    const { id, externalId } = await agentIn(1);
    const other = await provision(running.api);
    await running.api.post(standing(id, 'suspend'), undefined, 200);
    const refused = [
      await running.api.post('/v1/tokens', { externalId }, 403),
      await running.api.post('/v1/conversations', { participants: [{ externalId }] }, 403),
      await running.api.post(`${other.path}/participants`, { identityId: id }, 403),
      await running.api.post(`${other.path}/transfer`, { from: other.ada.id, to: { externalId } }, 403),
    ];
    for (const answer of refused) expectProblem(answer, 'identity_suspended');
    expect(await namesIn(running, other)).toEqual(['Ada', 'Bob']);
  });

  it('403: nothing is said for who has not left yet', async () => {
    const { id, chats } = await agentIn(1);
    await running.sandbox.fault({ method: 'DELETE', times: 1 }, { type: 'delay', ms: 500 });
    await running.api.post(standing(id, 'suspend'), undefined, 202, { headers: { prefer: 'respond-async' } });
    const said = { author: chats[0]!.ada.id, body: 'Wait' };
    expectProblem(await running.api.post(`${chats[0]!.path}/messages`, said, 403), 'identity_suspended');
    await running.api.post(standing(id, 'suspend'), undefined, 200);
  });

  it('202 where it takes longer than the caller waits: suspended at once, out soon after', async () => {
    const { id, externalId, chats } = await agentIn(2);
    await running.sandbox.fault(
      { method: 'DELETE', times: 2 },
      { type: 'delay', ms: 400, applied: 'before' },
    );
    const headers = { prefer: 'respond-async' };
    const { body } = await running.api.post(standing(id, 'suspend'), undefined, 202, { headers });
    expect(body.status).toBe('suspended');
    expectProblem(await running.api.post('/v1/tokens', { externalId }, 403), 'identity_suspended');
    const { body: behind } = await running.api.get('/v1/reconciliation?limit=100', 200);
    expect(behind.data).toContainEqual(
      expect.objectContaining({
        resource: 'identity',
        id,
        wishes: [expect.objectContaining({ kind: 'suspend' })],
      }),
    );
    await running.api.post(standing(id, 'suspend'), undefined, 200);
    for (const chat of chats) expect(await namesIn(running, chat)).toEqual(['Bob']);
  });

  it('the same bytes for the same Idempotency-Key, also after he has been reinstated', async () => {
    const { id } = await agentIn(1);
    const headers = { 'idempotency-key': randomUUID() };
    const first = await running.api.post(standing(id, 'suspend'), undefined, 200, { headers });
    await running.api.post(standing(id, 'reinstate'), undefined, 200);
    const again = await running.api.post(standing(id, 'suspend'), undefined, 200, { headers });
    expect(again.text).toBe(first.text);
    expect(again.headers['idempotent-replayed']).toBe('true');
    expect((await running.api.get(`/v1/identities/${id}`, 200)).body.status).toBe('active');
  });

  it('403 missing_scope, 404 for an identity of another chat service and for one that is not there', async () => {
    const { id } = await agentIn(0);
    const reader = await callerWith(running.api, 'identities:read', 'identities:erase');
    expectProblem(await reader.post(standing(id, 'suspend'), undefined, 403), 'missing_scope');
    const { admin } = await otherService(running.api);
    expectProblem(await admin.post(standing(id, 'suspend'), undefined, 404), 'not_found');
    expectProblem(await running.api.post(standing(NOBODYS_ID, 'suspend'), undefined, 404), 'not_found');
  });

  it('403 identity_suspended for one who is erased', async () => {
    const { id } = await agentIn(0);
    await running.api.post(`/v1/identities/${id}/erase`, {}, 200);
    expectProblem(await running.api.post(standing(id, 'suspend'), undefined, 403), 'identity_suspended');
    expectProblem(await running.api.post(standing(id, 'reinstate'), undefined, 403), 'identity_suspended');
  });
});

describe('POST /v1/identities/{identity}/reinstate', () => {
  it('200: may take part again, and is in no conversation by that alone', async () => {
    const { id, externalId, chats } = await agentIn(1);
    await running.api.post(standing(id, 'suspend'), undefined, 200);
    const { body } = await running.api.post(standing(id, 'reinstate'), undefined, 200);
    expect(body).toMatchObject({ id, externalId, status: 'active' });
    await running.api.post('/v1/tokens', { externalId }, 201);
    expect(await namesIn(running, chats[0]!)).toEqual(['Bob']);
    await running.api.post(`${chats[0]!.path}/participants`, { externalId }, 201);
    expect(await namesIn(running, chats[0]!)).toEqual(['Bob', 'Ada']);
  });

  it('200 for one who is active, unchanged', async () => {
    const { id } = await agentIn(1);
    const { body: before } = await running.api.get(`/v1/identities/${id}`, 200);
    const { body } = await running.api.post(standing(id, 'reinstate'), undefined, 200);
    expect(body.updatedAt).toBe(before.updatedAt);
  });

  it('ends a suspension that is under way: who has not been removed yet stays', async () => {
    const { id, chats } = await agentIn(14);
    await running.sandbox.fault(
      { method: 'DELETE', times: 10 },
      { type: 'delay', ms: 500, applied: 'before' },
    );
    const headers = { prefer: 'respond-async' };
    await running.api.post(standing(id, 'suspend'), undefined, 202, { headers });
    await eventually(async () => {
      const [row] = await running.sql('select from wishes where kind = $1 and status is null', [
        'remove_participant',
      ]);
      expect(row).toBeDefined();
    });
    await running.api.post(standing(id, 'reinstate'), undefined, 200);
    const there = await Promise.all(chats.map(async (chat) => (await namesIn(running, chat)).length));
    expect(there.filter((count) => count === 2).length).toBeGreaterThanOrEqual(4);
    await running.sandbox.clearFaults();
  });

  it('403 missing_scope, 404 for an identity of another chat service', async () => {
    const { id } = await agentIn(0);
    const reader = await callerWith(running.api, 'identities:read');
    expectProblem(await reader.post(standing(id, 'reinstate'), undefined, 403), 'missing_scope');
    const { admin } = await otherService(running.api);
    expectProblem(await admin.post(standing(id, 'reinstate'), undefined, 404), 'not_found');
  });
});

describe('Who is written into a conversation in the moment of the suspension', () => {
  it.each(writersOf(running))('%s does not slip in: he is removed after that', async (_, prepare) => {
    const { id, externalId } = await agentIn(1);
    const { write, obstacle } = await prepare(externalId);
    const suspend = () => running.api.post(standing(id, 'suspend'), undefined, 200);
    await inTurn(running, obstacle, write, suspend, async () => {
      const [row] = await running.sql('select status from identities where id = $1', [id]);
      expect(row).toEqual({ status: 'active' });
    });
    const { body: list } = await running.api.get(`/v1/conversations?identityId=${id}`, 200);
    expect(list.data).toEqual([]);
  });
});
