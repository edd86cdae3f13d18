import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LockHeldError, takeProcessLock, type ProcessLock } from './process-lock.js';
import { inspectProcess } from './processes.js';

let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'convoke-lock-'));
  path = join(folder, 'lock');
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

function idOfDeadProcess(): number {
  return spawnSync('/bin/sh', ['-c', 'exit']).pid;
}

describe('a process lock', () => {
  it('is refused while its holder lives, names the holder, and is free after release', async () => {
    const lock = await takeProcessLock(path);
    await expect(takeProcessLock(path)).rejects.toEqual(new LockHeldError(path, process.pid));
    lock.release();
    lock.release();
    (await takeProcessLock(path)).release();
    expect(readdirSync(folder)).toEqual([]);
  });

  it('left by a dead process goes to exactly one of many', async () => {
    symlinkSync(`${idOfDeadProcess()}|1|left`, path);
    // Others died while they were breaking it.
    symlinkSync(`${idOfDeadProcess()}|1|left`, `${path}.break`);
    const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => takeProcessLock(path)));
    const taken = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
    expect(taken).toHaveLength(1);
    taken.forEach((lock: ProcessLock) => lock.release());
    expect(readdirSync(folder)).toEqual([]);
  });

  it('does not take a later process with the same id for its holder', async () => {
    symlinkSync(`${process.pid}|${inspectProcess(process.pid)?.startedAt}0|left`, path);
    (await takeProcessLock(path)).release();
  });

  it('released late does not remove what somebody else has taken', async () => {
    const first = await takeProcessLock(path);
    rmSync(path);
    const second = await takeProcessLock(path);
    first.release();
    await expect(takeProcessLock(path)).rejects.toThrow(LockHeldError);
    second.release();
  });
});
