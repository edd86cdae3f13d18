import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { removeEmbeddedPostgres, startEmbeddedPostgres } from '../../src/database/embedded-postgres.js';
import { runMigrations } from '../../src/database/migrate.js';
import { SANDBOX_DEFAULTS } from '../../src/sandbox/config.js';
import { startSandboxProcess, startService, type Running } from '../../test/support/processes.js';
import { CleanUp } from './clean-up.js';

/** Everything a comparison runs against, each in a process of its own: Postgres with fsync on, sandbox, service. */
export interface Stack {
  sandboxUrl: string;
  serviceUrl: string;
  service: Running;
  apiKey: string;
  postgresUrl: string;
  /** A call of the sandbox's control API. */
  control<T>(method: string, path: string, body?: object): Promise<T>;
  stop(): Promise<void>;
}

/** The environment of a service on a sandbox with its defaults. */
export function serviceVariables(
  databaseUrl: string,
  sandboxUrl: string,
  apiKey: string,
): Record<string, string> {
  return {
    NODE_ENV: 'development',
    PORT: '0',
    DATABASE_URL: databaseUrl,
    TWILIO_ACCOUNT_SID: SANDBOX_DEFAULTS.accountSid,
    TWILIO_API_KEY_SID: SANDBOX_DEFAULTS.apiKeySid,
    TWILIO_API_KEY_SECRET: SANDBOX_DEFAULTS.apiKeySecret,
    TWILIO_CHAT_SERVICE_SID: SANDBOX_DEFAULTS.chatServiceSid,
    TWILIO_API_BASE_URL: sandboxUrl,
    BOOTSTRAP_API_KEY: apiKey,
    RATE_LIMIT_PER_MINUTE: '0',
  };
}

/** What it has started ends with `stop`, when a start fails, and when a signal ends the process. */
export async function startStack(options: { env?: Record<string, string> } = {}): Promise<Stack> {
  const cleanUp = new CleanUp();
  return start(cleanUp, options).catch(async (error: unknown) => {
    await cleanUp.run();
    throw error;
  });
}

async function start(cleanUp: CleanUp, { env = {} }: { env?: Record<string, string> }): Promise<Stack> {
  const folder = await mkdtemp(join(tmpdir(), 'convoke-bench-'));
  cleanUp.later(() => rm(folder, { recursive: true, force: true }));
  const dataDir = join(folder, 'postgres');
  cleanUp.later(() => removeEmbeddedPostgres(dataDir));
  const postgres = await startEmbeddedPostgres({ dataDir });
  cleanUp.later(() => postgres.stop());
  await runMigrations(postgres.url);
  const sandbox = await startSandboxProcess({ SANDBOX_PORT: '0' });
  cleanUp.later(() => sandbox.end());
  const apiKey = `cvk_bench_${randomBytes(32).toString('base64url')}`;
  const service = await startService({
    ...serviceVariables(postgres.url, sandbox.baseUrl, apiKey),
    ...env,
  });
  cleanUp.later(() => service.end());
  return {
    sandboxUrl: sandbox.baseUrl,
    serviceUrl: service.baseUrl,
    service,
    apiKey,
    postgresUrl: postgres.url,
    control: (method, path, body) => control(sandbox.baseUrl, method, path, body),
    stop: () => cleanUp.run(),
  };
}

async function control<T>(baseUrl: string, method: string, path: string, body?: object): Promise<T> {
  const response = await fetch(baseUrl + path, {
    method,
    ...(body && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  return (text === '' ? undefined : JSON.parse(text)) as T;
}
