import { randomUUID } from 'node:crypto';
import { Client } from 'pg';
import { expect, it } from 'vitest';
import { Sweeper } from '../../src/reconciler/sweeper.js';
import { useApp } from '../support/app.js';
import { provision, supportChat } from '../support/chats.js';
import { eventually } from '../support/eventually.js';
import { newPerson } from '../support/token-sessions.js';
import { waiting } from '../support/writers.js';

const running = useApp();
const prune = () => running.app.get(Sweeper).prune();
const refused = () => ({ ...supportChat(), participants: [{ address: '+15005550001' }] });

it('an Idempotency-Key is kept for its time, and free after it', async () => {
  const headers = { 'idempotency-key': randomUUID() };
  const body = { ...supportChat(), externalRef: undefined };
  const first = await running.api.post('/v1/conversations', body, 201, { headers });
  await running.sql(`update wishes set settled_at = now() - interval '167 hours'`);
  await prune();
  const kept = await running.api.post('/v1/conversations', body, 201, { headers });
  expect(kept.text).toBe(first.text);
  await running.sql(`update wishes set settled_at = now() - interval '169 hours'`);
  await prune();
  const anew = await running.api.post('/v1/conversations', body, 201, { headers });
  expect(anew.body.id).not.toBe(first.body.id);
});

it('a failed conversation stays listed for 30 days, and goes with its participants after them', async () => {
  const { body: problem } = await running.api.post('/v1/conversations', refused(), 422);
  const path = `/v1/conversations/${problem.conversation.id}`;
  await running.sql(
    `update conversations set updated_at = now() - interval '29 days' where state = 'failed'`,
  );
  await prune();
  await running.api.get(path, 200);
  await running.sql(
    `update conversations set updated_at = now() - interval '31 days' where state = 'failed'`,
  );
  await prune();
  await running.api.get(path, 404);
  const left = await running.sql('select id from participants where conversation_id = $1', [
    problem.conversation.id,
  ]);
  expect(left).toEqual([]);
});

it('who was deleted stays for what mentions him: an ended conversation, a receipt; or else for 30 days', async () => {
  const chat = await provision(running.api);
  const gone = [await newPerson(running), await newPerson(running)];
  const [nobody, erased, mentioned] = [...gone, chat.bob.identity!.id] as [string, string, string];
  await running.api.post(`${chat.path}/close`, {}, 200);
  await running.api.post(`/v1/identities/${erased}/erase`, {}, 200);
  for (const id of [nobody, erased, mentioned]) await running.api.delete(`/v1/identities/${id}`, 204);
  const left = async (days: number): Promise<unknown[]> => {
    await running.sql(
      `update identities set deleted_at = now() - $1 * interval '1 day', due_at = null where deleted_at is not null`,
      [days],
    );
    await prune();
    return (await running.sql('select id from identities where deleted_at is not null order by id')).map(
      (row) => (row as { id: string }).id,
    );
  };
  expect(await left(29)).toEqual([nobody, erased, mentioned].sort());
  expect(await left(31)).toEqual([erased, mentioned].sort());
});

it('who is being erased just now is not pruned', async () => {
  const id = await newPerson(running);
  await running.api.delete(`/v1/identities/${id}`, 204);
  await eventually(async () => {
    const held = await running.sql('select from identities where id = $1 and lease_token is not null', [id]);
    expect(held).toEqual([]);
  });
  await running.sql(
    `update identities set deleted_at = now() - interval '1 year', due_at = null where id = $1`,
    [id],
  );
  const client = new Client({ connectionString: running.database.url });
  await client.connect();
  try {
    await client.query('begin');
    await client.query('update identities set due_at = now() where id = $1', [id]);
    await client.query(`insert into erasures (identity_id, messages) values ($1, 'keep')`, [id]);
    const pruned = prune();
    await Promise.race([pruned, eventually(async () => expect(await waiting(running)).toBe(1))]);
    await client.query('commit');
    await pruned;
  } finally {
    await client.end();
  }
  expect(await running.sql('select identity_id from erasures')).toContainEqual({ identity_id: id });
});

it('what cannot be pruned does not keep the rest from it', async () => {
  await running.api.post('/v1/conversations', refused(), 422);
  await running.sql(
    `update conversations set updated_at = now() - interval '1 year', due_at = null where state = 'failed'`,
  );
  await running.sql(`update wishes set settled_at = now() - interval '1 year'`);
  await running.sql(`create function stay() returns trigger language plpgsql as $$ begin
    raise exception 'stays'; end $$`);
  await running.sql('create trigger stay before delete on wishes for each row execute function stay()');
  await prune();
  await running.sql('drop trigger stay on wishes');
  expect(await running.sql(`select id from conversations where state = 'failed'`)).toEqual([]);
});

it('an open wish is never pruned, however old', async () => {
  await running.sandbox.fault(
    { method: 'POST', path: '/Conversations$', times: 2 },
    { type: 'status', status: 500 },
  );
  const { body: chat } = await running.api.post('/v1/conversations', supportChat(), 202, {
    headers: { prefer: 'wait=0' },
  });
  await running.sql(`update wishes set created_at = now() - interval '1 year' where aggregate_id = $1`, [
    chat.id,
  ]);
  await prune();
  await eventually(async () => {
    const { body: read } = await running.api.get(`/v1/conversations/${chat.id}`, 200);
    expect(read.state).toBe('active');
  });
});
