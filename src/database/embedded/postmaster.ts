import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { inspectProcess } from './processes.js';

const POLL_MS = 10;

/** What `postmaster.pid` says; the server writes it and removes it when it stops. Null when there is none. */
export async function readPidFile(
  data: string,
): Promise<{ text: string; pid: number; ready: boolean } | null> {
  const text = await readFile(join(data, 'postmaster.pid'), 'utf8').catch(() => null);
  if (text === null) return null;
  const lines = text.split('\n');
  return { text, pid: Math.abs(Number.parseInt(lines[0] ?? '', 10)), ready: lines[7]?.trim() === 'ready' };
}

/**
 * Waits until the server of a killed process has left, and removes what it leaves when it was killed itself. Only for
 * who holds the lock on the data: whatever serves it then is an orphan. Throws after `patienceMs` milliseconds.
 */
export async function clearPredecessor(data: string, patienceMs = 60_000): Promise<void> {
  const deadline = Date.now() + patienceMs;
  let asked = false;
  for (;;) {
    const file = await readPidFile(data);
    if (!file) return;
    const found = Number.isNaN(file.pid) ? null : inspectProcess(file.pid);
    // A dead server's file is left to the new one, which also looks for sessions that are not gone yet. It would
    // take a zombie, or a stranger who was given the same process id, for a living server.
    if (!found) return;
    if (found.zombie || !found.command.includes(data))
      return rm(join(data, 'postmaster.pid'), { force: true });
    if (Date.now() > deadline) {
      throw new Error(`A Postgres server left behind (process ${file.pid}) does not leave ${data}.`);
    }
    if (!asked) askToStop(file.pid);
    asked = true;
    await pause(POLL_MS);
  }
}

/** Its own watchdog has asked it too, unless that was killed with its process. */
function askToStop(pid: number): void {
  try {
    process.kill(pid, 'SIGINT');
  } catch {
    // Gone already, or not ours to stop: then the wait above ends it either way.
  }
}

/** Waits until the server accepts connections or has ended; answers which. `before` is the pid file of an earlier one. */
export async function untilReady(
  data: string,
  before: string | null,
  ended: Promise<unknown>,
  patienceMs = 120_000,
): Promise<'ready' | 'ended' | 'late'> {
  const deadline = Date.now() + patienceMs;
  let gone = false;
  const noteEnd = () => (gone = true);
  ended.then(noteEnd, noteEnd);
  while (Date.now() < deadline) {
    if (gone) return 'ended';
    const file = await readPidFile(data);
    if (file?.ready && file.text !== before) return 'ready';
    await pause(POLL_MS);
  }
  return 'late';
}
