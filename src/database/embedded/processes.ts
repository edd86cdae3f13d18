import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';

/** What the system knows of a process. `startedAt` tells it from a later one that was given the same id. */
export interface ProcessInfo {
  /** Dead, but not yet collected by its parent (usual in containers whose first process collects nobody). */
  zombie: boolean;
  startedAt: string;
  command: string;
}

/** Null when no such process exists. `pid` is a positive integer. */
export function inspectProcess(pid: number): ProcessInfo | null {
  return existsSync('/proc/self/stat') ? fromProc(pid) : fromPs(pid);
}

/** True for a process that still runs; a zombie does not. */
export function isRunning(pid: number): boolean {
  const info = inspectProcess(pid);
  return info !== null && !info.zombie;
}

function fromProc(pid: number): ProcessInfo | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the program's name in parentheses and may hold anything, parentheses too.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
    return { zombie: fields[0] === 'Z' || fields[0] === 'X', startedAt: fields[19] ?? '', command };
  } catch {
    return null;
  }
}

function fromPs(pid: number): ProcessInfo | null {
  const { stdout } = spawnSync('ps', ['-o', 'stat=,lstart=,command=', '-p', String(pid)], {
    encoding: 'utf8',
  });
  const match = /^\s*(\S+)\s+((?:\S+\s+){4}\S+)\s*(.*)$/m.exec(stdout ?? '');
  if (!match) return null;
  return { zombie: match[1]?.startsWith('Z') ?? false, startedAt: match[2] ?? '', command: match[3] ?? '' };
}
