import {
  Injectable,
  Logger,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { AppConfig } from '../config/app-config.js';
import { Database } from '../database/database.js';
import type { Lease } from './lease.js';
import { LeaseStore } from './lease-store.js';
import { AUTH_TROUBLE } from './pause.js';
import { Reconciler } from './reconciler.js';
import { pruneWishes } from './wish-store.js';

const SWEEP_MS = 1000;
const PRUNE_MS = 600_000;
/** Rows of one aggregate that the sweep works on at once in this process: none can keep another from its turn. */
const SWEPT_MAX = 50;

/**
 * Does what nobody asks for, on every replica: takes up what nobody drives (what a dead process left, what is to be tried
 * again, what is to be looked at once more), keeps the leases of what is driven here, and prunes. With jitter, so that
 * replicas do not do it together.
 */
@Injectable()
export class Sweeper implements OnApplicationBootstrap, BeforeApplicationShutdown, OnApplicationShutdown {
  private readonly logger = new Logger(Sweeper.name);
  private readonly timers = new Map<string, NodeJS.Timeout>();
  /** What the sweep has taken up, by aggregate. */
  private readonly swept = new Map<string, Set<Lease>>();

  constructor(
    private readonly config: AppConfig,
    private readonly database: Database,
    private readonly store: LeaseStore,
    private readonly reconciler: Reconciler,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    for (const aggregate of this.reconciler.aggregates)
      await this.store.retryRefused(aggregate, AUTH_TROUBLE);
    // The first sweep at once, for what waits since the last stop.
    this.schedule('sweep', 0, SWEEP_MS, () => this.sweep());
    const heartbeatMs = this.config.reconciler.leaseMs / 3;
    this.schedule('heartbeat', heartbeatMs, heartbeatMs, () => this.heartbeat());
    this.schedule('prune', PRUNE_MS * Math.random(), PRUNE_MS, () => this.prune());
  }

  /** The heartbeat goes on, for what is being finished. */
  beforeApplicationShutdown(): void {
    this.stop('sweep', 'prune');
  }

  onApplicationShutdown(): void {
    this.stop('heartbeat');
  }

  /** Takes up what is due now; again at once where there was more than there was room for, as room comes. */
  async sweep(): Promise<void> {
    for (const aggregate of this.reconciler.aggregates) {
      if (!this.reconciler.upstreamDown && !this.reconciler.stopped)
        await aggregate.plan?.().catch((error: unknown) => this.failed('plan', error));
      await this.sweepOne(aggregate.name);
    }
  }

  /**
   * Deletes what is kept no longer: wishes with their answers, and whatever each aggregate has of that kind. What fails
   * is left for the next time, and keeps nothing else from it.
   */
  async prune(): Promise<void> {
    const { idempotencyKeepHours } = this.config.retention;
    const batches = [
      () => pruneWishes(this.database, idempotencyKeepHours),
      ...this.reconciler.aggregates.map((aggregate) => () => aggregate.prune?.() ?? Promise.resolve(0)),
    ];
    for (const batch of batches) {
      const all = async (): Promise<void> => {
        while (!this.reconciler.stopped && (await batch()) > 0);
      };
      await all().catch((error: unknown) => this.failed('prune', error));
    }
  }

  private async sweepOne(name: string): Promise<void> {
    const aggregate = this.reconciler.aggregates.find((one) => one.name === name);
    const swept = this.swept.get(name) ?? new Set<Lease>();
    this.swept.set(name, swept);
    // While Twilio does not answer, one row a second asks it again.
    const probe = this.reconciler.upstreamDown;
    const room = (probe ? 1 : SWEPT_MAX) - swept.size;
    if (!aggregate || room <= 0 || this.reconciler.stopped) return;
    const leases = await this.store.claimDue(aggregate, room);
    for (const lease of leases) {
      swept.add(lease);
      void this.reconciler.drive(lease, { probe }).finally(() => {
        swept.delete(lease);
        const more = !probe && leases.length === room && swept.size === SWEPT_MAX >> 1;
        if (more) this.sweepOne(name).catch((error: unknown) => this.failed('sweep', error));
      });
    }
  }

  /** Keeps the leases of what is under way, also while it waits for its turn or out a pause. */
  private async heartbeat(): Promise<void> {
    const { leaseMs } = this.config.reconciler;
    const due = this.reconciler.held.filter(
      ({ remainingMs }) => remainingMs > 0 && remainingMs < (leaseMs * 2) / 3,
    );
    for (const { name } of this.reconciler.aggregates) {
      const leases = due.filter(({ aggregate }) => aggregate.name === name);
      const kept = await this.store.renewAll(leases);
      for (const lease of leases) if (!kept.has(lease) && this.reconciler.held.includes(lease)) lease.lose();
    }
  }

  private schedule(name: string, firstMs: number, everyMs: number, work: () => Promise<unknown>): void {
    const again = (): void => {
      if (this.timers.has(name)) this.schedule(name, everyMs * (0.8 + Math.random() * 0.4), everyMs, work);
    };
    const timer = setTimeout(() => {
      work()
        .catch((error: unknown) => this.failed(name, error))
        .finally(again);
    }, firstMs);
    this.timers.set(name, timer.unref());
  }

  private failed(name: string, error: unknown): void {
    this.logger.warn(`${name}: ${String(error)}`);
  }

  private stop(...names: string[]): void {
    for (const name of names) {
      clearTimeout(this.timers.get(name));
      this.timers.delete(name);
    }
  }
}
