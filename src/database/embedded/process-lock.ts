import { randomUUID } from 'node:crypto';
import { readlinkSync, symlinkSync, unlinkSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { inspectProcess } from './processes.js';

export interface ProcessLock {
  /** Gives the lock up; a second call does nothing. */
  release(): void;
}

/** Thrown by `takeProcessLock` when a living process holds the lock. */
export class LockHeldError extends Error {
  constructor(
    readonly path: string,
    readonly pid: number,
  ) {
    super(`${path} is held by process ${pid}.`);
    this.name = 'LockHeldError';
  }
}

/**
 * Takes a lock that a killed process does not leave behind: a symbolic link whose target names the holder, as that is
 * made in one step together with what it says. The folder must exist. Throws LockHeldError at once when the holder
 * lives (another call of this process counts).
 */
export async function takeProcessLock(path: string): Promise<ProcessLock> {
  const mine = [process.pid, inspectProcess(process.pid)?.startedAt ?? '', randomUUID()].join('|');
  for (;;) {
    const holder = claim(path, mine);
    if (holder === mine) return { release: () => removeIf(path, mine) };
    if (holder === null) continue;
    if (isAlive(holder)) throw new LockHeldError(path, Number(holder.split('|')[0]));
    await breakLock(path, holder);
  }
}

/** Answers who holds the lock now: `mine`, somebody else, or null when it was released meanwhile. */
function claim(path: string, mine: string): string | null {
  try {
    symlinkSync(mine, path);
    return mine;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return readHolder(path);
  }
}

function readHolder(path: string): string | null {
  try {
    return readlinkSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

function isAlive(holder: string): boolean {
  const [pid, startedAt] = holder.split('|');
  const info = inspectProcess(Number(pid));
  return info !== null && !info.zombie && info.startedAt === startedAt;
}

/**
 * Removes what a dead holder left. Of two that find it at once, the slower must not remove the lock that the faster
 * has taken since: they do it one after the other, under a lock of the same kind, and look again first.
 */
async function breakLock(path: string, dead: string): Promise<void> {
  try {
    const guard = await takeProcessLock(`${path}.break`);
    removeIf(path, dead);
    guard.release();
  } catch (error) {
    if (!(error instanceof LockHeldError)) throw error;
    await pause(5);
  }
}

function removeIf(path: string, holder: string): void {
  if (readHolder(path) === holder) unlinkSync(path);
}
