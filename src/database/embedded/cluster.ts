import { randomBytes } from 'node:crypto';
import {
  chmod,
  chown,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { getgid, getuid } from 'node:process';
import { canEnter, type Account } from './account.js';
import type { Binaries } from './binaries.js';
import { lastLines } from './log.js';
import { draftOutside, noteHome, removeFolder, tidyOutside } from './outside.js';
import { supervise } from './supervised.js';

/** The superuser of every embedded server. */
export const EMBEDDED_USER = 'convoke';

/** A data directory that was made whole, and the password of its superuser. */
export interface Cluster {
  data: string;
  password: string;
  /** Whom the data belongs to: the server must run as nobody else. Null: this process's own user. */
  account: Account | null;
}

interface Place {
  dataDir: string;
  logFile: string;
  binaries: Binaries;
  account: Account | null;
  /** Whether the new files are flushed to the disk. */
  sync: boolean;
}

/** For root: whom the data that is there belongs to, as the server must run as its owner. Null: nobody to prefer. */
export async function ownerOfCluster(dataDir: string): Promise<Account | null> {
  if (getuid?.() !== 0) return null;
  const found = await stat(join(dataDir, 'cluster', 'data')).catch(() => null);
  return found && found.uid !== 0 ? { uid: found.uid, gid: found.gid } : null;
}

/**
 * Opens the data in `dataDir/cluster`, making it if there is none. To be called by one process at a time. It is made under
 * another name and renamed when complete, so that a kill in between leaves nothing that counts.
 */
export async function openCluster(place: Place): Promise<Cluster> {
  await removeDrafts(place.dataDir);
  await tidyOutside(place.dataDir);
  const bundle = join(place.dataDir, 'cluster');
  if (!(await stat(bundle).catch(() => null))) await makeBundle(place, bundle);
  const home = await realpath(bundle);
  await noteHome(home, place.dataDir);
  await checkUsable(place, home);
  return {
    data: join(home, 'data'),
    password: (await readFile(join(home, 'password'), 'utf8')).trim(),
    account: place.account,
  };
}

/** Removes `dataDir` with all that an embedded server kept for it. The server must have been stopped, or be stopping. */
export async function removeEmbeddedPostgres(dataDir: string): Promise<void> {
  const bundle = await realpath(join(dataDir, 'cluster')).catch(() => null);
  if (bundle) await removeFolder(bundle);
  await removeFolder(dataDir);
}

async function checkUsable({ account, binaries }: Place, home: string): Promise<void> {
  const major = await readFile(join(home, 'data', 'PG_VERSION'), 'utf8').catch((error: Error) => {
    throw new Error(`The Postgres data in ${home} cannot be read: ${error.message}`);
  });
  if (Number(major) !== binaries.major) {
    throw new Error(
      `The data in ${home} was made by PostgreSQL ${major.trim()}, and the one here is ${binaries.major}. Move or ` +
        'remove that folder to start afresh, or set DATABASE_URL.',
    );
  }
  if (!canEnter(account, join(home, 'data'))) {
    throw new Error(
      `The data in ${home} cannot be reached by the user that Postgres runs as (id ${account?.uid ?? 'own'}): a folder ` +
        'above it is closed. Open that, or move the data away to start afresh.',
    );
  }
}

async function makeBundle(place: Place, bundle: string): Promise<void> {
  const outside = place.account !== null && !canEnter(place.account, place.dataDir);
  const draft = await (outside ? draftOutside(place.dataDir) : mkdtemp(`${bundle}.draft-`));
  try {
    await chmod(draft, place.account ? 0o711 : 0o700);
    await initialise(place, draft);
    await (outside ? symlink(draft, bundle) : rename(draft, bundle));
  } catch (error) {
    await removeFolder(draft);
    throw error;
  }
}

async function initialise(place: Place, bundle: string): Promise<void> {
  const data = join(bundle, 'data');
  const passwordFile = join(bundle, 'password');
  await mkdir(data, { mode: 0o700 });
  await writeFile(passwordFile, randomBytes(24).toString('base64url'), { mode: 0o600 });
  // initdb reads the password as the server's account; afterwards the file is ours again.
  await giveTo(place.account, data, passwordFile);
  const log = await open(place.logFile, 'a', 0o600);
  try {
    const status = await supervise(initdbCommand(place, data, passwordFile), {
      account: place.account,
      log: log.fd,
    }).ended;
    if (status !== 0) throw new Error(`initdb failed:\n${await lastLines(place.logFile)}`);
  } finally {
    await log.close();
  }
  await giveTo(place.account && { uid: getuid?.() ?? 0, gid: getgid?.() ?? 0 }, passwordFile);
}

function initdbCommand({ binaries, sync }: Place, data: string, passwordFile: string): string[] {
  // The same order of texts on every system, whatever it calls its locales; older servers know only C.
  const locale = ['--encoding=UTF8', '--locale=C'];
  if (binaries.major >= 17) locale.push('--locale-provider=builtin', '--builtin-locale=C.UTF-8');
  return [
    binaries.initdb,
    `--pgdata=${data}`,
    `--username=${EMBEDDED_USER}`,
    `--pwfile=${passwordFile}`,
    '--auth=scram-sha-256',
    ...locale,
    ...(sync ? [] : ['--no-sync']),
  ];
}

async function giveTo(account: Account | null, ...paths: string[]): Promise<void> {
  if (account) await Promise.all(paths.map((path) => chown(path, account.uid, account.gid)));
}

/** Drafts of processes that were killed while they made them, and a link to data that is gone. */
async function removeDrafts(dataDir: string): Promise<void> {
  const drafts = (await readdir(dataDir)).filter((name) => name.startsWith('cluster.draft-'));
  await Promise.all(drafts.map((name) => removeFolder(join(dataDir, name))));
  const bundle = join(dataDir, 'cluster');
  if (!(await stat(bundle).catch(() => null))) await rm(bundle, { force: true });
}
