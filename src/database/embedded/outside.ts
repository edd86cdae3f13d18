import { mkdtemp, readdir, readFile, readlink, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { getuid } from 'node:process';
import { privateFolder } from './private-folder.js';

/**
 * Where root keeps data when the server's account cannot reach the folder that was asked for. Each has a random name,
 * stands in its folder as the link `cluster` once it is complete, and names that folder in its file `home`.
 */
const OUTSIDE = '/var/lib/convoke';

/** Nobody can tell a folder that was removed from one that was moved and will be started again. */
const FORGOTTEN_AFTER_MS = 30 * 24 * 3_600_000;

/** Makes a folder outside for the data of `dataDir`. */
export async function draftOutside(dataDir: string): Promise<string> {
  const draft = await mkdtemp(join(await privateFolder(OUTSIDE), 'data-'));
  await noteHome(draft, dataDir);
  return draft;
}

/** Notes where the data is used from now: the folder with the link may have been moved. */
export async function noteHome(bundle: string, dataDir: string): Promise<void> {
  if (dirname(bundle) === OUTSIDE) await writeFile(join(bundle, 'home'), dataDir, { mode: 0o600 });
}

/** Removes what was begun for `dataDir` and never linked, and what no folder has used for a month. */
export async function tidyOutside(dataDir: string): Promise<void> {
  if (getuid?.() !== 0) return;
  const link = await readlink(join(dataDir, 'cluster')).catch(() => null);
  for (const name of await readdir(OUTSIDE).catch(() => [])) {
    const bundle = join(OUTSIDE, name);
    const home = await readFile(join(bundle, 'home'), 'utf8').catch(() => null);
    const unfinished = home === dataDir && (link === null || basename(link) !== name);
    if (unfinished || (home !== null && (await isForgotten(bundle, home)))) await removeFolder(bundle);
  }
}

async function isForgotten(bundle: string, home: string): Promise<boolean> {
  if (await stat(home).catch(() => null)) return false;
  // Every start and every stop changes this folder.
  const data = await stat(join(bundle, 'data')).catch(() => null);
  return data !== null && Date.now() - data.mtimeMs > FORGOTTEN_AFTER_MS;
}

/** Removes a folder in which a program whose starter was killed may still be writing. */
export async function removeFolder(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
}
