import pg from 'pg';
import type { Response } from 'supertest';
import { expect } from 'vitest';
import { unique, type TestApp } from './app.js';
import { provision } from './chats.js';
import { eventually } from './eventually.js';

export interface Writer {
  /** Writes the person into a conversation, and expects this status in place of success. */
  write: (refused?: number) => Promise<Response>;
  /** SQL of what keeps it waiting once it has read that the person is active, before it has written the participant. */
  obstacle: string;
}

const TABLE = 'lock table participants in share mode';
const holdRef = (externalRef: string) => `insert into conversations (id, service_id, external_ref, state)
  select gen_random_uuid(), id, '${externalRef}', 'provisioning' from chat_services limit 1`;

/** The ways in which a known person comes into a conversation; each is to be prepared first. */
export const writersOf = (running: TestApp): [string, (externalId: string) => Promise<Writer>][] => [
  [
    'by a provision',
    (externalId) => {
      const externalRef = unique('case');
      const body = { externalRef, participants: [{ externalId }] };
      const write = (refused = 201) => running.api.post('/v1/conversations', body, refused);
      return Promise.resolve({ write, obstacle: holdRef(externalRef) });
    },
  ],
  [
    'by being added',
    async (externalId) => {
      const { path } = await provision(running.api);
      const write = (refused = 201) => running.api.post(`${path}/participants`, { externalId }, refused);
      return { write, obstacle: TABLE };
    },
  ],
  [
    'by a transfer',
    async (externalId) => {
      const { path, ada } = await provision(running.api);
      const body = { from: ada.id, to: { externalId } };
      const write = (refused = 200) => running.api.post(`${path}/transfer`, body, refused);
      return { write, obstacle: TABLE };
    },
  ],
];

/** Has two calls wait one behind the other: the first for what `obstacle` holds, the second for the first. */
export async function inTurn(
  running: TestApp,
  obstacle: string,
  first: () => Promise<unknown>,
  second: () => Promise<unknown>,
  whileBothWait: () => Promise<unknown> = () => Promise.resolve(),
): Promise<void> {
  const client = new pg.Client({ connectionString: running.database.url });
  await client.connect();
  try {
    await client.query('begin');
    await client.query(obstacle);
    const one = first();
    await eventually(async () => expect(await waiting(running)).toBe(1));
    const other = second();
    await eventually(async () => expect(await waiting(running)).toBe(2));
    await whileBothWait();
    await client.query('rollback');
    await Promise.all([one, other]);
  } finally {
    await client.end();
  }
}

/** Sessions that wait for a lock. Not asked in the transaction, which would be told the same each time. */
export async function waiting(running: Pick<TestApp, 'sql'>): Promise<number> {
  const [row] = (await running.sql(
    `select count(*)::int as count from pg_stat_activity
    where datname = current_database() and wait_event_type = 'Lock'`,
  )) as { count: number }[];
  return row!.count;
}
