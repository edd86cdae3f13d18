import { Client } from 'pg';
import { describe, expect, it } from 'vitest';
import { PROVISION } from '../../src/conversations/provision-statement.js';
import { SETTLE } from '../../src/conversations/settlements.js';
import type { Queryable } from '../../src/database/database.js';
import { LeaseStore } from '../../src/reconciler/lease-store.js';
import { Lease, type Leased } from '../../src/reconciler/lease.js';
import {
  endWish,
  findAnswered,
  findOpenWishes,
  noteTrouble,
  watchWish,
} from '../../src/reconciler/wish-store.js';
import { useTestDatabase } from '../support/database.js';

const database = useTestDatabase();
const CONVERSATIONS: Leased = { name: 'conversation', table: 'conversations' };
const TIMES = { leaseMs: 1, callTimeoutMs: 1 };

/** What the plans look up that a connection keeps of statements: by which index, or which table whole. */
async function lookUps(before: string[] = []): Promise<Record<string, string[]>> {
  const client = new Client({ connectionString: database.url });
  await client.connect();
  const plans: Record<string, string[]> = {};
  const plan: Queryable['query'] = async (name, text) => {
    const { rows } = await client.query<{ 'QUERY PLAN': string }>(`explain (generic_plan) ${text}`);
    const lines = rows.map((row) => row['QUERY PLAN']);
    plans[name] = lines.flatMap((line, index) => lookUp(line, lines[index + 1]));
    return [];
  };
  try {
    for (const statement of before) await client.query(statement);
    await plan('provision', PROVISION, []);
    await plan('settle', SETTLE, []);
    await planReconciler({ query: plan });
    return plans;
  } finally {
    await client.end();
  }
}

/** The statements that go with every wish, or come again and again while wishes are open. */
async function planReconciler(db: Queryable): Promise<void> {
  const store = new LeaseStore(db, TIMES);
  const claim = { id: 'x', version: 1, attempts: 0, takenOver: false };
  const lease = new Lease(CONVERSATIONS, claim, TIMES, store.renew);
  await store.claimDue(CONVERSATIONS, 50);
  await store.claim(CONVERSATIONS, 'x');
  await store.takeUp(db, CONVERSATIONS, 'x').catch(() => undefined);
  await store.renewAll([lease]);
  await store.release(lease).catch(() => undefined);
  await store.giveUp(lease, 1, null);
  await noteTrouble(db, lease, null);
  await findOpenWishes(db, 'x');
  await findAnswered(db, ['x']);
  await watchWish(db, 'x');
  await endWish(db, 'x', 200, '');
}

/** An index that is gone through from end to end is told as such. */
function lookUp(line: string, next = ''): string[] {
  const found = LOOK_UP.exec(line)?.[0];
  if (!found) return [];
  const whole = found.startsWith('Index') && !next.includes('Index Cond');
  return [whole ? `${found}, from end to end` : found];
}

const LOOK_UP = /(?:Index (?:Only )?Scan (?:using|on) \S+|Seq Scan on \S+)/;

const SERVICE = `'01900000-0000-7000-8000-000000000001'`;
const PEOPLE = [
  `insert into chat_services (id) values (${SERVICE})`,
  `insert into identities (id, service_id, kind, external_id, twilio_identity)
    select gen_random_uuid(), ${SERVICE}, 'customer', 'c' || n, 't' || n from generate_series(1, 20000) n`,
  `insert into conversations (id, service_id, external_ref, state)
    select gen_random_uuid(), ${SERVICE}, 'r' || n, 'active' from generate_series(1, 20000) n`,
];
const CHATS = [
  `insert into participants (id, conversation_id, identity_id, kind, state)
    select gen_random_uuid(), c.id, i.id, 'customer', 'joined'
    from conversations c join identities i on i.external_id = 'c' || substr(c.external_ref, 2)`,
  `insert into wishes (id, service_id, aggregate, aggregate_id, kind, request_id, instance, idempotency_hash)
    select gen_random_uuid(), ${SERVICE}, 'conversation', id, 'provision', 'x', 'x', decode(md5(external_ref), 'hex')
    from conversations`,
  `insert into messages (id, conversation_id, purpose, body, state)
    select gen_random_uuid(), id, 'greeting', 'hello', 'sent' from conversations`,
];

/** But for the few chat services. */
const wholes = (plan: string[]): string[] =>
  plan.filter((one) => /^Seq Scan on (?!chat_services)|from end to end$/.test(one));

const PROVISIONED_BY = [
  'Index Scan using uq_identities_external_id',
  'Index Scan using idx_participants_identity',
  'Index Scan using pk_conversations',
  'Index Only Scan using uq_wishes_idempotency',
  'Index Only Scan using uq_conversations_external_ref',
];

const SETTLED_BY = ['pk_conversations', 'pk_participants', 'pk_messages', 'pk_wishes'];

describe('A provision, its end, and what goes with every wish look up one by one', () => {
  it.each([
    ['a new database, where nothing has been analysed', []],
    [
      'one with 20,000 people and conversations of one chat service',
      [...PEOPLE, 'analyze', ...CHATS, 'analyze'],
    ],
  ])('in %s', async (_where, before) => {
    const { provision = [], settle = [], ...others } = await lookUps(before);
    expect(provision).toEqual(expect.arrayContaining(PROVISIONED_BY));
    expect(provision).not.toContain('Index Scan using idx_identities_service on identities');
    expect(settle).toEqual(expect.arrayContaining(SETTLED_BY.map((one) => `Index Scan using ${one}`)));
    const all = Object.entries({ provision, settle, ...others });
    expect(all.length).toBeGreaterThan(12);
    expect(all.filter(([, plan]) => wholes(plan).length > 0)).toEqual([]);
    expect(all.filter(([, plan]) => plan.length === 0)).toEqual([]);
  });
});
