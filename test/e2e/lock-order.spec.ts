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

/** Has `work` wait for a transaction that has done `first`; `meanwhile` is called while it waits. */
async function whileBlocked<T>(
  first: (blocker: Client) => Promise<unknown>,
  work: () => Promise<T>,
  meanwhile: () => Promise<unknown> = () => Promise.resolve(),
): Promise<T> {
  const blocker = new Client({ connectionString: running.database.url });
  await blocker.connect();
  try {
    await blocker.query('begin');
    await first(blocker);
    const done = work();
    await eventually(async () => {
      const waiting = await running.sql(
        `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
      );
      expect(waiting).toHaveLength(1);
    });
    await meanwhile();
    await blocker.query('commit');
    return await done;
  } finally {
    await blocker.end();
  }
}

/** Which rows `work` has locked while it waits for the one in the middle. */
async function lockedBy(work: () => Promise<unknown>): Promise<boolean[]> {
  const free = new Set<string>();
  await whileBlocked(
    (blocker) => blocker.query('select from conversations where id = $1 for update', [held[ROWS / 2]!.id]),
    work,
    async () => {
      const rows = await running.sql('select id from conversations for no key update skip locked');
      for (const { id } of rows as { id: string }[]) free.add(id);
    },
  );
  return held.map(({ id }) => !free.has(id));
}

const settleAll = async (some: Lease[]): Promise<() => Promise<PromiseSettledResult<void>[]>> => {
  const works = await Promise.all(
    some.map(async (lease) => ({ lease, work: (await store.load(lease.id))! })),
  );
  return () =>
    Promise.allSettled(works.map(({ lease, work }) => store.settle(lease, work, [], { last: true })));
};

describe('Rows are locked in the order of their ids, so that nobody waits in a ring,', () => {
  const upToTheMiddle = Array.from({ length: ROWS }, (_, n) => n <= ROWS / 2);

  it('where leases are renewed', async () => {
    expect(await lockedBy(() => leases.renewAll(mixed()))).toEqual(upToTheMiddle);
  });

  it('where many conversations are settled by one statement', async () => {
    const settle = await settleAll(mixed());
    expect(await lockedBy(settle)).toEqual(upToTheMiddle);
  });
});

it('Of conversations settled together, one that was taken meanwhile is left, and one with a newer wish is kept', async () => {
  const claimed = await Promise.all(
    held.slice(0, 4).map(async ({ id }) => {
      await running.sql(
        `update conversations set due_at = now() + interval '1 hour', lease_token = null where id = $1`,
        [id],
      );
      return (await leases.claim(aggregate, id))!;
    }),
  );
  const [plain, taken, newer] = claimed as [Lease, Lease, Lease];
  const ends = await whileBlocked(
    async (blocker) => {
      await blocker.query('update conversations set lease_token = gen_random_uuid() where id = $1', [
        taken.id,
      ]);
      await blocker.query('update conversations set version = version + 1 where id = $1', [newer.id]);
    },
    await settleAll(claimed),
  );
  expect(ends.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'fulfilled']);
  expect(ends[1]).toMatchObject({ reason: { name: 'LeaseLost' } });
  expect(plain).toMatchObject({ released: true, newer: false });
  expect(newer).toMatchObject({ released: false, newer: true });
});

it('A lease that was seized is not renewed beside the one that took it, in the same process', async () => {
  const before = held[ROWS - 1]!;
  await running.sql(
    `update conversations set lease_token = $2, due_at = now() + interval '1 hour' where id = $1`,
    [before.id, before.token],
  );
  const after = await running.app.get(Database).transaction((tx) => leases.seize(tx, aggregate, before.id));
  expect(await leases.renewAll([before, after])).toEqual(new Set([after]));
});
