import { existsSync, readdirSync } from 'node:fs';
import {
  chmod,
  chown,
  cp,
  lstat,
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  realpath,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { createRequire } from 'node:module';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  removeEmbeddedPostgres,
  startEmbeddedPostgres,
  type EmbeddedPostgres,
} from '../../src/database/embedded-postgres.js';
import { canEnter } from '../../src/database/embedded/account.js';
import { findBinaries } from '../../src/database/embedded/binaries.js';
import { isRunning } from '../../src/database/embedded/processes.js';
import { killHard, startChild, TYPESCRIPT, untilSaid, type Child } from '../support/child.js';
import { runStatement } from '../support/postgres-server.js';

const CHILD = 'test/support/embedded-child.ts';
const NOBODY = { uid: 65_534, gid: 65_534 };
const isRoot = process.getuid?.() === 0;
const settings = { fsync: 'off' };
const HELD_MS = 400;

let folder: string;
let dataDir: string;
const servers: EmbeddedPostgres[] = [];
const children: Child[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'convoke-embedded-'));
  await chmod(folder, 0o755);
  dataDir = join(folder, 'postgres');
});

afterEach(async () => {
  await Promise.all(children.splice(0).map(killHard));
  await Promise.all(servers.splice(0).map((server) => server.stop()));
  await removeEmbeddedPostgres(dataDir);
  await rm(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
});

async function start(options: { port?: number } = {}): Promise<EmbeddedPostgres> {
  const server = await startEmbeddedPostgres({ dataDir, settings, ...options });
  servers.push(server);
  return server;
}

function startProcess(user: { uid?: number; gid?: number } = {}): Child {
  const child = startChild([...TYPESCRIPT, CHILD, dataDir], user);
  children.push(child);
  return child;
}

async function untilUp(child: Child): Promise<string> {
  return (await untilSaid(child, /^postgres:\S+$/m))[0];
}

async function postmasterPid(): Promise<number> {
  return Number.parseInt(await readFile(join(dataDir, 'cluster', 'data', 'postmaster.pid'), 'utf8'), 10);
}

describe('a server', () => {
  it('keeps its data over a restart, and nothing of it runs after stop', async () => {
    const first = await start();
    await runStatement(first.url, 'create table kept as select 7 as seven');
    const pid = await postmasterPid();
    await first.stop();
    expect(isRunning(pid)).toBe(false);

    const second = await start();
    expect(await runStatement(second.url, 'select seven from kept')).toEqual([{ seven: 7 }]);
  });

  it('listens on 127.0.0.1 alone, without a socket file, and asks for the password', async () => {
    const server = await start();
    const shown = await runStatement(
      server.url,
      `select current_setting('listen_addresses') as addresses, current_setting('unix_socket_directories') as sockets,
              inet_server_addr()::text as address`,
    );
    expect(shown).toEqual([{ addresses: '127.0.0.1', sockets: '', address: '127.0.0.1/32' }]);

    const wrong = server.url.replace(/:[^:@]+@/, ':guess@');
    await expect(runStatement(wrong, 'select 1')).rejects.toMatchObject({ code: '28P01' });
    const passwordFile = await stat(join(dataDir, 'cluster', 'password'));
    expect(passwordFile.mode & 0o777).toBe(0o600);
    expect(passwordFile.uid).toBe(process.getuid?.());
  });

  it('refuses data that a living process uses, at once and naming it', async () => {
    await start();
    await expect(start()).rejects.toThrow(`in use by process ${process.pid}`);
  });

  it('of two that start at once on new data, one gets it and the other is told', async () => {
    const outcomes = await Promise.allSettled([start(), start()]);
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  });

  it('says that the wanted port is taken, and holds nothing afterwards', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await vi.waitFor(() => expect(other.listening).toBe(true));
    const { port } = other.address() as AddressInfo;
    await expect(start({ port })).rejects.toThrow(`Port ${port}`);
    await new Promise((resolve) => other.close(resolve));
    expect((await start({ port })).port).toBe(port);
  });

  it('refuses data of another major version and says what to do', async () => {
    await (await start()).stop();
    await writeFile(join(dataDir, 'cluster', 'data', 'PG_VERSION'), '15\n');
    await expect(start()).rejects.toThrow(/made by PostgreSQL 15.*DATABASE_URL/s);
  });

  it('tells what Postgres said when it does not start', async () => {
    const broken = startEmbeddedPostgres({ dataDir, settings: { no_such_setting: '1' } });
    await expect(broken).rejects.toThrow(/did not start.*no_such_setting/s);
    await start();
  });
});

describe('a process that is killed', () => {
  it('leaves no server running, though nobody starts another', async () => {
    const child = startProcess();
    await untilUp(child);
    const pid = await postmasterPid();
    expect(isRunning(pid)).toBe(true);
    await killHard(child);
    await vi.waitFor(() => expect(isRunning(pid)).toBe(false), { timeout: 10_000, interval: 20 });
  });

  it('is followed at once by a start that finds what was committed', async () => {
    const child = startProcess();
    await runStatement(await untilUp(child), 'create table kept as select 7 as seven');
    const pid = await postmasterPid();
    await killHard(child);
    const next = await start();
    expect(isRunning(pid)).toBe(false);
    expect(await runStatement(next.url, 'select seven from kept')).toEqual([{ seven: 7 }]);
  });

  it('is followed by a start that works, when the server was killed with it', async () => {
    const child = startProcess();
    await untilUp(child);
    const pid = await postmasterPid();
    process.kill(pid, 'SIGKILL');
    await killHard(child);
    expect(await runStatement((await start()).url, 'select 1 as one')).toEqual([{ one: 1 }]);
  });

  it('is followed by a start that waits, while the old server has not left yet', async () => {
    const child = startProcess();
    await untilUp(child);
    const pid = await postmasterPid();
    process.kill(pid, 'SIGSTOP');
    await killHard(child);
    const next = start();
    // Held for a while, so that a start that does not wait would have failed by then.
    const outcome = await Promise.race([
      next.then(
        () => 'started',
        () => 'failed',
      ),
      pause(HELD_MS, 'waits'),
    ]);
    process.kill(pid, 'SIGCONT');
    expect(outcome).toBe('waits');
    expect(await runStatement((await next).url, 'select 1 as one')).toEqual([{ one: 1 }]);
  });

  it('in the middle of making the data, leaves nothing that the next start trips over', async () => {
    const child = startProcess();
    const isAtWork = (name: string) =>
      name.startsWith('cluster.draft-') && existsSync(join(dataDir, name, 'data', 'global'));
    await vi.waitFor(() => expect(readdirSync(dataDir).some(isAtWork)).toBe(true), {
      timeout: 20_000,
      interval: 2,
    });
    await killHard(child);
    expect(existsSync(join(dataDir, 'cluster'))).toBe(false);
    expect(await runStatement((await start()).url, 'select 1 as one')).toEqual([{ one: 1 }]);
    expect((await readdir(dataDir)).filter((name) => name.includes('draft'))).toEqual([]);
  });

  it('by Ctrl-C, still has its server while it drains', async () => {
    const child = startProcess();
    await untilUp(child);
    process.kill(-(child.process.pid ?? 0), 'SIGINT');
    expect(await child.ended).toBe(0);
    expect(child.output()).toContain('drained');
  });
});

describe.runIf(isRoot)('started by root', () => {
  it('runs as a user without rights', async () => {
    await start();
    expect((await stat(join(dataDir, 'cluster', 'data'))).uid).not.toBe(0);
    expect((await stat(`/proc/${await postmasterPid()}`)).uid).not.toBe(0);
  });

  it('below a folder that only root may read, keeps the data elsewhere, and finds it again', async () => {
    await chmod(folder, 0o700);
    const first = await start();
    const elsewhere = await realpath(join(dataDir, 'cluster'));
    expect(elsewhere.startsWith(folder)).toBe(false);
    expect((await stat(dirname(elsewhere))).mode & 0o022).toBe(0);
    await runStatement(first.url, 'create table kept as select 7 as seven');
    await first.stop();
    expect(await runStatement((await start()).url, 'select seven from kept')).toEqual([{ seven: 7 }]);

    await servers.pop()?.stop();
    await removeEmbeddedPostgres(dataDir);
    expect(existsSync(elsewhere)).toBe(false);
  });

  it.runIf(canEnter(NOBODY, process.cwd()))(
    'works as another user too, and root can go on with the data',
    async () => {
      await mkdir(dataDir);
      await chown(dataDir, NOBODY.uid, NOBODY.gid);
      const child = startProcess(NOBODY);
      await runStatement(await untilUp(child), 'create table kept as select 7 as seven');
      expect((await stat(join(dataDir, 'cluster', 'data'))).uid).toBe(NOBODY.uid);
      await killHard(child);
      expect(await runStatement((await start()).url, 'select seven from kept')).toEqual([{ seven: 7 }]);
    },
  );
});

describe('the programs', () => {
  const installed = dirname(
    dirname(createRequire(import.meta.url).resolve(`@embedded-postgres/${process.platform}-${process.arch}`)),
  );

  it('get the links that the install script would have made, by several at once', async () => {
    const copy = join(folder, 'package');
    await cp(installed, copy, {
      recursive: true,
      filter: async (path) => !(await lstat(path)).isSymbolicLink(),
    });
    const search = { account: null, caches: [], packageName: join(copy, 'dist', 'index.js') };
    const found = await Promise.all([findBinaries(search), findBinaries(search), findBinaries(search)]);
    for (const { postgres } of found) expect(dirname(postgres)).toBe(join(copy, 'native', 'bin'));
  });

  it.runIf(isRoot)('are copied once where the account cannot reach them', async () => {
    const copy = join(folder, 'closed', 'package');
    const cache = join(folder, 'cache');
    await cp(installed, copy, { recursive: true });
    await chmod(join(folder, 'closed'), 0o700);
    const search = { account: NOBODY, caches: [cache], packageName: join(copy, 'dist', 'index.js') };
    const found = await Promise.all([findBinaries(search), findBinaries(search)]);
    for (const { postgres } of found) expect(postgres.startsWith(cache)).toBe(true);
    const made = await stat(found[0].postgres);
    await findBinaries(search);
    expect((await stat(found[0].postgres)).ino).toBe(made.ino);
    expect(await readdir(cache)).toHaveLength(1);
  });

  it('are those on PATH where the package is missing', async () => {
    for (const name of ['initdb', 'postgres'])
      await symlink(join(installed, 'native', 'bin', name), join(folder, name));
    vi.stubEnv('PATH', folder);
    const found = await findBinaries({ account: null, caches: [], packageName: '@embedded-postgres/none' });
    vi.unstubAllEnvs();
    expect(dirname(found.postgres)).toBe(folder);
  });

  it('missing altogether, lead to a message that names DATABASE_URL', async () => {
    vi.stubEnv('PATH', folder);
    const found = findBinaries({ account: null, caches: [], packageName: '@embedded-postgres/none' });
    await expect(found).rejects.toThrow(/@embedded-postgres\/none is not installed.*DATABASE_URL/s);
    vi.unstubAllEnvs();
  });
});
