import { Injectable, Logger, type BeforeApplicationShutdown } from '@nestjs/common';
import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { AppConfig } from '../config/app-config.js';
import { Database, type Queryable } from '../database/database.js';
import { isDatabaseAway } from '../database/pg-errors.js';
import { TwilioError } from '../twilio/twilio-error.js';
import { TwilioGateway } from '../twilio/twilio.gateway.js';
import type { Aggregate } from './aggregate.js';
import { LeaseLost, type Lease, type LeaseClaim } from './lease.js';
import { LeaseStore } from './lease-store.js';
import { AUTH_TROUBLE, NotReady, pauseAfter, Postponed, SHORT_WAITS, troubleOf } from './pause.js';
import { noteTrouble, SETTLE_WISHES, type SettledWish } from './wish-store.js';
import { WishWaiters } from './wish-waiters.js';

/** Rows that are driven at once in this process; what comes beyond is left to the sweeps. */
const DRIVEN_MAX = 500;
/** A longer pause gives the lease up instead of holding it. */
const HELD_PAUSE_MAX_MS = 3000;

/**
 * Brings rows to what is wanted. A request drives the row that it wrote a wish into; what nobody drives is taken up by
 * the sweep.
 */
@Injectable()
export class Reconciler implements BeforeApplicationShutdown {
  private readonly logger = new Logger(Reconciler.name);
  private readonly registered = new Map<string, Aggregate>();
  private readonly driving = new Map<Lease, Promise<void>>();
  private readonly stopping = new AbortController();

  constructor(
    private readonly config: AppConfig,
    private readonly database: Database,
    private readonly store: LeaseStore,
    private readonly waiters: WishWaiters,
    private readonly gateway: TwilioGateway,
  ) {
    // Each row that waits out a pause listens; Node would take the eleventh for a leak.
    setMaxListeners(0, this.stopping.signal);
  }

  /** How long a lease lasts, in milliseconds. */
  get leaseMs(): number {
    return this.config.reconciler.leaseMs;
  }

  get aggregates(): readonly Aggregate[] {
    return [...this.registered.values()];
  }

  /** What is being driven here. */
  get held(): readonly Lease[] {
    return [...this.driving.keys()];
  }

  get stopped(): boolean {
    return this.stopping.signal.aborted;
  }

  /** Called once by each aggregate, before the application has started. */
  register(aggregate: Aggregate): void {
    this.registered.set(aggregate.name, aggregate);
  }

  /** A lease for a row that the caller is about to write, in the same statement. */
  newLease(aggregateName: string, claim: LeaseClaim): Lease {
    return this.store.newLease(this.aggregate(aggregateName), claim);
  }

  /** Raises the version of a row that stands, for a wish, and takes its lease where nobody holds it. */
  takeUp(tx: Queryable, aggregateName: string, id: string): Promise<Lease | null> {
    return this.store.takeUp(tx, this.aggregate(aggregateName), id);
  }

  /** Raises the version of a row and takes its lease from whoever holds it: what he writes from now on is refused. */
  seize(tx: Queryable, aggregateName: string, id: string): Promise<Lease> {
    return this.store.seize(tx, this.aggregate(aggregateName), id);
  }

  /** Twilio does not answer: what comes is left to the sweep, which asks it again with one row at a time. */
  get upstreamDown(): boolean {
    return this.gateway.down;
  }

  /** Starts to reconcile a row whose lease is held. Failures are dealt with here; the promise tells of the end alone. */
  drive(lease: Lease, { probe = false } = {}): Promise<void> {
    const leave = this.stopped || this.driving.size >= DRIVEN_MAX || (this.upstreamDown && !probe);
    const work = leave ? this.leaveToOthers(lease) : this.run(lease);
    const done = work.finally(() => this.driving.delete(lease));
    this.driving.set(lease, done);
    return done;
  }

  /** Works on one row now, if there is anything to do and nobody does it; resolves at the end of that. */
  async reconcileNow(aggregateName: string, id: string): Promise<void> {
    const lease = await this.store.claim(this.aggregate(aggregateName), id);
    if (lease) await this.drive(lease);
  }

  /** Settles one wish by itself, fenced by the lease, and tells who waits for it. */
  async settleWish(lease: Lease, wishId: string, end: SettledWish): Promise<void> {
    const { name, table } = lease.aggregate;
    const rows = await this.database.query(
      `wishes.settle.${name}`,
      `with fence as (select id from ${table} where id = $1 and lease_token = $2 for no key update),
      ${SETTLE_WISHES('fence', '$3')}
      select id from fence, (select count(*) from notified) as n`,
      [lease.id, lease.token, JSON.stringify([{ id: wishId, status: end.status, answer: end.answer }])],
    );
    lease.assertHeld(rows);
    this.waiters.tell(wishId, end);
  }

  /**
   * Finishes what is under way, for as long as the grace lasts, then gives the rest up to the other replicas: their
   * callers get 202, and nothing is lost.
   */
  async beforeApplicationShutdown(): Promise<void> {
    this.stopping.abort();
    await Promise.race([this.idle(), sleep(this.config.http.shutdownGraceMs, undefined, { ref: false })]);
    const left = this.held;
    await Promise.all(left.map((lease) => this.leaveToOthers(lease)));
    this.waiters.releaseAll();
    if (left.length > 0) this.logger.warn(`gave up ${left.length} unfinished row(s) to other replicas`);
  }

  private aggregate(name: string): Aggregate {
    const aggregate = this.registered.get(name);
    if (!aggregate) throw new Error(`No aggregate is called ${name}.`);
    return aggregate;
  }

  /** Nobody may look before what has been sent has been answered or dropped. */
  private async leaveToOthers(lease: Lease): Promise<void> {
    const pauseMs = lease.sendingMs;
    lease.lose();
    await this.store.giveUp(lease, pauseMs, null).catch(() => undefined);
  }

  private async idle(): Promise<void> {
    while (this.driving.size > 0) await Promise.all(this.driving.values());
  }

  private async run(lease: Lease): Promise<void> {
    const aggregate = this.aggregate(lease.aggregate.name);
    for (;;) {
      try {
        if (lease.newer) lease.lookAgain();
        await aggregate.reconcile(lease);
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
    if (error instanceof Postponed) return this.postpone(lease, error);
    this.logFailure(lease, error);
    if (error instanceof TwilioError && error.kind === 'unknown') lease.outcomeUnknown();
    const waits = error instanceof NotReady;
    const pauseMs = pauseAfter(error, waits ? lease.waits++ : lease.attempts++);
    const hold = waits ? lease.waits < SHORT_WAITS : pauseMs <= HELD_PAUSE_MAX_MS;
    try {
      await this.tellTrouble(lease, error);
      if (!hold || this.stopped || this.upstreamDown) {
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

  private async postpone(lease: Lease, { message, pauseMs }: Postponed): Promise<false> {
    this.logger.debug(`${nameOf(lease)}: ${message}`);
    await this.store
      .giveUp(lease, pauseMs, null)
      .catch((failure: unknown) => this.logger.warn(`${nameOf(lease)} is left: ${String(failure)}`));
    return false;
  }

  /** Only bad credentials are answered at once; everything else is waited out. */
  private async tellTrouble(lease: Lease, error: unknown): Promise<void> {
    const reason = troubleOf(error);
    await this.store.noteError(lease, reason);
    const told = await noteTrouble(this.database, lease, reason === AUTH_TROUBLE ? reason : null);
    await this.waiters.check(told);
  }

  private logFailure(lease: Lease, error: unknown): void {
    const what = `${nameOf(lease)}, try ${lease.attempts + 1}`;
    if (error instanceof NotReady) this.logger.debug(`${what}: ${error.message}`);
    else if (error instanceof TwilioError)
      this.logger.warn(`${what}: ${troubleOf(error)} (${error.message})`);
    else
      this.logger.error(`${what}: ${error instanceof Error ? error.message : String(error)}`, stackOf(error));
  }
}

const stackOf = (error: unknown): string | undefined => (error instanceof Error ? error.stack : undefined);

const nameOf = (lease: Lease): string => `${lease.aggregate.name} ${lease.id}`;
