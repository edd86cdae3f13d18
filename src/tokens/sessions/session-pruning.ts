import {
  Injectable,
  Logger,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { SessionStore } from './session-store.js';

/** In milliseconds. What was given for used tokens goes soon after its grace, sessions that are over in their time. */
const DROP_GRACES_MS = 30_000;
const PRUNE_MS = 600_000;

/** Deletes what is kept no longer, on every replica. */
@Injectable()
export class SessionPruning implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger(SessionPruning.name);
  private readonly timers: NodeJS.Timeout[] = [];
  private stopping = false;

  constructor(private readonly store: SessionStore) {}

  onApplicationBootstrap(): void {
    this.every(DROP_GRACES_MS, () => this.store.dropGraces());
    this.every(PRUNE_MS, () => this.prune());
  }

  beforeApplicationShutdown(): void {
    this.stopping = true;
    this.timers.forEach(clearInterval);
  }

  async prune(): Promise<void> {
    while (!this.stopping && (await this.store.prune()) > 0);
  }

  private every(ms: number, work: () => Promise<void>): void {
    const run = (): void => void work().catch((error: unknown) => this.logger.warn(String(error)));
    this.timers.push(setInterval(run, ms * (0.9 + Math.random() * 0.2)).unref());
  }
}
