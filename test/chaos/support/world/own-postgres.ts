import { chmod, mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import {
  removeEmbeddedPostgres,
  startEmbeddedPostgres,
  type EmbeddedPostgres,
} from '../../../../src/database/embedded-postgres.js';
import { runMigrations } from '../../../../src/database/migrate.js';

/** How a server is stopped: it waits for its sessions, it ends them, or it has no say. */
export type StopSignal = 'SIGTERM' | 'SIGINT' | 'SIGKILL';

/** How long SIGTERM leaves to the sessions before they are ended, in milliseconds. */
const SMART_MS = 1500;

/** A Postgres of the run's own, with a migrated database, that can be stopped and started again on the same port. */
export class OwnPostgres {
  private constructor(
    private readonly dataDir: string,
    private running: EmbeddedPostgres,
  ) {}

  /** Where the server itself keeps its data. */
  private folder = '';

  static async start(): Promise<OwnPostgres> {
    const dataDir = await mkdtemp(join(tmpdir(), 'convoke-chaos-'));
    await chmod(dataDir, 0o711);
    const postgres = new OwnPostgres(dataDir, await startEmbeddedPostgres({ dataDir }));
    await runMigrations(postgres.url);
    const client = new pg.Client(postgres.url);
    await client.connect();
    const { rows } = await client.query<{ data_directory: string }>('show data_directory');
    postgres.folder = rows[0]?.data_directory ?? '';
    await client.end();
    return postgres;
  }

  get url(): string {
    return this.running.url;
  }

  /** Signals the postmaster, and waits until it is gone. */
  async hit(signal: StopSignal): Promise<void> {
    const pidFile = await readFile(join(this.folder, 'postmaster.pid'), 'utf8');
    process.kill(Number(pidFile.split('\n')[0]), signal);
    if (signal === 'SIGTERM') await pause(SMART_MS);
    await this.running.stop();
  }

  async startAgain(): Promise<void> {
    this.running = await startEmbeddedPostgres({ dataDir: this.dataDir, port: this.running.port });
  }

  async remove(): Promise<void> {
    await this.running.stop();
    await removeEmbeddedPostgres(this.dataDir);
  }
}
