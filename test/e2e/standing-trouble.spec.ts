import { randomUUID } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { unique, useApp } from '../support/app.js';
import { addressPair, contentsOf, namesIn, provision, type Chat } from '../support/chats.js';
import { eventually } from '../support/eventually.js';
import { FAULTS } from '../support/faults.js';
import { placesOf } from '../support/places.js';
import { expectProblem } from '../support/problems.js';

// Short times, so that what waits for them is seen within the test.
const running = useApp({ TWILIO_CALL_TIMEOUT_MS: '500', LEASE_MS: '1500' });
const PATIENT = { headers: { prefer: 'wait=30' } };

afterEach(() => running.sandbox.clearFaults());

interface Receipt {
  items: { where: string; count: number }[];
}

const agent = () => ({ kind: 'agent', externalId: unique('agent'), displayName: 'Ada' });
const somebody = () => {
  const mark = randomUUID().slice(0, 8);
  return { kind: 'customer', externalId: unique(`ext-${mark}`), displayName: `Zacharias ${mark}` };
};
const erase = (id: string, messages: string) =>
  running.api.post<Receipt>(`/v1/identities/${id}/erase`, { messages }, 200, PATIENT);
const counted = ({ items }: Receipt, where: string) => items.find((item) => item.where === where)?.count;

/** A chat in which he has said three things. */
async function talking(who: object): Promise<Chat> {
  const chat = await provision(running.api, { participants: [agent(), who] });
  for (const body of ['One', 'Two', 'Three'])
    await running.api.post(`${chat.path}/messages`, { author: chat.bob.id, body }, 201);
  return chat;
}

async function expectNowhere(who: { externalId: string; displayName: string }): Promise<void> {
  expect(await placesOf(running, who.externalId)).toEqual([]);
  expect(await placesOf(running, who.displayName)).toEqual([]);
}

const settled = () =>
  eventually(async () => {
    for (const table of ['conversations', 'identities'])
      expect(await running.sql(`select id from ${table} where due_at is not null`)).toEqual([]);
  }, 20_000);

describe.each(Object.entries(FAULTS))('When %s', (_, fault) => {
  it('who is suspended is out of every conversation', async () => {
    const chats = await Promise.all([1, 2].map(() => provision(running.api)));
    const { externalId } = chats[0]!.bob.identity!;
    const id = chats[0]!.bob.identity!.id;
    await running.api.post(`${chats[1]!.path}/participants`, { externalId }, 201);
    await running.sandbox.fault({ method: 'DELETE', path: '/Participants/MB' }, fault);
    await running.api.post(`/v1/identities/${id}/suspend`, undefined, 200, PATIENT);
    expect(await namesIn(running, chats[0]!)).toEqual(['Ada']);
    expect(await namesIn(running, chats[1]!)).toEqual(['Ada', 'Bob']);
  });

  it.each([
    ['keep', 'POST', '/Messages/IM'],
    ['delete', 'DELETE', '/Messages/IM'],
    ['delete', 'DELETE', '/Participants/MB'],
    ['keep', 'DELETE', '/Users/US'],
    ['keep', 'GET', '/Messages'],
  ])('erasing (%s) goes on at %s %s, and counts everything once', async (messages, method, path) => {
    const who = somebody();
    const chat = await talking(who);
    await running.sandbox.fault({ method, path }, fault);
    const { body } = await erase(chat.bob.identity!.id, messages);
    await expectNowhere(who);
    expect(counted(body, 'messages')).toBe(3);
    expect(counted(body, 'messageCopies')).toBe(3);
    expect(counted(body, 'participants')).toBe(1);
    expect(counted(body, 'user')).toBe(1);
    expect(await namesIn(running, chat)).toEqual(['Ada']);
  });

  it('a closed conversation is deleted with him, and counted once', async () => {
    const who = somebody();
    const chat = await talking(who);
    await running.api.post(`${chat.path}/close`, {}, 200);
    await running.sandbox.fault({ method: 'DELETE', path: '/Conversations/CH' }, fault);
    const { body } = await erase(chat.bob.identity!.id, 'delete');
    expectProblem(await running.api.get(chat.path, 404), 'not_found');
    expect(counted(body, 'conversations')).toBe(1);
    expect(counted(body, 'messages')).toBe(3);
    await expect(contentsOf(running.sandbox, chat.twilioSid)).rejects.toThrow('404');
    await expectNowhere(who);
  });
});

describe('After all that', () => {
  it('nobody is back, once what may have landed late has been looked for', async () => {
    await settled();
    expect(await placesOf(running, 'Zacharias')).toEqual([]);
  });
});

describe('Who is erased', () => {
  it('does not come back with his number by an earlier addition that lands late', async () => {
    const pair = addressPair();
    const chat = await provision(running.api);
    await running.sandbox.fault(
      { method: 'POST', path: '/Participants$', times: 1 },
      { type: 'reset-before', applyAfterMs: 1200 },
    );
    const who = { ...somebody(), ...pair };
    const { body: added } = await running.api.post(`${chat.path}/participants`, who, 201);
    await erase(added.identity.id, 'delete');
    await settled();
    expect(await placesOf(running, pair.address)).toEqual([]);
    expect(await namesIn(running, chat)).toEqual(['Ada', 'Bob']);
  });

  it('is forgotten in a conversation that was being provisioned; its answer is not given again', async () => {
    const who = somebody();
    const body = { participants: [agent(), who] };
    const headers = { 'idempotency-key': randomUUID() };
    await running.sandbox.fault(
      { method: 'POST', path: '/Conversations$' },
      { type: 'delay', ms: 400, applied: 'before' },
    );
    const made = running.api.post('/v1/conversations', body, 201, { headers });
    const id = await eventually(async () => {
      const { body: list } = await running.api.get(`/v1/identities?externalId=${who.externalId}`, 200);
      return list.data[0].id as string;
    });
    await erase(id, 'delete');
    const { body: chat } = await made;
    await expectNowhere(who);
    expect(await namesIn(running, { ...chat, path: `/v1/conversations/${chat.id}` })).toEqual(['Ada']);
    expectProblem(await running.api.post('/v1/conversations', body, 410, { headers }), 'answer_erased');
  });

  it('is forgotten where his messages, changes and removal were under way', async () => {
    const who = somebody();
    const chat = await talking(who);
    const { id, externalId } = chat.bob.identity!;
    await running.sandbox.fault(
      { method: 'POST', path: '/Messages$', times: 3 },
      { type: 'delay', ms: 400, applied: 'before' },
    );
    const path = `${chat.path}/participants/${externalId}`;
    const said = { author: externalId, body: `I am ${who.displayName}` };
    const async = { headers: { prefer: 'respond-async' } };
    await running.api.post(`${chat.path}/messages`, said, 202, async);
    await running.api.post(`${chat.path}/messages`, said, 202, async);
    await running.api.patch(path, { attributes: { name: who.displayName } }, 202, async);
    await running.api.delete(path, 202, async);
    const { body: receipt } = await erase(id, 'keep');
    // What was on its way is said, and erased; what waited behind it may not be said any more.
    expect(counted(receipt, 'messages')).toBeGreaterThanOrEqual(4);
    expect(counted(receipt, 'messageCopies')).toBe(5);
    await settled();
    await expectNowhere(who);
  });

  it('loses what he said in a conversation that was closed while he was being erased', async () => {
    const who = somebody();
    const chat = await talking(who);
    // Closed at Twilio by somebody else, after the removal and before the messages.
    await running.sandbox.fault(
      { method: 'GET', path: '/Messages' },
      { type: 'delay', ms: 300, applied: 'before' },
    );
    const since = await running.sandbox.last();
    const erased = erase(chat.bob.identity!.id, 'delete');
    await eventually(async () => {
      const calls = await running.sandbox.requests(since);
      expect(calls.some(({ path }) => path.endsWith('/Messages'))).toBe(true);
    });
    await running.sandbox.write('POST', `/v1/Conversations/${chat.twilioSid}`, [['State', 'closed']]);
    expect(counted((await erased).body, 'conversations')).toBe(1);
    await expectNowhere(who);
  });
});

describe('With credentials that Twilio refuses', () => {
  it.each(['suspend', 'erase'])(
    '502 upstream_auth_failed for %s; it is kept, and goes on when they are mended',
    async (what) => {
      const chat = await provision(running.api);
      await running.sandbox.fault(
        { method: 'DELETE', path: '/Participants/MB', probability: 1 },
        { type: 'status', status: 401, code: 20003 },
      );
      const path = `/v1/identities/${chat.bob.identity!.id}/${what}`;
      expectProblem(await running.api.post(path, undefined, 502, PATIENT), 'upstream_auth_failed');
      await running.sandbox.clearFaults();
      await eventually(async () => expect(await namesIn(running, chat)).toEqual(['Ada']), 20_000);
      await eventually(() => running.api.post(path, undefined, 200), 20_000);
    },
  );
});
