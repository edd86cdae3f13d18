import { Client } from 'pg';
import { beforeAll, describe, expect, it } from 'vitest';
import { ConversationAggregate } from '../../src/conversations/conversation.aggregate.js';
import { ConversationStore } from '../../src/conversations/conversation-store.js';
import { Database } from '../../src/database/database.js';
import type { Lease } from '../../src/reconciler/lease.js';
import { LeaseStore } from '../../src/reconciler/lease-store.js';
import { unique, useApp } from '../support/app.js';
import { eventually } from '../support/eventually.js';

const running = useApp();
const ROWS = 40;
let leases: LeaseStore;
let store: ConversationStore;
let aggregate: ConversationAggregate;
let held: Lease[] = [];

beforeAll(async () => {
  leases = running.app.get(LeaseStore);
  store = running.app.get(ConversationStore);
  aggregate = running.app.get(ConversationAggregate);
  const one = () => ({ participants: [{ kind: 'customer', externalId: unique('c') }] });
  const made = Array.from({ length: ROWS }, () => running.api.post('/v1/conversations', one(), 201));
  const ids = (await Promise.all(made)).map(({ body }) => body.id as string);
  // Due in an hour, so that this test takes them, and no sweep.
  await running.sql(`update conversations set due_at = now() + interval '1 hour'`);
  const claimed = await Promise.all(ids.map((id) => leases.claim(aggregate, id)));
  held = claimed.filter((lease) => lease !== null).sort((a, b) => (a.id < b.id ? -1 : 1));
  expect(held).toHaveLength(ROWS);
});

/** Neither the order of ids, nor that in which the rows were written. */
const mixed = (): Lease[] => held.map((_, n) => held[(n * 17 + 5) % ROWS]!);

/** Which rows `work` has locked while it waits for the one in the middle. */
async function lockedBy(work: () => Promise<unknown>): Promise<boolean[]> {
  const blocker = new Client({ connectionString: running.database.url });
  await blocker.connect();
  try {
    await blocker.query('begin');
    await blocker.query('select from conversations where id = $1 for update', [held[ROWS / 2]!.id]);
    const done = work();
    await eventually(async () => {
      const waiting = await running.sql(
        `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
      );
      expect(waiting).toHaveLength(1);
    });
    const free = (await running.sql('select id from conversations for no key update skip locked')) as {
      id: string;
    }[];
    await blocker.query('rollback');
    await done;
    const ids = new Set(free.map(({ id }) => id));
    return held.map(({ id }) => !ids.has(id));
  } finally {
    await blocker.end();
  }
}

describe('Rows are locked in the order of their ids, so that nobody waits in a ring,', () => {
  const upToTheMiddle = Array.from({ length: ROWS }, (_, n) => n <= ROWS / 2);

  it('where leases are renewed', async () => {
    expect(await lockedBy(() => leases.renewAll(mixed()))).toEqual(upToTheMiddle);
  });

  it('where many conversations are settled by one statement', async () => {
    const works = await Promise.all(
      mixed().map(async (lease) => ({ lease, work: (await store.load(lease.id))! })),
    );
    const settle = () =>
      Promise.all(works.map(({ lease, work }) => store.settle(lease, work, [], { last: false })));
    expect(await lockedBy(settle)).toEqual(upToTheMiddle);
  });
});

it('A lease that was seized is not renewed beside the one that took it, in the same process', async () => {
  const [before] = held;
  const after = await running.app.get(Database).transaction((tx) => leases.seize(tx, aggregate, before!.id));
  expect(await leases.renewAll([before!, after])).toEqual(new Set([after]));
});
