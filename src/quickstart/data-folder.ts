import { randomBytes } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { generateApiKey, parseApiKey } from '../access/api-key.js';
import { LockHeldError, takeProcessLock, type ProcessLock } from '../database/embedded/process-lock.js';

const RESULT = 'quickstart.json';
const KEY = 'api-key';

/** Time for a quickstart whose npm was killed to notice and leave, in milliseconds. */
const HANDOVER_MS = 5000;
const POLL_MS = 50;

/** Makes the folder, waits until no other quickstart uses it, and removes what the last one wrote for its readers. */
export async function claimDataFolder(dataDir: string): Promise<ProcessLock> {
  // Others may pass through, as the account that Postgres runs with must, but not look around.
  await mkdir(dataDir, { recursive: true, mode: 0o711 });
  const lock = await takeLock(join(dataDir, 'quickstart.lock'));
  const stale = (await readdir(dataDir)).filter((name) => name === RESULT || name.endsWith('.draft'));
  await Promise.all(stale.map((name) => rm(join(dataDir, name), { force: true })));
  return lock;
}

async function takeLock(path: string): Promise<ProcessLock> {
  const deadline = Date.now() + HANDOVER_MS;
  for (;;) {
    const taken = await takeProcessLock(path).catch((error: unknown) => {
      if (error instanceof LockHeldError) return error;
      throw error;
    });
    if (!(taken instanceof LockHeldError)) return taken;
    if (Date.now() > deadline) {
      throw new Error(
        `Another quickstart (process ${taken.pid}) uses this folder. Stop it, or choose another: DATA_DIR=...`,
      );
    }
    await pause(POLL_MS);
  }
}

/** The key that quickstart made for this folder, made now if there is none. */
export async function ownApiKey(dataDir: string): Promise<string> {
  const path = join(dataDir, KEY);
  const kept = (await readFile(path, 'utf8').catch(() => '')).trim();
  if (parseApiKey(kept)) return kept;
  const { text } = generateApiKey();
  await writePrivately(path, `${text}\n`);
  return text;
}

/** Writes quickstart.json whole: who finds it can rely on all that it says. */
export async function writeResult(dataDir: string, result: object): Promise<string> {
  const path = join(dataDir, RESULT);
  await writePrivately(path, `${JSON.stringify(result, null, 2)}\n`);
  return path;
}

async function writePrivately(path: string, text: string): Promise<void> {
  const draft = `${path}.${randomBytes(6).toString('hex')}.draft`;
  const file = await open(draft, 'wx', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(draft, path);
}
