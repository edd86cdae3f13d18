import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defaultConfig } from '../../../src/sandbox/config.js';
import { callers } from './harness.js';
import type { Harness } from './harness.js';

const MAIN = fileURLToPath(new URL('../../../src/sandbox/main.ts', import.meta.url));
const LISTENING = /^sandbox listening on (http:\/\/\S+)$/m;

export interface SandboxProcess extends Pick<Harness, 'call' | 'control'> {
  baseUrl: string;
  errors(): string;
  kill(signal: NodeJS.Signals): Promise<number | null>;
}

const running = new Set<ChildProcess>();

/** For after a test: one that failed half-way leaves no process behind. */
export async function endSandboxProcesses(): Promise<void> {
  await Promise.all([...running].map((child) => ended(child, () => child.kill('SIGKILL'))));
}

/** The sandbox as a process of its own, started as `npm run sandbox` starts it. */
export async function sandboxProcess(environment: Record<string, string>): Promise<SandboxProcess> {
  const child = spawn(process.execPath, ['--import', 'tsx', MAIN], {
    env: { PATH: process.env['PATH'], SANDBOX_PORT: '0', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  child.once('exit', () => running.delete(child));
  let output = '';
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  const baseUrl = await new Promise<string>((resolve, reject) => {
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      const found = LISTENING.exec(output)?.[1];
      if (found !== undefined) resolve(found);
    });
    child.once('exit', (code) => reject(new Error(`The sandbox ended with ${code}: ${errors}`)));
  });
  return {
    baseUrl,
    ...callers(baseUrl, defaultConfig()),
    errors: () => errors,
    kill: (signal) => ended(child, () => child.kill(signal)),
  };
}

export function ended(child: ChildProcess, end: () => void): Promise<number | null> {
  return new Promise((resolve) => {
    child.once('exit', (code) => resolve(code));
    end();
  });
}

export interface Folder {
  path: string;
  remove(): void;
}

export function temporaryFolder(): Folder {
  const path = mkdtempSync(join(tmpdir(), 'sandbox-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}
