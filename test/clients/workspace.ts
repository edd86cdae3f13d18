import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll } from 'vitest';

const run = promisify(execFile);

const MODULES = resolve('node_modules');

/** A folder of somebody else, who has the document and our development packages, and nothing of our sources. */
export interface Workspace {
  readonly folder: string;
  write(name: string, text: string): Promise<void>;
  /** What `tsc --strict` says about the files; empty when it is content. Then they are in `out`. */
  compile(...files: string[]): Promise<string>;
  /** Runs a program in it. Answers what it writes; rejects when it fails, with what it wrote to standard error. */
  run(program: string, ...args: string[]): Promise<string>;
}

/** Makes it before the tests of the file, and removes it after them. */
export function useWorkspace(): Workspace {
  let folder = '';
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'convoke-client-'));
    await symlink(MODULES, join(folder, 'node_modules'));
    await mkdir(join(folder, 'out'));
    await writeFile(join(folder, 'package.json'), '{"type":"module"}');
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));
  const start = async (program: string, ...args: string[]): Promise<string> =>
    (await run(program, args, { cwd: folder })).stdout;
  return {
    get folder() {
      return folder;
    },
    write: (name, text) => writeFile(join(folder, name), text),
    run: start,
    async compile(...files) {
      const tsc = join(MODULES, 'typescript', 'bin', 'tsc');
      const options = [
        '--strict',
        '--target',
        'ES2022',
        '--module',
        'nodenext',
        '--types',
        'node',
        '--skipLibCheck',
      ];
      options.push('--lib', 'ES2022,DOM,DOM.Iterable', '--rootDir', '.', '--outDir', 'out');
      try {
        await start(process.execPath, tsc, ...options, ...files);
        return '';
      } catch (error) {
        return String((error as { stdout?: string }).stdout);
      }
    },
  };
}
