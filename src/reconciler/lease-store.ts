import { randomUUID } from 'node:crypto';
import type { Queryable } from '../database/database.js';
import { releaseColumns } from './aggregate.js';
import { Lease, type LeaseClaim, type LeaseTimes, type Leased } from './lease.js';

interface TakenRow {
  id: string;
  version: number;
  attempts: number;
}

/** The statements by which leases change hands, for any table that carries the columns of the reconciler. */
export class LeaseStore {
  constructor(
    private readonly database: Queryable,
    private readonly times: LeaseTimes,
  ) {}

  /**
   * Takes rows that are due: first what is unfinished, then what is to be looked at once more. Asked for a range of times,
   * Postgres takes the index also in a database of which it has no figures.
   */
  async claimDue(aggregate: Leased, limit: number): Promise<Lease[]> {
    const askedAt = performance.now();
    const token = randomUUID();
    const rows = await this.database.query<TakenRow>(
      `lease.claim.${aggregate.table}`,
      `update ${aggregate.table} as t
      set lease_token = $1, due_at = now() + $2::float8 * interval '1 millisecond'
      from (select id from ${aggregate.table} where due_at between '-infinity' and now()
        order by unsettled_since is null, due_at limit $3 for no key update skip locked) as due
      where t.id = due.id
      returning t.id, t.version, t.attempts`,
      [token, this.times.leaseMs, limit],
    );
    return rows.map((row) => this.lease(aggregate, { ...row, takenOver: true }, askedAt, token));
  }

  /** A lease for a row that the caller is about to write, with this lease in the same statement. */
  newLease(aggregate: Leased, claim: LeaseClaim): Lease {
    return this.lease(aggregate, claim, performance.now(), randomUUID());
  }

  /**
   * Within the transaction that writes a wish into a row that stands: raises its version, and takes the lease where
   * nobody holds it. Null when somebody does: he meets the wish when he settles. Throws when the row is gone.
   */
  async takeUp(tx: Queryable, aggregate: Leased, id: string): Promise<Lease | null> {
    const askedAt = performance.now();
    const token = randomUUID();
    const { table } = aggregate;
    const free = '(t.lease_token is null or t.due_at <= now())';
    const [row] = await tx.query<TakenRow & { mine: boolean; unsettled: boolean }>(
      `lease.take-up.${table}`,
      `with before as (
        select id, unsettled_since is not null as unsettled from ${table} where id = $1 for no key update)
      update ${table} as t
      set version = t.version + 1, unsettled_since = coalesce(t.unsettled_since, now()),
        due_at = case when ${free} then clock_timestamp() + $3::float8 * interval '1 millisecond' else t.due_at end,
        lease_token = case when ${free} then $2 else t.lease_token end
      from before where t.id = before.id
      returning t.id, t.version, t.attempts, t.lease_token = $2 as mine, before.unsettled`,
      [id, token, this.times.leaseMs],
    );
    if (!row) throw new Error(`${aggregate.name} ${id} is gone.`);
    return row.mine ? this.lease(aggregate, { ...row, takenOver: row.unsettled }, askedAt, token) : null;
  }

  /** Takes one row that has something left to do, if nobody holds it, whenever its next try was to be. */
  async claim(aggregate: Leased, id: string): Promise<Lease | null> {
    const askedAt = performance.now();
    const token = randomUUID();
    const [row] = await this.database.query<TakenRow>(
      `lease.claim-one.${aggregate.table}`,
      `update ${aggregate.table}
      set lease_token = $2, due_at = clock_timestamp() + $3::float8 * interval '1 millisecond'
      where id = $1 and due_at is not null and (lease_token is null or due_at <= now())
      returning id, version, attempts`,
      [id, token, this.times.leaseMs],
    );
    return row ? this.lease(aggregate, { ...row, takenOver: true }, askedAt, token) : null;
  }

  /** Takes the lease whoever holds it. */
  async seize(tx: Queryable, aggregate: Leased, id: string): Promise<Lease> {
    const askedAt = performance.now();
    const token = randomUUID();
    const [row] = await tx.query<TakenRow>(
      `lease.seize.${aggregate.table}`,
      `update ${aggregate.table}
      set version = version + 1, unsettled_since = coalesce(unsettled_since, now()), lease_token = $2,
        due_at = clock_timestamp() + $3::float8 * interval '1 millisecond'
      where id = $1 returning id, version, attempts`,
      [id, token, this.times.leaseMs],
    );
    if (!row) throw new Error(`${aggregate.name} ${id} is gone.`);
    return this.lease(aggregate, { ...row, takenOver: true }, askedAt, token);
  }

  /** False when the lease is another's. */
  readonly renew = async (lease: Lease): Promise<boolean> => (await this.renewAll([lease])).has(lease);

  /**
   * Renews leases of one table in one statement, and says which of them are still held. The rows are locked in the order
   * of their ids, as where many are settled: neither waits for the other in a ring. Postgres takes a limit that it does
   * not know to leave one in ten, here one row, and then looks rows up one by one.
   */
  async renewAll(leases: Lease[]): Promise<Set<Lease>> {
    const [first] = leases;
    if (!first) return new Set();
    const { table } = first.aggregate;
    const askedAt = performance.now();
    const rows = await this.database.query<{ token: string; id: string }>(
      `lease.renew.${table}`,
      `with held as materialized (
        select t.id
        from (
          select * from unnest($1::uuid[], $2::uuid[]) as g (id, token) order by id limit cardinality($1::uuid[])
        ) given cross join lateral (
          select id from ${table} where id = given.id and lease_token = given.token for no key update) t)
      update ${table} t set due_at = now() + $3::float8 * interval '1 millisecond'
      from held where t.id = held.id returning t.id, t.lease_token as token`,
      [leases.map(({ id }) => id), leases.map(({ token }) => token), this.times.leaseMs],
    );
    // By both: a row that was seized in this process may be held here twice, and one sweep gives many rows one token.
    const renewed = new Set(rows.map(({ id, token }) => `${id} ${token}`));
    const held = leases.filter(({ id, token }) => renewed.has(`${id} ${token}`));
    for (const lease of held) lease.renewed(askedAt);
    return new Set(held);
  }

  /**
   * Gives the lease back after everything is settled. False when there is more to do, and the lease is kept: a newer
   * wish has come, or one is open that should not be. True also when the row was released with what settled it.
   */
  async release(lease: Lease): Promise<boolean> {
    if (lease.released) return true;
    const { table } = lease.aggregate;
    const askedAt = performance.now();
    const [row] = await this.database.query<{ version: number; released: boolean }>(
      `lease.release.${table}`,
      `update ${table} set ${releaseColumns(OPEN_OR('$3'), '$4', '$5', '$6')}
      where id = $1 and lease_token = $2 returning version, lease_token is null as released`,
      [lease.id, lease.token, lease.version, this.times.leaseMs, lease.lookAgainMs, lease.looked],
    );
    lease.assertHeld(row ? [row] : []);
    lease.settledAt(row!, askedAt);
    return lease.released;
  }

  /** Gives the lease back with work left: to be tried again in `pauseMs` by whoever sweeps. */
  async giveUp(lease: Lease, pauseMs: number, reason: string | null): Promise<void> {
    const { table } = lease.aggregate;
    await this.database.query(
      `lease.give-up.${table}`,
      `update ${table}
      set lease_token = null, due_at = now() + $3::float8 * interval '1 millisecond', attempts = $4, last_error = $5
      where id = $1 and lease_token = $2`,
      [lease.id, lease.token, pauseMs, lease.attempts, reason],
    );
  }

  /** Notes why a row does not get on, while its lease is held. */
  async noteError(lease: Lease, reason: string): Promise<void> {
    const { table } = lease.aggregate;
    await this.database.query(
      `lease.note-error.${table}`,
      `update ${table} set last_error = $3 where id = $1 and lease_token = $2 and last_error is distinct from $3`,
      [lease.id, lease.token, reason],
    );
  }

  /** Makes due at once what waits for credentials to be mended: a new start may bring new ones. */
  async retryRefused(aggregate: Leased, reason: string): Promise<void> {
    await this.database.query(
      `lease.retry-refused.${aggregate.table}`,
      `update ${aggregate.table} set due_at = now()
      where due_at > now() and lease_token is null and last_error = $1`,
      [reason],
    );
  }

  private lease(aggregate: Leased, claim: LeaseClaim, askedAt: number, token: string): Lease {
    return new Lease(aggregate, claim, this.times, this.renew, askedAt, token);
  }
}

/** The version to compare with: that of no row, where a wish is still open. */
const OPEN_OR = (version: string): string =>
  `case when exists (select from wishes w where w.aggregate_id = $1 and w.status is null) then -1 else ${version}::int end`;
