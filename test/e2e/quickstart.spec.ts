import { existsSync } from 'node:fs';
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { removeEmbeddedPostgres } from '../../src/database/embedded-postgres.js';
import { isRunning } from '../../src/database/embedded/processes.js';
import { killHard, startChild, untilSaid, type Child } from '../support/child.js';
import { useTestDatabase } from '../support/database.js';

interface Result {
  baseUrl: string;
  docsUrl: string;
  apiKey: string;
  databaseUrl: string;
  sandbox: Record<string, string>;
  conversation: { id: string; participants: { role: string }[] };
}

const UP = /Ctrl-C stops it/;
const NODE = process.execPath;

// Each test starts whole processes, on whatever else the machine does.
vi.setConfig({ testTimeout: 120_000 });

const database = useTestDatabase();
let dataDir: string;
const children: Child[] = [];

beforeAll(async () => {
  // Nest injects by what the compiler writes down, so quickstart runs from the build.
  const ready = startChild([NODE, 'scripts/ready.mjs']);
  expect(await ready.ended, ready.output()).toBe(0);
}, 300_000);

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'convoke-quickstart-'));
  await chmod(dataDir, 0o711);
});

afterEach(async () => {
  await Promise.all(children.splice(0).map(killHard));
  await removeEmbeddedPostgres(join(dataDir, 'postgres'));
  await rm(dataDir, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
});

function run(command: string[], env: NodeJS.ProcessEnv = {}): Child {
  const unset = { DATABASE_URL: '', BOOTSTRAP_API_KEY: '', LOG_LEVEL: '', npm_lifecycle_event: '' };
  const ports = { PORT: '0', SANDBOX_PORT: '0' };
  const child = startChild(command, {
    env: { ...process.env, ...unset, ...ports, DATA_DIR: dataDir, ...env },
  });
  children.push(child);
  return child;
}

function quickstart(args: string[] = [], env: NodeJS.ProcessEnv = {}): Child {
  return run([NODE, 'dist/src/quickstart.js', ...args], env);
}

const resultFile = () => join(dataDir, 'quickstart.json');

async function result(): Promise<Result> {
  return JSON.parse(await readFile(resultFile(), 'utf8')) as Result;
}

async function get(path: string, { baseUrl, apiKey }: Result): Promise<unknown> {
  const response = await fetch(`${baseUrl}${path}`, { headers: { authorization: `Bearer ${apiKey}` } });
  expect(response.status).toBe(200);
  return response.json();
}

async function postmasterPid(): Promise<number> {
  const file = join(dataDir, 'postgres', 'cluster', 'data', 'postmaster.pid');
  return Number.parseInt(await readFile(file, 'utf8'), 10);
}

async function untilGone(pid: number): Promise<void> {
  await vi.waitFor(() => expect(isRunning(pid)).toBe(false), { timeout: 15_000, interval: 20 });
}

describe('quickstart --once', () => {
  it('ends with status 0 after it printed the chat it made, and leaves quickstart.json whole and private', async () => {
    const child = quickstart(['--once']);
    expect(await child.ended, child.output()).toBe(0);
    const made = await result();
    expect(Object.keys(made)).toEqual([
      'baseUrl',
      'docsUrl',
      'apiKey',
      'databaseUrl',
      'sandbox',
      'conversation',
    ]);
    expect(Object.keys(made.sandbox)).toEqual([
      'baseUrl',
      'accountSid',
      'authToken',
      'apiKeySid',
      'apiKeySecret',
      'chatServiceSid',
    ]);
    expect(made.conversation).toMatchObject({
      state: 'active',
      systemMessage: { body: expect.any(String) as string },
    });
    expect(made.conversation.participants.map(({ role }) => role).sort()).toEqual(['agent', 'customer']);
    expect(child.output()).toContain(made.conversation.id);
    expect(child.output()).not.toMatch(/warning|"level"/i);
    expect((await stat(resultFile())).mode & 0o777).toBe(0o600);
    expect((await stat(join(dataDir, 'api-key'))).mode & 0o777).toBe(0o600);
  });

  it('uses the Postgres of DATABASE_URL in place of its own', async () => {
    const child = quickstart(['--once'], { DATABASE_URL: database.url });
    expect(await child.ended, child.output()).toBe(0);
    expect((await result()).databaseUrl).toBe(database.url);
    expect(existsSync(join(dataDir, 'postgres'))).toBe(false);
  });

  it('names the argument that it does not know', async () => {
    const child = quickstart(['--twice']);
    expect(await child.ended).toBe(1);
    expect(child.output()).toContain('--twice is not known');
  });
});

describe('quickstart', () => {
  it('stays up, and its API, key and curl line are those it told', async () => {
    const child = quickstart();
    await untilSaid(child, UP);
    const told = await result();
    expect(await get(`/v1/conversations/${told.conversation.id}`, told)).toEqual(told.conversation);
    expect((await fetch(told.docsUrl)).status).toBe(200);
    const curl = startChild(['/bin/sh', '-c', /^curl .*$/m.exec(child.output())?.[0] ?? 'false']);
    expect(await curl.ended, curl.output()).toBe(0);
    expect(JSON.parse(curl.output())).toMatchObject({ state: 'active' });
  });

  it.each(['SIGTERM', 'SIGINT'] as const)('stops everything on %s with status 0', async (signal) => {
    const child = quickstart();
    await untilSaid(child, UP);
    const { baseUrl } = await result();
    const postmaster = await postmasterPid();
    child.process.kill(signal);
    expect(await child.ended, child.output()).toBe(0);
    expect(isRunning(postmaster)).toBe(false);
    await expect(fetch(baseUrl)).rejects.toThrow();
  });

  it('stopped while it starts, leaves nothing running', async () => {
    const child = quickstart();
    await untilSaid(child, /Starting the service/);
    const postmaster = await postmasterPid();
    child.process.kill('SIGTERM');
    expect(await child.ended, child.output()).toBe(0);
    await untilGone(postmaster);
    expect(existsSync(resultFile())).toBe(false);
  });

  it('after a SIGKILL starts again at once, with the same key and all that was made before', async () => {
    const first = quickstart();
    await untilSaid(first, UP);
    const before = await result();
    await killHard(first);
    const again = quickstart();
    await untilSaid(again, UP);
    const after = await result();
    expect(after.apiKey).toBe(before.apiKey);
    expect(after.conversation.id).not.toBe(before.conversation.id);
    expect(await get(`/v1/conversations/${before.conversation.id}`, after)).toEqual(before.conversation);
  });

  it.each([/data in/, /Starting the service/])(
    'after a SIGKILL at %s starts again at once',
    async (moment) => {
      const first = quickstart();
      await untilSaid(first, moment);
      await killHard(first);
      const again = quickstart(['--once']);
      expect(await again.ended, again.output()).toBe(0);
    },
  );

  it('removes what an earlier run told before it starts anything', async () => {
    await writeFile(resultFile(), '{"stale": true}');
    const child = quickstart();
    await untilSaid(child, /Starting/);
    expect(existsSync(resultFile())).toBe(false);
  });

  it.each(['PORT', 'SANDBOX_PORT'])(
    'says so when %s is in use, and leaves nothing running',
    async (variable) => {
      const other = createServer().listen(0, '127.0.0.1');
      await vi.waitFor(() => expect(other.listening).toBe(true));
      const { port } = other.address() as AddressInfo;
      const child = quickstart([], { [variable]: String(port) });
      expect(await child.ended).toBe(1);
      expect(child.output()).toContain(`Port ${port} of 127.0.0.1 is in use`);
      expect(child.output()).toContain(`${variable}=0`);
      expect(existsSync(join(dataDir, 'postgres', 'cluster', 'data', 'postmaster.pid'))).toBe(false);
      expect(existsSync(join(dataDir, 'quickstart.lock'))).toBe(false);
      await new Promise((resolve) => other.close(resolve));
    },
  );

  it('refuses the folder of another one that runs, and leaves that one alone', async () => {
    const first = quickstart();
    await untilSaid(first, UP);
    const second = quickstart();
    expect(await second.ended).toBe(1);
    expect(second.output()).toContain(`Another quickstart (process ${first.process.pid})`);
    await get('/v1/conversations', await result());
  });

  it('does not live on when the npm that started it is killed', async () => {
    const npm = run(['npm', 'run', 'quickstart']);
    await untilSaid(npm, UP);
    const postmaster = await postmasterPid();
    npm.process.kill('SIGKILL');
    await untilGone(postmaster);
    expect(await quickstart(['--once']).ended).toBe(0);
  });
});
