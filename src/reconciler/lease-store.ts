import { randomUUID } from 'node:crypto';
import type { Database, Queryable } from '../database/database.js';
import { releaseColumns, type Aggregate } from './aggregate.js';
import { Lease, type LeaseClaim, type LeaseTimes } from './lease.js';

interface ClaimedRow {
  id: string;
  version: number;
  attempts: number;
}

/** The statements by which leases change hands, for any table that carries the columns of the reconciler. */
export class LeaseStore {
  constructor(
    private readonly database: Database,
    private readonly times: LeaseTimes,
  ) {}

  /** Takes rows that are due: an expired lease, a try or a look whose time has come. */
  async claimDue(aggregate: Aggregate, limit: number): Promise<Lease[]> {
    const askedAt = performance.now();
    const token = randomUUID();
    const rows = await this.database.query<ClaimedRow>(
      `lease.claim.${aggregate.table}`,
      `update ${aggregate.table} as t
      set lease_token = $1, due_at = now() + $2 * interval '1 millisecond'
      from (select id from ${aggregate.table}
        where due_at <= now() order by due_at limit $3 for update skip locked) as due
      where t.id = due.id
      returning t.id, t.version, t.attempts`,
      [token, this.times.leaseMs, limit],
    );
    return rows.map(({ id, version, attempts }) => {
      const claim = { id, version, attempts, takenOver: true };
      return new Lease(aggregate, claim, this.times, this.renew, askedAt, token);
    });
  }

  /**
   * Within the transaction that writes a wish into a row that stands: raises its version, and takes the lease where
   * nobody holds it. Null when somebody does: he meets the wish when he settles. Throws when the row is gone.
   */
  async takeUp(tx: Queryable, aggregate: Aggregate, id: string): Promise<Lease | null> {
    const askedAt = performance.now();
    const token = randomUUID();
    const { table } = aggregate;
    const free = '(t.lease_token is null or t.due_at <= now())';
    const [row] = await tx.query<{ version: number; attempts: number; mine: boolean; unsettled: boolean }>(
      `lease.take-up.${table}`,
      `with before as (
        select id, unsettled_since is not null as unsettled from ${table} where id = $1 for update)
      update ${table} as t
      set version = t.version + 1, unsettled_since = coalesce(t.unsettled_since, now()),
        due_at = case when ${free} then now() + $3::float8 * interval '1 millisecond' else t.due_at end,
        lease_token = case when ${free} then $2 else t.lease_token end
      from before where t.id = before.id
      returning t.version, t.attempts, t.lease_token = $2 as mine, before.unsettled`,
      [id, token, this.times.leaseMs],
    );
    if (!row) throw new Error(`${aggregate.name} ${id} is gone.`);
    if (!row.mine) return null;
    const claim = { id, version: row.version, attempts: row.attempts, takenOver: row.unsettled };
    return new Lease(aggregate, claim, this.times, this.renew, askedAt, token);
  }

  /** Takes the lease whoever holds it. */
  async seize(tx: Queryable, aggregate: Aggregate, id: string): Promise<Lease> {
    const askedAt = performance.now();
    const token = randomUUID();
    const [row] = await tx.query<{ version: number; attempts: number }>(
      `lease.seize.${aggregate.table}`,
      `update ${aggregate.table}
      set version = version + 1, unsettled_since = coalesce(unsettled_since, now()), lease_token = $2,
        due_at = now() + $3::float8 * interval '1 millisecond'
      where id = $1 returning version, attempts`,
      [id, token, this.times.leaseMs],
    );
    if (!row) throw new Error(`${aggregate.name} ${id} is gone.`);
    return new Lease(aggregate, { id, ...row, takenOver: true }, this.times, this.renew, askedAt, token);
  }

  /** A lease for a row that the caller is about to write, with this lease in the same statement. */
  newLease(aggregate: Aggregate, claim: LeaseClaim): Lease {
    return new Lease(aggregate, claim, this.times, this.renew);
  }

  /** False when the lease is another's. */
  readonly renew = async (lease: Lease): Promise<boolean> => {
    const { table } = lease.aggregate;
    const rows = await this.database.query(
      `lease.renew.${table}`,
      `update ${table} set due_at = now() + $3 * interval '1 millisecond'
      where id = $1 and lease_token = $2 returning id`,
      [lease.id, lease.token, this.times.leaseMs],
    );
    return rows.length > 0;
  };

  /**
   * Gives the lease back after everything is settled. False when a newer wish has come: the lease is kept, and there is
   * more to do. True also when the row was released with the statement that settled it.
   */
  async release(lease: Lease): Promise<boolean> {
    if (lease.released) return true;
    const { table } = lease.aggregate;
    const askedAt = performance.now();
    const [row] = await this.database.query<{ version: number }>(
      `lease.release.${table}`,
      `update ${table} set ${releaseColumns('$3', '$4', '$5', '$6')}
      where id = $1 and lease_token = $2 returning version`,
      [lease.id, lease.token, lease.version, this.times.leaseMs, lease.lookAgainMs, lease.looked],
    );
    lease.assertHeld(row ? [row] : []);
    lease.settledAt(row!.version, true, askedAt);
    return lease.released;
  }

  /** Gives the lease back with work left: to be tried again in `pauseMs` by whoever sweeps. */
  async giveUp(lease: Lease, pauseMs: number, reason: string | null): Promise<void> {
    const { table } = lease.aggregate;
    await this.database.query(
      `lease.give-up.${table}`,
      `update ${table}
      set lease_token = null, due_at = now() + $3 * interval '1 millisecond', attempts = $4, last_error = $5
      where id = $1 and lease_token = $2`,
      [lease.id, lease.token, pauseMs, lease.attempts, reason],
    );
  }
}
