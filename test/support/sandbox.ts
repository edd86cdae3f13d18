import { afterAll, beforeAll } from 'vitest';
import type { SandboxConfig } from '../../src/sandbox/config.js';
import { startSandbox } from '../../src/sandbox/server.js';

/** One call that the sandbox noted. */
export interface NotedRequest {
  sequence: number;
  method: string;
  path: string;
  parameters: Record<string, string | string[]>;
  status: number | null;
  fault: string | null;
}

/** A sandbox on a port of its own, and its control API. */
export class TestSandbox {
  private running: Awaited<ReturnType<typeof startSandbox>> | undefined;

  async start(options: Partial<SandboxConfig> = {}): Promise<this> {
    this.running = await startSandbox({ port: 0, ...options });
    return this;
  }

  async stop(): Promise<void> {
    await this.running?.stop();
  }

  get baseUrl(): string {
    if (!this.running) throw new Error('The sandbox is there from the beforeAll hooks on, not earlier.');
    return this.running.baseUrl;
  }

  get config(): SandboxConfig {
    if (!this.running) throw new Error('The sandbox is there from the beforeAll hooks on, not earlier.');
    return this.running.config;
  }

  /** Injects a fault; see the sandbox's README. */
  async fault(match: object, fault: object): Promise<void> {
    await this.control('POST', '/sandbox/faults', { match, fault });
  }

  async clearFaults(): Promise<void> {
    await this.control('DELETE', '/sandbox/faults');
  }

  /** The calls noted after `since`, oldest first. */
  async requests(since = 0): Promise<NotedRequest[]> {
    const { requests } = await this.control<{ requests: NotedRequest[] }>(
      'GET',
      `/sandbox/requests?since=${since}`,
    );
    return requests;
  }

  /**
   * The same without those about chat services and their roles: a start makes the roles beside the first requests, and looks
   * at them once more when nothing can land any more, which no test should take for its own.
   */
  async requestsBesideRoles(since: number): Promise<NotedRequest[]> {
    return (await this.requests(since)).filter(
      ({ path }) => !/^\/v1\/Services(\/IS\w+(\/Roles)?)?$/.test(path),
    );
  }

  /** The number of the newest call. */
  async last(): Promise<number> {
    return (await this.control<{ last: number }>('GET', '/sandbox/requests?since=999999999')).last;
  }

  /** How many objects of each kind there are. */
  state(): Promise<Record<string, number>> {
    return this.control('GET', '/sandbox/state');
  }

  async control<T>(method: string, path: string, body?: object): Promise<T> {
    const response = await fetch(this.baseUrl + path, {
      method,
      ...(body && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return (text === '' ? undefined : JSON.parse(text)) as T;
  }

  /** A read of Twilio's API with the account's token, as JSON. */
  twilio<T>(path: string): Promise<T> {
    return this.write('GET', path);
  }

  /** A call of Twilio's API by somebody else: not through us. */
  async write<T>(method: string, path: string, form?: [string, string][]): Promise<T> {
    const { accountSid, authToken } = this.config;
    const authorization = `Basic ${Buffer.from(`${accountSid}:${authToken}`).toString('base64')}`;
    const response = await fetch(this.baseUrl + path, {
      method,
      headers: { authorization },
      ...(form && { body: new URLSearchParams(form) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return (text === '' ? undefined : JSON.parse(text)) as T;
  }
}

/** Gives the test file a sandbox. */
export function useSandbox(options: Partial<SandboxConfig> = {}): TestSandbox {
  const sandbox = new TestSandbox();
  beforeAll(() => sandbox.start(options));
  afterAll(() => sandbox.stop());
  return sandbox;
}
