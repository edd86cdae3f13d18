import { Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import pg from 'pg';
import { AppConfig } from '../config/app-config.js';
import { Database } from '../database/database.js';
import { findAnswered, WISH_CHANNEL, type SettledWish } from './wish-store.js';

/**
 * What a waiter learns: the end of the wish, that its answer had to be forgotten before he was told, why it does not get
 * on, or that the wait is over.
 */
export type WaitResult = SettledWish | 'erased' | { trouble: string } | 'pending';

type Listener = (result: WaitResult) => void;

/** The slow poll behind LISTEN, in milliseconds: what a lost connection did not tell is found by it. */
const POLL_MS = 1000;
const RECONNECT_MS = 1000;

/** Requests that wait for their wish: told in the process where the wish is settled here, by Postgres where not. */
@Injectable()
export class WishWaiters implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger(WishWaiters.name);
  private readonly listeners = new Map<string, Set<Listener>>();
  private client: pg.Client | null = null;
  private pollTimer: NodeJS.Timeout | undefined;
  private reconnectTimer: NodeJS.Timeout | undefined;
  private stopped = false;

  constructor(
    private readonly config: AppConfig,
    private readonly database: Database,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    this.pollTimer = setInterval(() => void this.checkAll(), POLL_MS);
    await this.listen();
  }

  async onApplicationShutdown(): Promise<void> {
    clearInterval(this.pollTimer);
    clearTimeout(this.reconnectTimer);
    this.releaseAll();
    await this.client?.end().catch(() => undefined);
  }

  /** Waits at most `waitMs` milliseconds. */
  wait(wishId: string, waitMs: number): Promise<WaitResult> {
    if (this.stopped || waitMs === 0) return Promise.resolve('pending');
    return new Promise((resolve) => {
      const listeners = this.listeners.get(wishId) ?? new Set<Listener>();
      const finish: Listener = (result) => {
        clearTimeout(timer);
        listeners.delete(finish);
        if (listeners.size === 0) this.listeners.delete(wishId);
        resolve(result);
      };
      const timer = setTimeout(() => finish('pending'), waitMs);
      listeners.add(finish);
      this.listeners.set(wishId, listeners);
    });
  }

  /** Tells those who wait in this process. */
  tell(wishId: string, result: WaitResult): void {
    for (const listener of [...(this.listeners.get(wishId) ?? [])]) listener(result);
  }

  /** Ends all waits: the process is stopping, and the work goes on elsewhere. */
  releaseAll(): void {
    this.stopped = true;
    for (const id of [...this.listeners.keys()]) this.tell(id, 'pending');
  }

  checkAll(): Promise<void> {
    return this.check([...this.listeners.keys()]);
  }

  /** Looks the wishes up and tells those who wait for one that has been answered. */
  async check(ids: string[]): Promise<void> {
    if (ids.length === 0) return;
    try {
      for (const wish of await findAnswered(this.database, ids)) {
        if (wish.settled) this.tell(wish.id, wish.settled);
        else if (wish.erased) this.tell(wish.id, 'erased');
        else if (wish.trouble) this.tell(wish.id, { trouble: wish.trouble });
      }
    } catch (error) {
      this.logger.debug(`waiting wishes could not be looked up: ${String(error)}`);
    }
  }

  /** A connection of its own: LISTEN holds for a session, and a pool gives sessions to anybody. */
  private async listen(): Promise<void> {
    const client = new pg.Client({
      connectionString: this.config.database.url,
      application_name: 'convoke-listen',
      keepAlive: true,
      connectionTimeoutMillis: 5000,
    });
    this.client = client;
    client.on('notification', ({ payload }) => {
      if (payload !== undefined && this.listeners.has(payload)) void this.check([payload]);
    });
    client.on('error', () => undefined);
    client.on('end', () => this.reconnectLater());
    try {
      await client.connect();
      await client.query(`listen ${WISH_CHANNEL}`);
    } catch (error) {
      this.logger.warn(`no notifications from Postgres for now: ${String(error)}`);
      await client.end().catch(() => undefined);
      this.reconnectLater();
    }
  }

  private reconnectLater(): void {
    if (this.stopped) return;
    clearTimeout(this.reconnectTimer);
    this.reconnectTimer = setTimeout(() => void this.listen(), RECONNECT_MS);
  }
}
