import { Injectable, type BeforeApplicationShutdown } from '@nestjs/common';
import { setTimeout as sleep } from 'node:timers/promises';
import { DataSource } from 'typeorm';
import { AppConfig } from '../config/app-config.js';
import { askSoon } from '../twilio/ask-soon.js';
import { TwilioGateway } from '../twilio/twilio.gateway.js';

interface State {
  status: 'ok' | 'unavailable';
  postgres: 'ok' | 'unavailable';
  migrations: 'ok' | 'pending' | 'unknown';
  twilio: 'ok' | 'unreachable';
}

/** A probe must be answered soon, in milliseconds. */
const PROBE_TIMEOUT_MS = 2000;
/** Twilio is asked at most this often, in milliseconds: its state does not decide anything here. */
const TWILIO_EVERY_MS = 10_000;

@Injectable()
export class HealthService implements BeforeApplicationShutdown {
  private stopping = false;
  private migrated = false;
  private twilio = { askedAt: -Infinity, state: Promise.resolve<State['twilio']>('ok') };

  constructor(
    private readonly config: AppConfig,
    private readonly dataSource: DataSource,
    private readonly gateway: TwilioGateway,
  ) {}

  beforeApplicationShutdown(): void {
    this.stopping = true;
  }

  async state(): Promise<State> {
    const [migrations, twilio] = await Promise.all([
      within(PROBE_TIMEOUT_MS, this.migrations(), 'unknown' as const),
      this.twilioState(),
    ]);
    const postgres = migrations === 'unknown' ? 'unavailable' : 'ok';
    const status = migrations === 'ok' && !this.stopping ? 'ok' : 'unavailable';
    return { status, postgres, migrations, twilio };
  }

  private async migrations(): Promise<State['migrations']> {
    if (!this.migrated) this.migrated = !(await this.dataSource.showMigrations());
    else await this.dataSource.query('select 1');
    return this.migrated ? 'ok' : 'pending';
  }

  /** One question at a time, however many probes come. */
  private twilioState(): Promise<State['twilio']> {
    if (performance.now() - this.twilio.askedAt >= TWILIO_EVERY_MS) {
      const { defaultChatServiceSid } = this.config.twilio;
      const state = askSoon((sending) => this.gateway.findService(defaultChatServiceSid, sending)).then(
        (found) => (found ? ('ok' as const) : ('unreachable' as const)),
      );
      this.twilio = { askedAt: performance.now(), state };
    }
    return this.twilio.state;
  }
}

async function within<T>(ms: number, work: Promise<T>, otherwise: T): Promise<T> {
  const failed = work.catch(() => otherwise);
  return Promise.race([failed, sleep(ms, otherwise, { ref: false })]);
}
