import { randomBytes } from 'node:crypto';
import type { Server } from 'node:http';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { DataSource } from 'typeorm';
import { afterAll, beforeAll } from 'vitest';
import { loadConfig } from '../../src/config/app-config.js';
import { createApp } from '../../src/configure-app.js';
import { ApiClient } from './api-client.js';
import { recordAnswers } from './recorded-answers.js';
import { useTestDatabase, type TestDatabase } from './database.js';
import { useSandbox, type TestSandbox } from './sandbox.js';

/** The environment of a service on this database and this sandbox, with a fresh bootstrap key. */
export function serviceEnv(databaseUrl: string, sandbox: TestSandbox): Record<string, string> {
  const { accountSid, authToken, apiKeySid, apiKeySecret, chatServiceSid } = sandbox.config;
  return {
    NODE_ENV: 'test',
    PORT: '0',
    DATABASE_URL: databaseUrl,
    TWILIO_ACCOUNT_SID: accountSid,
    TWILIO_AUTH_TOKEN: authToken,
    TWILIO_API_KEY_SID: apiKeySid,
    TWILIO_API_KEY_SECRET: apiKeySecret,
    TWILIO_CHAT_SERVICE_SID: chatServiceSid,
    TWILIO_API_BASE_URL: sandbox.baseUrl,
    BOOTSTRAP_API_KEY: `cvk_${randomBytes(6).toString('hex')}_${randomBytes(32).toString('base64url')}`,
    LOG_LEVEL: process.env['TEST_LOG_LEVEL'] ?? 'silent',
  };
}

/** The real application on a database and a sandbox of its own. */
export interface TestApp {
  readonly app: NestFastifyApplication;
  readonly server: Server;
  readonly sandbox: TestSandbox;
  readonly database: TestDatabase;
  /** Calls it with the bootstrap key: operator and admin of the default chat service. */
  readonly api: ApiClient;
  /** Origin under which it listens. */
  baseUrl(): Promise<string>;
  /** Runs a statement on the database, for what no route does. */
  sql(text: string, values?: unknown[]): Promise<unknown[]>;
}

/** Starts the application before the tests of the file (or `describe`) and stops it after them. */
export function useApp(env: Record<string, string> = {}): TestApp {
  const database = useTestDatabase();
  const sandbox = useSandbox();
  let app: NestFastifyApplication | undefined;
  let key = '';
  beforeAll(async () => {
    const variables = { ...serviceEnv(database.url, sandbox), ...env };
    key = variables['BOOTSTRAP_API_KEY'] ?? '';
    app = await createApp(loadConfig(variables));
    recordAnswers(app.getHttpServer());
    await app.listen(0, '127.0.0.1');
  });
  afterAll(() => app?.close());
  const running = (): NestFastifyApplication => {
    if (!app) throw new Error('The application is there from the beforeAll hooks on, not earlier.');
    return app;
  };
  return {
    get app() {
      return running();
    },
    get server() {
      return running().getHttpServer();
    },
    sandbox,
    database,
    get api() {
      return new ApiClient(running().getHttpServer(), key);
    },
    baseUrl: () => running().getUrl(),
    sql: (text, values = []) => running().get(DataSource).query<unknown[]>(text, values),
  };
}

/** Another replica of the application: a second process's worth of state, on the same Postgres and sandbox. */
export function useReplica(first: TestApp, env: () => Record<string, string> = () => ({})): Replica {
  let app: NestFastifyApplication | undefined;
  beforeAll(async () => {
    app = await createApp(loadConfig({ ...serviceEnv(first.database.url, first.sandbox), ...env() }));
    recordAnswers(app.getHttpServer());
    await app.listen(0, '127.0.0.1');
  });
  const close = async (): Promise<void> => {
    await app?.close();
    app = undefined;
  };
  afterAll(close);
  const running = (): NestFastifyApplication => {
    if (!app) throw new Error('The replica is there from the beforeAll hooks on, until it is closed.');
    return app;
  };
  return {
    get app() {
      return running();
    },
    get api() {
      return new ApiClient(running().getHttpServer(), first.api.key);
    },
    close,
  };
}

export interface Replica {
  readonly app: NestFastifyApplication;
  /** Calls it with the bootstrap key of the first one. */
  readonly api: ApiClient;
  /** Stops it before the end of the tests. */
  close(): Promise<void>;
}

let made = 0;

/** A name that no other test uses. */
export function unique(prefix: string): string {
  made += 1;
  return `${prefix}-${process.pid}-${Date.now().toString(36)}-${made}`;
}
