import { mkdir, open, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { serverAccount } from './embedded/account.js';
import { findBinaries, usualCaches, type Binaries } from './embedded/binaries.js';
import { EMBEDDED_USER, openCluster, ownerOfCluster, type Cluster } from './embedded/cluster.js';
import { lastLines } from './embedded/log.js';
import { clearPredecessor, readPidFile, untilReady } from './embedded/postmaster.js';
import { LockHeldError, takeProcessLock } from './embedded/process-lock.js';
import { supervise, type Supervised } from './embedded/supervised.js';

export { removeEmbeddedPostgres } from './embedded/cluster.js';

export interface EmbeddedPostgresOptions {
  /** Folder for the data, the password and the log; made when missing. One server at a time uses it. */
  dataDir: string;
  /** TCP port on 127.0.0.1, 1 to 65535; left out or 0: a free one. */
  port?: number;
  /** Server settings by name, such as `{ fsync: 'off' }` for data that may be lost. */
  settings?: Record<string, string>;
}

export interface EmbeddedPostgres {
  /** Connection string of the superuser, with its password: not for logs. */
  url: string;
  port: number;
  /** Ends all sessions, stops the server and waits until it is gone. A second call waits for the same. */
  stop(): Promise<void>;
}

/**
 * Starts a PostgreSQL server of our own, reachable from this machine alone and with a random password, and waits until it
 * accepts connections. It stops when this process ends, even by SIGKILL; an orphan is waited for by the next start.
 * Throws an Error that says what to do when it cannot start: no programs for this platform, data of another major
 * version, data or port in use.
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const dataDir = resolve(options.dataDir);
  await mkdir(dataDir, { recursive: true, mode: 0o711 });
  const lock = await takeProcessLock(join(dataDir, 'lock')).catch((error: unknown) => {
    if (!(error instanceof LockHeldError)) throw error;
    throw new Error(`The Postgres data in ${dataDir} is in use by process ${error.pid}.`);
  });
  try {
    const { server, port, password } = await start(dataDir, options);
    let stopped: Promise<void> | undefined;
    return {
      url: `postgres://${EMBEDDED_USER}:${password}@127.0.0.1:${port}/postgres`,
      port,
      stop: () => (stopped ??= server.stop().finally(() => lock.release())),
    };
  } catch (error) {
    lock.release();
    throw error;
  }
}

async function start(dataDir: string, { port, settings = {} }: EmbeddedPostgresOptions) {
  const logFile = join(dataDir, 'postgres.log');
  await rm(logFile, { force: true });
  const account = (await ownerOfCluster(dataDir)) ?? serverAccount();
  const binaries = await findBinaries({ account, caches: usualCaches(join(dataDir, 'cache')) });
  const sync = settings.fsync !== 'off';
  const cluster = await openCluster({ dataDir, logFile, binaries, account, sync });
  await clearPredecessor(cluster.data);
  return { ...(await serve(cluster, binaries, logFile, port ?? 0, settings)), password: cluster.password };
}

const ATTEMPTS = 20;
const ATTEMPT_PAUSE_MS = 250;

/** Starts the server, again where the trouble passes: a port taken since it was found free, sessions not gone yet. */
async function serve(
  cluster: Cluster,
  binaries: Binaries,
  logFile: string,
  wantedPort: number,
  settings: Record<string, string>,
): Promise<{ server: Supervised; port: number }> {
  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort(wantedPort);
    const server = await launch(cluster, serverCommand(cluster, binaries, port, settings), logFile);
    if (server) return { server, port };
    const said = await lastLines(logFile);
    const passing = /Address already in use|pre-existing shared memory block/.test(said);
    if (!passing || attempt === ATTEMPTS) throw new Error(`Postgres did not start:\n${said}`);
    await rm(logFile, { force: true });
    await pause(ATTEMPT_PAUSE_MS);
  }
}

/** Answers null when the server ended instead of getting ready; its log says why. */
async function launch(cluster: Cluster, command: string[], logFile: string): Promise<Supervised | null> {
  const before = (await readPidFile(cluster.data))?.text ?? null;
  const log = await open(logFile, 'a', 0o600);
  try {
    const server = supervise(command, { account: cluster.account, log: log.fd });
    const outcome = await untilReady(cluster.data, before, server.ended);
    if (outcome === 'ready') {
      server.unref();
      return server;
    }
    if (outcome === 'ended') await server.ended;
    else await server.stop();
    return null;
  } finally {
    await log.close();
  }
}

function serverCommand(
  cluster: Cluster,
  binaries: Binaries,
  port: number,
  settings: Record<string, string>,
): string[] {
  const all = {
    ...settings,
    // These are not for choice: nothing but this machine's own processes reaches the server.
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    port: String(port),
    logging_collector: 'off',
  };
  const flags = Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  return [binaries.postgres, '-D', cluster.data, ...flags];
}

/** Answers `port` after a look whether it is free, or a free one for 0. Throws when it is taken. */
function freePort(port: number): Promise<number> {
  return new Promise((settle, reject) => {
    const probe = createServer();
    probe.once('error', (error: NodeJS.ErrnoException) =>
      reject(
        error.code === 'EADDRINUSE'
          ? new Error(`Port ${port} of 127.0.0.1, wanted for Postgres, is in use.`)
          : error,
      ),
    );
    probe.listen({ host: '127.0.0.1', port }, () => {
      const address = probe.address();
      probe.close(() => settle(typeof address === 'object' && address ? address.port : port));
    });
  });
}
