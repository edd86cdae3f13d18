import {
  Injectable,
  Logger,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { AppConfig } from '../config/app-config.js';
import { Reconciler } from './reconciler.js';

const SWEEP_MS = 1000;
const PRUNE_MS = 600_000;

/** Does what nobody asks for: sweeps, keeps leases, prunes. With jitter, so that replicas do not do it together. */
@Injectable()
export class Sweeper implements OnApplicationBootstrap, BeforeApplicationShutdown, OnApplicationShutdown {
  private readonly logger = new Logger(Sweeper.name);
  private readonly timers = new Map<string, NodeJS.Timeout>();

  constructor(
    private readonly config: AppConfig,
    private readonly reconciler: Reconciler,
  ) {}

  onApplicationBootstrap(): void {
    // The first sweep at once, for what waits since the last stop.
    this.schedule('sweep', 0, SWEEP_MS, () => this.reconciler.sweep());
    const heartbeatMs = this.config.reconciler.leaseMs / 3;
    this.schedule('heartbeat', heartbeatMs, heartbeatMs, () => this.reconciler.heartbeat());
    this.schedule('prune', PRUNE_MS * Math.random(), PRUNE_MS, () => this.reconciler.prune());
  }

  /** The heartbeat goes on, for what is being finished. */
  beforeApplicationShutdown(): void {
    this.stop('sweep', 'prune');
  }

  onApplicationShutdown(): void {
    this.stop('heartbeat');
  }

  private stop(...names: string[]): void {
    for (const name of names) {
      clearTimeout(this.timers.get(name));
      this.timers.delete(name);
    }
  }

  private schedule(name: string, firstMs: number, everyMs: number, work: () => Promise<unknown>): void {
    const again = (): void => {
      if (this.timers.has(name)) this.schedule(name, everyMs * (0.8 + Math.random() * 0.4), everyMs, work);
    };
    const timer = setTimeout(() => {
      work()
        .catch((error: unknown) => this.logger.warn(`${name}: ${String(error)}`))
        .finally(again);
    }, firstMs);
    this.timers.set(name, timer.unref());
  }
}
