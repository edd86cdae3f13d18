import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { afterEach, beforeAll, expect, it } from 'vitest';
import { useApp } from '../support/app.js';
import { contentsOf, supportChat } from '../support/chats.js';
import { eventually } from '../support/eventually.js';

const running = useApp({ TWILIO_CALL_TIMEOUT_MS: '500', LEASE_MS: '1500' });

beforeAll(async () => {
  await running.api.post('/v1/conversations', supportChat(), 201);
});
afterEach(() => running.sandbox.clearFaults());

const atRest = () =>
  eventually(async () => {
    expect(await running.sql('select id from conversations where due_at is not null')).toEqual([]);
    expect(await running.sql('select id from chat_services where due_at is not null')).toEqual([]);
  }, 15_000);

it('a chat is not lost when what settles it fails once in Postgres', async () => {
  await running.sql('create sequence trip');
  await running.sql(`create function trip() returns trigger language plpgsql as $$ begin
    if new.state = 'active' and old.state = 'provisioning' and nextval('trip') = 1 then raise exception 'tripped'; end if;
    return new; end $$`);
  await running.sql(
    'create trigger trip before update on conversations for each row execute function trip()',
  );
  const { body: chat } = await running.api.post('/v1/conversations', supportChat(), 201);
  await running.sql('drop trigger trip on conversations');
  const { participants, messages } = await contentsOf(running.sandbox, chat.twilioSid);
  expect([participants.length, messages.length]).toEqual([2, 1]);
  await atRest();
});

it('a connection that Postgres ends within a transaction costs one 503, and nothing else', async () => {
  const client = new pg.Client(running.database.url);
  await client.connect();
  try {
    const [{ id }] = (await running.sql('select id from chat_services limit 1')) as [{ id: string }];
    const held = `held-${randomUUID()}`;
    await client.query('begin');
    await client.query(
      `insert into identities (id, service_id, kind, external_id, twilio_identity)
      values (gen_random_uuid(), $1, 'agent', $2, $2)`,
      [id, held],
    );
    const body = { participants: [{ kind: 'agent', externalId: held }] };
    const answer = running.api.post('/v1/conversations', body, 503);
    await eventually(async () => {
      const killed = await running.sql(
        `select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and application_name = 'convoke' and wait_event_type = 'Lock'`,
      );
      expect(killed).toHaveLength(1);
    });
    expect((await answer).body.code).toBe('unavailable');
    await client.query('rollback');
    await running.api.post('/v1/conversations', body, 201);
  } finally {
    await client.end();
  }
});

it('callers who meet a key that is stuck in another transaction are told soon, and hold nobody up', async () => {
  const client = new pg.Client(running.database.url);
  await client.connect();
  try {
    const headers = { 'idempotency-key': randomUUID() };
    const body = { participants: supportChat().participants };
    await running.api.post('/v1/conversations', body, 201, { headers });
    await client.query('create temp table stuck as select * from wishes where idempotency_hash is not null');
    await client.query('delete from wishes where id in (select id from stuck)');
    await client.query('begin');
    await client.query('insert into wishes select * from stuck');
    const { body: problem } = await running.api.post('/v1/conversations', body, 409, { headers });
    expect(problem.code).toBe('idempotency_in_progress');
    await client.query('commit');
    const { headers: replayed } = await running.api.post('/v1/conversations', body, 201, { headers });
    expect(replayed['idempotent-replayed']).toBe('true');
  } finally {
    await client.end();
  }
});

it('what Twilio says is there, and is not, is refused after a second look', async () => {
  await running.sandbox.fault(
    { method: 'POST', path: '/Participants$', times: 4 },
    { type: 'status', status: 409, code: 50437 },
  );
  const body = supportChat();
  const { body: problem } = await running.api.post('/v1/conversations', body, 422);
  expect(problem).toMatchObject({ code: 'provisioning_failed', twilio: { code: 50437 } });
  await running.sandbox.clearFaults();
  await running.api.post('/v1/conversations', body, 201);
});

it('which participant was refused is kept, although taking back needs a second try', async () => {
  await running.sandbox.fault({ method: 'DELETE', path: '/Conversations/' }, { type: 'status', status: 503 });
  const body = supportChat();
  body.participants.push({ address: '+15005550001', proxyAddress: '+15559990000' });
  const { body: problem } = await running.api.post('/v1/conversations', body, 422);
  const { body: failed } = await running.api.get(`/v1/conversations/${problem.conversation.id}`, 200);
  const failures = failed.participants.map(
    (one: { failure: { twilio: object } | null }) => one.failure?.twilio,
  );
  expect(failures).toMatchObject([undefined, undefined, { code: 50407 }]);
});

it('a chat service that lands late is removed: one wish makes one', async () => {
  const before = await running.sandbox.state();
  await running.sandbox.fault(
    { method: 'POST', path: '/v1/Services$' },
    { type: 'delay', ms: 900, applied: 'after' },
  );
  await running.api.post('/v1/services', { friendlyName: 'Twin' }, 201);
  await atRest();
  expect((await running.sandbox.state())['services']).toBe((before['services'] ?? 0) + 1);
});

it('the look for late landings ends where somebody has deleted the conversation at Twilio', async () => {
  await running.sandbox.fault({ method: 'POST', path: '/Messages$' }, { type: 'reset-after' });
  const { body: chat } = await running.api.post('/v1/conversations', supportChat(), 201);
  const { accountSid, authToken } = running.sandbox.config;
  const deleted = await fetch(`${running.sandbox.baseUrl}/v1/Conversations/${chat.twilioSid}`, {
    method: 'DELETE',
    headers: { authorization: `Basic ${Buffer.from(`${accountSid}:${authToken}`).toString('base64')}` },
  });
  expect(deleted.status).toBe(204);
  await atRest();
});
