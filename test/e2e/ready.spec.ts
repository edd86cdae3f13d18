import { spawn, type ChildProcess } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { isRunning } from '../../src/database/embedded/processes.js';

/** What stands for npm and the Nest CLI: each notes that it ran, and does what its real one does to the clone. */
const TOOLS = `
import { appendFileSync, cpSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
const root = process.cwd();
const note = (text) => appendFileSync(root + '/ran', text + '\\n');
const hang = () => new Promise(() => setInterval(() => {}, 1000));
`;
const NPM = `${TOOLS}
note('npm ' + process.argv.slice(2).join(' '));
rmSync(root + '/node_modules', { recursive: true, force: true });
if (existsSync(root + '/hang-npm')) { rmSync(root + '/hang-npm'); writeFileSync(root + '/npm.pid', String(process.pid)); await hang(); }
mkdirSync(root + '/node_modules/@nestjs/cli/bin', { recursive: true });
cpSync(root + '/nest.mjs', root + '/node_modules/@nestjs/cli/bin/nest.js');
writeFileSync(root + '/node_modules/package.json', '{"type":"module"}');
cpSync(root + '/package-lock.json', root + '/node_modules/.package-lock.json');
`;
const NEST = `${TOOLS}
note('nest');
if (existsSync(root + '/src/wrong.ts')) { console.error('src/wrong.ts is wrong'); process.exit(7); }
rmSync(root + '/dist', { recursive: true, force: true });
mkdirSync(root + '/dist');
if (existsSync(root + '/hang-nest')) { rmSync(root + '/hang-nest'); writeFileSync(root + '/nest.pid', String(process.pid)); await hang(); }
`;

let clone: string;
const running: ChildProcess[] = [];

beforeEach(() => {
  clone = mkdtempSync(join(tmpdir(), 'convoke-ready-'));
  for (const folder of ['scripts', 'src', 'migrations', 'npm']) mkdirSync(join(clone, folder));
  copyFileSync('scripts/ready.mjs', join(clone, 'scripts', 'ready.mjs'));
  write('package.json', JSON.stringify({ type: 'module', engines: { node: '>=20.19.0' } }));
  writeLock('1.0.0');
  for (const name of ['nest-cli.json', 'tsconfig.json', 'tsconfig.build.json']) write(name, '{}');
  write('src/main.ts', '1');
  write('npm/npm-cli.js', NPM);
  write('nest.mjs', NEST);
});

afterEach(() => {
  for (const child of running.splice(0)) child.kill('SIGKILL');
  rmSync(clone, { recursive: true, force: true });
});

function write(path: string, text: string): void {
  writeFileSync(join(clone, path), text);
}

function writeLock(version: string): void {
  const packages = {
    '': {},
    'node_modules/a': { version, integrity: 'x' },
    'node_modules/b': { optional: true },
  };
  write('package-lock.json', JSON.stringify({ packages }));
}

function launch(): { child: ChildProcess; output: () => string; ended: Promise<number | null> } {
  const child = spawn(process.execPath, [join(clone, 'scripts', 'ready.mjs')], {
    cwd: tmpdir(),
    env: { ...process.env, npm_execpath: join(clone, 'npm', 'npm-cli.js') },
  });
  running.push(child);
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  return { child, output: () => output, ended };
}

async function ready(): Promise<{ status: number | null; output: string }> {
  const { ended, output } = launch();
  return { status: await ended, output: output() };
}

/** The steps since the last call. */
function ran(): string[] {
  const path = join(clone, 'ran');
  const steps = existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n') : [];
  rmSync(path, { force: true });
  return steps;
}

const INSTALL = 'npm ci --include=dev --include=optional';

describe('scripts/ready.mjs', () => {
  it('installs and builds a fresh clone, and then does and says nothing', async () => {
    expect(await ready()).toEqual({ status: 0, output: 'Installing packages ...\nBuilding ...\n' });
    expect(ran()).toEqual([INSTALL, 'nest']);
    expect(await ready()).toEqual({ status: 0, output: '' });
    expect(ran()).toEqual([]);
  });

  it('builds again when a source changed, installs again when a locked version did', async () => {
    await ready();
    ran();
    write('src/main.ts', '2');
    expect((await ready()).output).toBe('Building ...\n');
    write('src/main.spec.ts', 'a test is not part of the build');
    expect((await ready()).output).toBe('');
    writeLock('1.0.1');
    expect((await ready()).output).toBe('Installing packages ...\nBuilding ...\n');
  });

  it('ends with the status of the step that failed, shows its output, and tries again next time', async () => {
    write('src/wrong.ts', '');
    const failed = await ready();
    expect(failed.status).toBe(7);
    expect(failed.output).toContain('src/wrong.ts is wrong');
    rmSync(join(clone, 'src', 'wrong.ts'));
    expect(await ready()).toEqual({ status: 0, output: 'Building ...\n' });
  });

  it('refuses a Node that is too old, naming both versions', async () => {
    write('package.json', JSON.stringify({ type: 'module', engines: { node: '>=99.1.0' } }));
    const refused = await ready();
    expect(refused.status).toBe(1);
    expect(refused.output).toContain(`needs Node 99.1.0 or newer; this is ${process.versions.node}`);
    expect(ran()).toEqual([]);
  });

  it('of several at once, one does the work and the others wait for it', async () => {
    const all = await Promise.all([ready(), ready(), ready()]);
    expect(all.map(({ status }) => status)).toEqual([0, 0, 0]);
    expect(ran()).toEqual([INSTALL, 'nest']);
  });

  it.each(['npm', 'nest'])(
    'killed while %s works, takes it along and leaves nothing in the way',
    async (step) => {
      write(`hang-${step}`, '');
      const { child, ended } = launch();
      const pidFile = join(clone, `${step}.pid`);
      await vi.waitFor(() => expect(readFileSync(pidFile, 'utf8')).toMatch(/^\d+$/), { timeout: 20_000 });
      const pid = Number(readFileSync(pidFile, 'utf8'));
      child.kill('SIGKILL');
      await ended;
      ran();
      expect((await ready()).status).toBe(0);
      expect(ran()).toContain('nest');
      expect(isRunning(pid)).toBe(false);
      expect((await ready()).output).toBe('');
    },
  );
});
