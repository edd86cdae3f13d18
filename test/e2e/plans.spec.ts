import { Client } from 'pg';
import { describe, expect, it } from 'vitest';
import { PROVISION } from '../../src/conversations/provision-statement.js';
import { SETTLE } from '../../src/conversations/settlements.js';
import { useTestDatabase } from '../support/database.js';

const database = useTestDatabase();

/** What the plans look up that a connection keeps of a provision and of its end: by which index, or which table whole. */
async function lookUps(before: string[] = []): Promise<{ provision: string[]; settle: string[] }> {
  const client = new Client({ connectionString: database.url });
  await client.connect();
  const plan = async (name: string, types: string, text: string, values: string): Promise<string[]> => {
    await client.query(`prepare ${name} (${types}) as ${text}`);
    const { rows } = await client.query<{ 'QUERY PLAN': string }>(`explain execute ${name} (${values})`);
    return rows.flatMap((row) => LOOK_UP.exec(row['QUERY PLAN'])?.[0] ?? []);
  };
  try {
    for (const statement of before) await client.query(statement);
    await client.query('set plan_cache_mode = force_generic_plan');
    return {
      provision: await plan('provision', 'json, json, json, float8', PROVISION, `'[]', '[]', '[]', 1`),
      settle: await plan('settle', 'json, json, json, json, float8', SETTLE, `'[]', '[]', '[]', '[]', 1`),
    };
  } finally {
    await client.end();
  }
}

const LOOK_UP = /(?:Index (?:Only )?Scan (?:using|on) \S+|Seq Scan on \S+)/;

const SERVICE = `'01900000-0000-7000-8000-000000000001'`;
const FILL = [
  `insert into chat_services (id) values (${SERVICE})`,
  `insert into identities (id, service_id, kind, external_id, twilio_identity)
    select gen_random_uuid(), ${SERVICE}, 'customer', 'c' || n, 't' || n from generate_series(1, 20000) n`,
  `insert into conversations (id, service_id, external_ref, state)
    select gen_random_uuid(), ${SERVICE}, 'r' || n, 'active' from generate_series(1, 20000) n`,
  'analyze',
  `insert into participants (id, conversation_id, identity_id, kind, state)
    select gen_random_uuid(), c.id, i.id, 'customer', 'joined'
    from conversations c join identities i on i.external_id = 'c' || substr(c.external_ref, 2)`,
  `insert into wishes (id, service_id, aggregate, aggregate_id, kind, request_id, instance, idempotency_hash)
    select gen_random_uuid(), ${SERVICE}, 'conversation', id, 'provision', 'x', 'x', decode(md5(external_ref), 'hex')
    from conversations`,
  `insert into messages (id, conversation_id, purpose, body, state)
    select gen_random_uuid(), id, 'greeting', 'hello', 'sent' from conversations`,
  'analyze',
];

/** But for the few chat services. */
const wholeTables = (plan: string[]): string[] =>
  plan.filter((one) => /^Seq Scan on (?!chat_services)/.test(one));

const PROVISIONED_BY = [
  'Index Scan using uq_identities_external_id',
  'Index Scan using idx_participants_identity',
  'Index Scan using pk_conversations',
  'Index Only Scan using uq_wishes_idempotency',
  'Index Only Scan using uq_conversations_external_ref',
];

describe('A provision and its end look up one by one', () => {
  it.each([
    ['a new database, where nothing has been analysed', []],
    ['one with 20,000 people and conversations of one chat service', FILL],
  ])('in %s', async (_where, before) => {
    const { provision, settle } = await lookUps(before);
    expect(provision).toEqual(expect.arrayContaining(PROVISIONED_BY));
    expect(provision).not.toContain('Index Scan using idx_identities_service on identities');
    expect(wholeTables(provision)).toEqual([]);
    // What ends a provision names many rows at once: only who knows how many there are can tell what that costs.
    if (before.length > 0) expect(wholeTables(settle)).toEqual([]);
  });
});
