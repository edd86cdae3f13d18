import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';

/** What the system knows of a process. `startedAt` tells it from a later one that was given the same id. */
export interface ProcessInfo {
  /** Dead, but not yet collected by its parent (usual in containers whose first process collects nobody). */
  zombie: boolean;
  startedAt: string;
  parent: number;
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
    const zombie = fields[0] === 'Z' || fields[0] === 'X';
    return { zombie, startedAt: fields[19] ?? '', parent: Number(fields[1]), command };
  } catch {
    return null;
  }
}

function fromPs(pid: number): ProcessInfo | null {
  const { stdout } = spawnSync('ps', ['-o', 'stat=,ppid=,lstart=,command=', '-p', String(pid)], {
    encoding: 'utf8',
  });
  const [, state, parent, startedAt, command] =
    /^\s*(\S+)\s+(\d+)\s+((?:\S+\s+){4}\S+)\s*(.*)$/m.exec(stdout ?? '') ?? [];
  if (state === undefined || startedAt === undefined) return null;
  return { zombie: state.startsWith('Z'), startedAt, parent: Number(parent), command: command ?? '' };
}
