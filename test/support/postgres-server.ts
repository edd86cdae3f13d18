import { chmod, mkdtemp, readdir, readlink, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { removeEmbeddedPostgres, startEmbeddedPostgres } from '../../src/database/embedded-postgres.js';
import { takeProcessLock } from '../../src/database/embedded/process-lock.js';

declare module 'vitest' {
  interface ProvidedContext {
    /** The server of this run, the migrated database that test databases are copies of, and how their names begin. */
    postgres: { url: string; template: string; prefix: string };
  }
}

/** The server that a run's databases are made on. */
export interface PostgresServer {
  url: string;
  /** Ends it, when it is ours. `kept`: the databases of failed test files that are still there, to be looked at. */
  close(kept: string[]): Promise<void>;
}

/** The server that TEST_DATABASE_URL names, or one of our own for this run. */
export async function openPostgresServer(): Promise<PostgresServer> {
  const url = process.env.TEST_DATABASE_URL;
  if (!url) return startThrowAway();
  await checkServer(url);
  return {
    url,
    close: (kept) => Promise.resolve(announce(kept, `They are on the server of TEST_DATABASE_URL.`)),
  };
}

/** Runs one statement on a connection of its own. */
export async function runStatement(url: string, text: string, values: unknown[] = []): Promise<unknown[]> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 5000 });
  await client.connect();
  try {
    return (await client.query<object>(text, values)).rows;
  } finally {
    await client.end();
  }
}

/** The connection string of another database on the same server. */
export function databaseUrl(serverUrl: string, name: string): string {
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return url.href;
}

async function checkServer(url: string): Promise<void> {
  const rows = await runStatement(
    url,
    'select rolsuper or rolcreatedb as may from pg_roles where rolname = current_user',
  ).catch((error: Error & { code?: string }) => {
    throw new Error(
      `TEST_DATABASE_URL cannot be used: ${error.code ?? ''} ${error.message}\n` +
        'Start that server or correct the variable; without it the tests run on an embedded Postgres.',
    );
  });
  if (!(rows[0] as { may: boolean }).may) {
    throw new Error('TEST_DATABASE_URL cannot be used: its user may not create databases.');
  }
}

const FOLDER_PREFIX = 'convoke-test-';

/** Nothing here must survive a power cut, so it does not wait for the disk. */
const FAST = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', max_connections: '200' };

async function startThrowAway(): Promise<PostgresServer> {
  await removeAbandoned();
  const dataDir = await mkdtemp(join(tmpdir(), FOLDER_PREFIX));
  // Started by root, the server runs as somebody else, who must be able to enter.
  await chmod(dataDir, 0o711);
  const server = await startEmbeddedPostgres({ dataDir, settings: FAST });
  return {
    url: server.url,
    close: async (kept) => {
      await server.stop();
      if (kept.length === 0) await removeEmbeddedPostgres(dataDir);
      announce(kept, `To look at them: npx tsx test/support/open-kept.ts ${dataDir}`);
    },
  };
}

function announce(kept: string[], where: string): void {
  if (kept.length > 0) {
    process.stderr.write(`\nKept for a look, as their tests failed: ${kept.join(', ')}\n${where}\n`);
  }
}

/** Long enough to look at what a failed run kept. */
const KEPT_FOR_MS = 7 * 24 * 3_600_000;

/** Runs that were killed could not clean up: their lock is there, and nobody holds it. What was kept goes in time. */
async function removeAbandoned(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    const folder = join(tmpdir(), name);
    if (!name.startsWith(FOLDER_PREFIX)) continue;
    const found = await stat(folder).catch(() => null);
    if (!found || found.uid !== process.getuid?.()) continue;
    const lock = join(folder, 'lock');
    const locked = (await readlink(lock).catch(() => null)) !== null;
    const abandoned = locked
      ? (await takeProcessLock(lock).catch(() => null)) !== null
      : Date.now() - found.mtimeMs > KEPT_FOR_MS;
    if (abandoned) await removeEmbeddedPostgres(folder);
  }
}
