import { readdirSync, readFileSync } from 'node:fs';

/** Clock ticks a second on Linux, for /proc. */
const TICKS = 100;

function stat(pid: number | string): { parent: number; ms: number } | null {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
    // After the name: state, parent, …; user and system time are the 12th and 13th.
    return { parent: Number(fields[1]), ms: ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS };
  } catch {
    return null;
  }
}

/** CPU that a process has used so far, in milliseconds. */
export function cpuOf(pid: number): number {
  return stat(pid)?.ms ?? 0;
}

/** The same of all processes below one, and of itself. Those that have ended count no more. */
export function cpuOfTree(pid: number): number {
  const all = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const parents = new Map(all.map((name) => [Number(name), stat(name)?.parent ?? 0]));
  const isBelow = (one: number): boolean => one === pid || (one > 1 && isBelow(parents.get(one) ?? 0));
  return all
    .map(Number)
    .filter(isBelow)
    .reduce((sum, one) => sum + cpuOf(one), 0);
}
