import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import pg from 'pg';
import { SANDBOX_DEFAULTS } from '../../../../src/sandbox/config.js';
import { startSandboxProcess, type Running } from '../../../support/processes.js';
import { OwnPostgres } from './own-postgres.js';
import { Replica } from './replica.js';
import type { Settings } from './settings.js';

/** Something that was done to the world, and when: wishes that it touched have their time from then on. */
export interface Disturbance {
  at: number;
  what: string;
}

export interface NotedCall {
  time: string;
  method: string;
  path: string;
  parameters: Record<string, unknown>;
  status: number | null;
  fault: string | null;
}

/** One Postgres, one sandbox, and replicas of the built service, each with a way of its own to either. */
export class World {
  readonly disturbances: Disturbance[] = [];
  readonly apiKey = `cvk_chaos_${randomBytes(32).toString('base64url')}`;
  replicas: Replica[] = [];
  databaseUrl = '';
  /** Where the run has a Postgres of its own. */
  postgres: OwnPostgres | undefined;
  private sandbox: Running | undefined;
  private readonly ends: (() => Promise<unknown>)[] = [];

  private constructor(readonly settings: Settings) {}

  /** `databaseUrl` names a migrated database that is used instead of a Postgres of the run's own. */
  static async start(settings: Settings, databaseUrl?: string): Promise<World> {
    const world = new World(settings);
    try {
      world.databaseUrl = databaseUrl ?? (await world.ownPostgres());
      world.sandbox = await startSandboxProcess({ SANDBOX_PORT: '0' });
      const { sandbox } = world;
      world.ends.push(() => sandbox.end());
      for (let n = 0; n < settings.replicas; n += 1) {
        const replica = new Replica(`replica ${n + 1}`, world.environment(), (what) => world.note(what));
        world.replicas.push(replica);
        await replica.open(world.databaseUrl, sandbox.baseUrl);
      }
      await Promise.all(world.replicas.map((replica) => replica.start()));
      return world;
    } catch (error) {
      await world.stop();
      throw error;
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.replicas.map((replica) => replica.close()));
    for (const end of this.ends.reverse()) await end().catch(() => undefined);
  }

  /** Shows how a long run gets on. */
  tell(line: string): void {
    if (this.settings.talks) console.log(line);
  }

  note(what: string): void {
    this.disturbances.push({ at: Date.now(), what });
    if (process.env['CHAOS_LOG']) console.log(`${new Date().toISOString()} ${what}`);
  }

  async fault(match: object, fault: object): Promise<void> {
    await this.control('POST', '/sandbox/faults', { match, fault });
  }

  /** From now on the sandbox answers as it should; what was to land late still lands. */
  async clearFaults(): Promise<void> {
    await this.control('DELETE', '/sandbox/faults');
    this.note('faults ended');
  }

  /** For whoever looks into a discrepancy: everything that was called, and everything there is, as JSON. */
  async dump(file: string): Promise<void> {
    const [requests, state, wishes, conversations, participants, messages] = await Promise.all([
      this.control<object>('GET', '/sandbox/requests'),
      this.control<object>('GET', '/sandbox/state?full=true'),
      ...['wishes', 'conversations', 'participants', 'messages'].map((table) =>
        this.sql(`select * from ${table}`),
      ),
    ]);
    const rows = { wishes, conversations, participants, messages };
    await writeFile(
      file,
      JSON.stringify({ disturbances: this.disturbances, requests, state, rows }, null, 1),
    );
  }

  control<T>(method: string, path: string, body?: object): Promise<T> {
    return this.ask(method, path, {
      ...(body && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    });
  }

  /** A read of Twilio's API by somebody else. */
  twilio<T>(path: string): Promise<T> {
    const { accountSid, authToken } = SANDBOX_DEFAULTS;
    const authorization = `Basic ${Buffer.from(`${accountSid}:${authToken}`).toString('base64')}`;
    return this.ask('GET', path, { headers: { authorization } });
  }

  /** Rows of the service's own tables: for times, and for what is still open. */
  async sql<Row extends object>(text: string, values: unknown[] = []): Promise<Row[]> {
    const client = new pg.Client({ connectionString: this.databaseUrl, connectionTimeoutMillis: 5000 });
    client.on('error', () => undefined);
    await client.connect();
    try {
      return (await client.query<Row>(text, values)).rows;
    } finally {
      await client.end();
    }
  }

  private async ask<T>(method: string, path: string, init: RequestInit): Promise<T> {
    const response = await fetch((this.sandbox?.baseUrl ?? '') + path, { method, ...init });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return (text === '' ? undefined : JSON.parse(text)) as T;
  }

  private async ownPostgres(): Promise<string> {
    const postgres = await OwnPostgres.start();
    this.postgres = postgres;
    this.ends.push(() => postgres.remove());
    return postgres.url;
  }

  private environment(): Record<string, string> {
    const { accountSid, authToken, apiKeySid, apiKeySecret, chatServiceSid } = SANDBOX_DEFAULTS;
    return {
      NODE_ENV: 'test',
      PORT: '0',
      TWILIO_ACCOUNT_SID: accountSid,
      TWILIO_AUTH_TOKEN: authToken,
      TWILIO_API_KEY_SID: apiKeySid,
      TWILIO_API_KEY_SECRET: apiKeySecret,
      TWILIO_CHAT_SERVICE_SID: chatServiceSid,
      LEASE_MS: String(this.settings.leaseMs),
      TWILIO_CALL_TIMEOUT_MS: String(this.settings.callTimeoutMs),
      BOOTSTRAP_API_KEY: this.apiKey,
      RATE_LIMIT_PER_MINUTE: '0',
      FAILED_KEYS_PER_MINUTE: '0',
    };
  }
}
