import { spawn, type ChildProcess } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { killWithUs } from './watchdog.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

export interface Child {
  readonly process: ChildProcess;
  /** What it wrote to both its outputs until now. */
  readonly output: () => string;
  /** Settles with its exit status or the name of the signal that ended it. */
  readonly ended: Promise<number | string>;
}

/** Begins a command that runs a TypeScript file. Without decorator metadata: what Nest injects needs the build. */
export const TYPESCRIPT = [process.execPath, '--import', 'tsx'];

export interface ChildOptions {
  env?: NodeJS.ProcessEnv;
  /** Runs it as this user (only root may). */
  uid?: number;
  gid?: number;
}

/**
 * Runs a command in the repository's folder as a process group of its own, as a terminal would. It does not outlive this
 * process.
 */
export function startChild(command: string[], { env = process.env, ...user }: ChildOptions = {}): Child {
  const [program = '', ...args] = command;
  const child = spawn(program, args, {
    ...user,
    cwd: ROOT,
    env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const forget = child.pid === undefined ? () => undefined : killWithUs(child.pid);
  child.once('exit', forget);
  const ended = new Promise<number | string>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve(code ?? signal ?? 'unknown'));
  });
  return { process: child, output: () => output, ended };
}

/** Waits until the child has written what the pattern matches, and answers the match. Throws when it ends before. */
export async function untilSaid(child: Child, pattern: RegExp, timeout = 60_000): Promise<RegExpExecArray> {
  let ended = false;
  const noteEnd = () => (ended = true);
  child.ended.then(noteEnd, noteEnd);
  const deadline = Date.now() + timeout;
  for (;;) {
    const match = pattern.exec(child.output());
    if (match) return match;
    if (ended || Date.now() > deadline) throw new Error(`It never said ${pattern}, but:\n${child.output()}`);
    await pause(10);
  }
}

/** Kills the child in a way that it cannot notice, and waits until it is gone. */
export async function killHard(child: Child): Promise<void> {
  child.process.kill('SIGKILL');
  await child.ended;
}
