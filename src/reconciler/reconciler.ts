import { Injectable, Logger, type BeforeApplicationShutdown } from '@nestjs/common';
import { setTimeout as sleep } from 'node:timers/promises';
import { AppConfig } from '../config/app-config.js';
import { Database, type Queryable } from '../database/database.js';
import { isDatabaseAway } from '../database/pg-errors.js';
import { TwilioError } from '../twilio/twilio-error.js';
import type { Aggregate } from './aggregate.js';
import { LeaseLost, type Lease, type LeaseClaim } from './lease.js';
import { LeaseStore } from './lease-store.js';
import { NotReady, pauseAfter, troubleOf } from './pause.js';
import { noteTrouble, pruneWishes, SETTLE_WISHES, type SettledWish } from './wish-store.js';
import { WishWaiters } from './wish-waiters.js';

/** Rows that the sweep works on at once in this process. */
const SWEEP_LIMIT = 20;
/** A longer pause gives the lease up instead of holding it. */
const HELD_PAUSE_MAX_MS = 3000;

/**
 * Brings rows to what is wanted. A request drives the row that it wrote a wish into; the sweep, on every replica, takes
 * up what nobody is driving: what a dead process left, what is to be tried again, what is to be looked at once more.
 */
@Injectable()
export class Reconciler implements BeforeApplicationShutdown {
  private readonly logger = new Logger(Reconciler.name);
  private readonly aggregates = new Map<string, Aggregate>();
  private readonly driving = new Map<Lease, Promise<void>>();
  /** Of those, what the sweep has taken up: its share is bounded, that of the requests is bounded by the requests. */
  private readonly swept = new Set<Lease>();
  private readonly store: LeaseStore;
  private readonly stopping = new AbortController();

  constructor(
    private readonly config: AppConfig,
    private readonly database: Database,
    private readonly waiters: WishWaiters,
  ) {
    this.store = new LeaseStore(database, config.reconciler);
  }

  /** Deletes what is kept no longer: wishes with their answers, and whatever each aggregate has of that kind. */
  async prune(): Promise<void> {
    const { idempotencyKeepHours } = this.config.retention;
    const batches = [
      () => pruneWishes(this.database, idempotencyKeepHours),
      ...[...this.aggregates.values()].map((aggregate) => () => aggregate.prune?.() ?? Promise.resolve(0)),
    ];
    for (const batch of batches) while (!this.stopping.signal.aborted && (await batch()) > 0);
  }

  /** How long a lease lasts, in milliseconds. */
  get leaseMs(): number {
    return this.config.reconciler.leaseMs;
  }

  /** Called once by each aggregate, before the application has started. */
  register(aggregate: Aggregate): void {
    this.aggregates.set(aggregate.name, aggregate);
  }

  /** A lease for a row that the caller is about to write, in the same statement. */
  newLease(aggregateName: string, claim: LeaseClaim): Lease {
    return this.store.newLease(this.aggregate(aggregateName), claim);
  }

  /** Raises the version of a row that stands, for a wish, and takes its lease where nobody holds it. */
  takeUp(tx: Queryable, aggregateName: string, id: string): Promise<Lease | null> {
    return this.store.takeUp(tx, this.aggregate(aggregateName), id);
  }

  /** Starts to reconcile a row whose lease was taken with the wish. Returns at once; failures are dealt with here. */
  drive(lease: Lease): void {
    const work = this.stopping.signal.aborted ? this.leaveToOthers(lease) : this.run(lease);
    this.driving.set(
      lease,
      work.finally(() => {
        this.driving.delete(lease);
        this.swept.delete(lease);
      }),
    );
  }

  /** Settles one wish by itself, fenced by the lease, and tells who waits for it. */
  async settleWish(lease: Lease, wishId: string, end: SettledWish): Promise<void> {
    const { name, table } = lease.aggregate;
    const rows = await this.database.query(
      `wishes.settle.${name}`,
      `with fence as (select id from ${table} where id = $1 and lease_token = $2 for update),
      ${SETTLE_WISHES('fence', '$3')}
      select id from fence, (select count(*) from notified) as n`,
      [lease.id, lease.token, JSON.stringify([{ id: wishId, status: end.status, answer: end.answer }])],
    );
    lease.assertHeld(rows);
    this.waiters.tell(wishId, end);
  }

  /** Takes up what is due now. Says how many rows that was. */
  async sweep(): Promise<number> {
    let taken = 0;
    for (const aggregate of this.aggregates.values()) {
      const room = SWEEP_LIMIT - this.swept.size;
      if (room <= 0 || this.stopping.signal.aborted) break;
      const leases = await this.store.claimDue(aggregate, room);
      for (const lease of leases) {
        this.swept.add(lease);
        this.drive(lease);
      }
      taken += leases.length;
    }
    return taken;
  }

  /**
   * Finishes what is under way, for as long as the grace lasts, then gives the rest up to the other replicas: their
   * callers get 202, and nothing is lost.
   */
  async beforeApplicationShutdown(): Promise<void> {
    this.stopping.abort();
    await Promise.race([this.idle(), sleep(this.config.http.shutdownGraceMs, undefined, { ref: false })]);
    const left = [...this.driving.keys()];
    await Promise.all(left.map((lease) => this.leaveToOthers(lease)));
    this.waiters.releaseAll();
    if (left.length > 0) this.logger.warn(`gave up ${left.length} unfinished row(s) to other replicas`);
  }

  /** Raises the version of a row and takes its lease from whoever holds it: what he writes from now on is refused. */
  seize(tx: Queryable, aggregateName: string, id: string): Promise<Lease> {
    return this.store.seize(tx, this.aggregate(aggregateName), id);
  }

  private aggregate(name: string): Aggregate {
    const aggregate = this.aggregates.get(name);
    if (!aggregate) throw new Error(`No aggregate is called ${name}.`);
    return aggregate;
  }

  private async leaveToOthers(lease: Lease): Promise<void> {
    lease.lose();
    await this.store.giveUp(lease, 0, null).catch(() => undefined);
  }

  private async idle(): Promise<void> {
    while (this.driving.size > 0) await Promise.all(this.driving.values());
  }

  private async run(lease: Lease): Promise<void> {
    for (;;) {
      try {
        lease.newer = false;
        await lease.aggregate.reconcile(lease);
        // A newer wish that has come meanwhile is ours to do.
        if (!lease.newer && (await this.store.release(lease))) return;
      } catch (error) {
        if (!(await this.recover(lease, error))) return;
      }
    }
  }

  /** After a failure: true when the row is to be tried again here, under the lease that is still held. */
  private async recover(lease: Lease, error: unknown): Promise<boolean> {
    if (error instanceof LeaseLost) return false;
    if (isDatabaseAway(error)) {
      // Nothing can be recorded: the lease runs out, and whoever sweeps then goes on.
      this.logger.warn(`Postgres is away; ${nameOf(lease)} is left for the sweep`);
      return false;
    }
    this.logFailure(lease, error);
    if (error instanceof TwilioError && error.kind === 'unknown') lease.uncertain = true;
    const pauseMs = pauseAfter(error, lease.attempts++);
    try {
      await this.tellTrouble(lease.id, error);
      if (pauseMs > HELD_PAUSE_MAX_MS || this.stopping.signal.aborted) {
        await this.store.giveUp(lease, pauseMs, troubleOf(error));
        return false;
      }
    } catch (failure) {
      this.logger.warn(`${nameOf(lease)} is left for the sweep: ${String(failure)}`);
      return false;
    }
    await sleep(pauseMs, undefined, { signal: this.stopping.signal }).catch(() => undefined);
    return true;
  }

  /** Only bad credentials are answered at once; everything else is waited out. */
  private async tellTrouble(aggregateId: string, error: unknown): Promise<void> {
    const auth = error instanceof TwilioError && error.auth;
    await noteTrouble(this.database, aggregateId, auth ? 'upstream_auth_failed' : null);
    if (auth) await this.waiters.checkAll();
  }

  private logFailure(lease: Lease, error: unknown): void {
    const what = `${nameOf(lease)}, try ${lease.attempts + 1}`;
    if (error instanceof NotReady) this.logger.debug(`${what}: ${error.message}`);
    else if (error instanceof TwilioError)
      this.logger.warn(`${what}: ${troubleOf(error)} (${error.message})`);
    else
      this.logger.error(`${what}: ${error instanceof Error ? error.message : String(error)}`, stackOf(error));
  }

  /** Keeps the leases of what is under way, also while it waits for its turn or out a pause. */
  async heartbeat(): Promise<void> {
    const { leaseMs } = this.config.reconciler;
    for (const lease of this.driving.keys()) {
      if (lease.remainingMs > (leaseMs * 2) / 3 || lease.remainingMs <= 0) continue;
      try {
        const askedAt = performance.now();
        if (await this.store.renew(lease)) lease.renewed(askedAt);
        else lease.lose();
      } catch (error) {
        this.logger.debug(`a lease could not be renewed: ${String(error)}`);
      }
    }
  }
}

const stackOf = (error: unknown): string | undefined => (error instanceof Error ? error.stack : undefined);

const nameOf = (lease: Lease): string => `${lease.aggregate.name} ${lease.id}`;
