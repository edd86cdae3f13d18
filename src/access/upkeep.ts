import { Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { setTimeout as pause } from 'node:timers/promises';
import { isDatabaseAway } from '../database/pg-errors.js';
import { KeyUses } from './key-uses.js';
import { RateLimits } from './limits/rate-limits.js';

/** Between two rounds, in milliseconds. */
const ROUND_MS = 1000;
/** How long a stop waits for the last round: longer only where Postgres does not answer. */
const LAST_ROUND_MS = 1000;

/** What access has to tell Postgres without any request waiting for it: a round each second, and one at the stop. */
@Injectable()
export class Upkeep implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger(Upkeep.name);
  private timer: NodeJS.Timeout | undefined;
  private current: Promise<void> = Promise.resolve();

  constructor(
    private readonly uses: KeyUses,
    private readonly limits: RateLimits,
  ) {}

  onApplicationBootstrap(): void {
    this.timer = setTimeout(() => {
      this.current = this.round(false).finally(() => this.timer?.refresh());
    }, ROUND_MS).unref();
  }

  async onApplicationShutdown(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    const last = this.current.then(() => this.round(true));
    await Promise.race([last, pause(LAST_ROUND_MS, undefined, { ref: false })]);
  }

  /** Never rejects: each of the two says what becomes of what could not be written. */
  private async round(last: boolean): Promise<void> {
    const ends = await Promise.allSettled([this.limits.settle(), this.uses.write(last)]);
    for (const end of ends) {
      if (end.status === 'rejected' && !isDatabaseAway(end.reason)) this.logger.warn(String(end.reason));
    }
  }
}
