import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

export interface Child {
  readonly process: ChildProcess;
  /** What it wrote to both its outputs until now. */
  output(): string;
  /** Settles with its exit status or the name of the signal that ended it. */
  readonly ended: Promise<number | string>;
}

export interface ChildOptions {
  args?: string[];
  env?: NodeJS.ProcessEnv;
  /** Runs it as this user (only root may). */
  uid?: number;
  gid?: number;
}

/**
 * Runs a TypeScript program of the repository as a process group of its own, as a terminal would. `program` is relative
 * to the repository.
 */
export function startChild(
  program: string,
  { args = [], env = process.env, ...user }: ChildOptions = {},
): Child {
  const child = spawn(process.execPath, ['--import', 'tsx', program, ...args], {
    ...user,
    cwd: ROOT,
    env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const ended = new Promise<number | string>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve(code ?? signal ?? 'unknown'));
  });
  return { process: child, output: () => output, ended };
}

/** Kills the child in a way that it cannot notice, and waits until it is gone. */
export async function killHard(child: Child): Promise<void> {
  child.process.kill('SIGKILL');
  await child.ended;
}
