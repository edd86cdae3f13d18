import { spawn, type ChildProcess } from 'node:child_process';
import type { Socket } from 'node:net';
import type { Account } from './account.js';

/** A program that does not outlive this process, however this process ends. */
export interface Supervised {
  /** Settles when the program has ended: its exit status, or null when a signal ended it. Rejects if it never ran. */
  readonly ended: Promise<number | null>;
  /** Asks it to stop (SIGINT), waits for its end, and kills it after `patienceMs` milliseconds. */
  stop(patienceMs?: number): Promise<void>;
  /** From now on it is no reason for this process to stay: it follows this process, not the other way round. */
  unref(): void;
}

/**
 * Between us and the program stands a shell that holds a pipe from this process. The system closes the pipe when this
 * process ends in whatever way, SIGKILL too, and the shell's watcher then stops the program.
 */
const WATCHDOG = `
exec 3<&0 </dev/null
"$@" 3<&- &
program=$!
( while read -r _; do :; done; kill -INT $program ) <&3 3<&- 2>/dev/null &
watcher=$!
exec 3<&-
wait $program
status=$?
kill $watcher 2>/dev/null
exit $status
`;

/** Nothing of our own environment is passed on: PGOPTIONS and its like would change what the programs do. */
export const PLAIN_ENVIRONMENT = { PATH: '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };

/** Starts `command` with its output appended to the open file `log`. Never throws; see `ended`. */
export function supervise(
  command: readonly string[],
  options: { account: Account | null; log: number },
): Supervised {
  const child = spawn('/bin/sh', ['-c', WATCHDOG, 'sh', ...command], {
    ...options.account,
    cwd: '/',
    env: PLAIN_ENVIRONMENT,
    stdio: ['pipe', options.log, options.log],
    // A session of its own: Ctrl-C at the terminal reaches this process alone, which stops things in its own order.
    detached: true,
  });
  const ended = endOf(child);
  // Whoever needs the outcome awaits it later; until then a failed start must not count as unhandled.
  ended.catch(() => undefined);
  child.stdin?.on('error', () => undefined);
  return {
    ended,
    stop: (patienceMs = 20_000) => stop(child, ended, patienceMs),
    unref: () => {
      child.unref();
      (child.stdin as Socket | null)?.unref();
    },
  };
}

function endOf(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve, reject) => {
    child.once('error', (error) => reject(new Error(`Could not start a program: ${error.message}`)));
    child.once('exit', (code) => resolve(code));
  });
}

async function stop(child: ChildProcess, ended: Promise<unknown>, patienceMs: number): Promise<void> {
  child.ref();
  child.stdin?.destroy();
  const impatience = setTimeout(() => killGroup(child.pid), patienceMs);
  await ended.catch(() => undefined);
  clearTimeout(impatience);
}

function killGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch {
    // It ended by itself in this very moment.
  }
}
