import { setTimeout as pause } from 'node:timers/promises';
import { startService, type Running } from '../../../support/processes.js';
import { HoldingProxy, type Trap } from './holding-proxy.js';

/** A replica of the built service that can be killed, frozen and started again, always on the same ways. */
export class Replica {
  private running: Running | null = null;
  private toPostgres: HoldingProxy | undefined;
  private toSandbox: HoldingProxy | undefined;
  private waking: Promise<void> | null = null;
  private databaseUrl = '';
  private sandboxUrl = '';
  /** How often it was killed, and frozen. */
  kills = 0;
  freezes = 0;

  constructor(
    readonly name: string,
    private readonly env: Record<string, string>,
    private readonly note: (what: string) => void,
  ) {}

  /** Makes the ways to Postgres and to the sandbox, on which messages can be held. */
  async open(databaseUrl: string, sandboxUrl: string): Promise<void> {
    const database = new URL(databaseUrl);
    const sandbox = new URL(sandboxUrl);
    this.toPostgres = await new HoldingProxy({ host: database.hostname, port: Number(database.port) }).open();
    this.toSandbox = await new HoldingProxy({ host: sandbox.hostname, port: Number(sandbox.port) }).open();
    database.host = `127.0.0.1:${this.toPostgres.port}`;
    this.databaseUrl = database.href;
    this.sandboxUrl = `http://127.0.0.1:${this.toSandbox.port}`;
  }

  /** Null while it is not there. */
  get baseUrl(): string | null {
    return this.running?.baseUrl ?? null;
  }

  get up(): boolean {
    return this.running !== null && this.waking === null;
  }

  get pid(): number | null {
    return this.running?.pid ?? null;
  }

  async start(): Promise<void> {
    this.running = await startService({
      ...this.env,
      DATABASE_URL: this.databaseUrl,
      TWILIO_API_BASE_URL: this.sandboxUrl,
    });
  }

  async kill(what: string): Promise<void> {
    const { running } = this;
    this.running = null;
    if (!running) return;
    this.note(`${this.name} killed (${what})`);
    this.kills += 1;
    await running.end('SIGKILL');
    this.disarm();
  }

  /** Stops it at once, and lets it go on after `until`: so many milliseconds, or when that has come to its end. */
  freeze(until: number | Promise<unknown>, what: string): void {
    const { running } = this;
    if (!running || this.waking) return;
    this.note(`${this.name} frozen (${what})`);
    this.freezes += 1;
    running.signal('SIGSTOP');
    const over = typeof until === 'number' ? pause(until) : until.catch(() => undefined);
    this.waking = over.then(() => {
      running.signal('SIGCONT');
      this.note(`${this.name} woken`);
      this.waking = null;
    });
  }

  /** Waits until it is awake. */
  async awake(): Promise<void> {
    await this.waking;
  }

  arm(way: 'postgres' | 'sandbox', trap: Trap): void {
    (way === 'postgres' ? this.toPostgres : this.toSandbox)?.set(trap);
  }

  /** How many messages have matched on this way since it was armed. */
  seen(way: 'postgres' | 'sandbox'): number {
    return (way === 'postgres' ? this.toPostgres : this.toSandbox)?.seen ?? 0;
  }

  disarm(): void {
    this.toPostgres?.set(null);
    this.toSandbox?.set(null);
  }

  readonly output = (): string => this.running?.output() ?? '';

  async close(): Promise<void> {
    await this.waking;
    await this.running?.end('SIGKILL');
    await this.toPostgres?.close();
    await this.toSandbox?.close();
  }
}
