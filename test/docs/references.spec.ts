import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, join, normalize } from 'node:path';
import { describe, expect, it } from 'vitest';
import { documents, filesBelow, packageJson } from './support/repository.js';

/** Made when something runs, and not in a clone. */
const MADE = /^(dist|\.convoke|node_modules)\/|^quickstart\.json$/;

/** Named because it must not be. */
const FORBIDDEN = ['index.ts'];

const texts = documents().map((path) => ({ path, text: readFileSync(path, 'utf8') }));

/** As GitHub makes them. */
function anchorsOf(text: string): string[] {
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
    heading!
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

it('all documents are here', () => {
  const paths = texts.map(({ path }) => path);
  expect(paths).toEqual(
    expect.arrayContaining([
      'ARCHITECTURE.md',
      'CHANGELOG.md',
      'CONTRIBUTING.md',
      'README.md',
      'docs/errors.md',
    ]),
  );
});

/** What stands in code, in a line or in a block. */
function codeOf(text: string): string[] {
  return [...text.matchAll(/^```[\s\S]*?^```|`[^`\n]+`/gm)].map(([code]) => code);
}

/** By path, and by name alone. */
const known = new Set(
  ['.ci', 'bench', 'docs', 'migrations', 'scripts', 'src', 'test']
    .flatMap(filesBelow)
    .flatMap((path) => [path, basename(path)]),
);

describe.each(texts)('$path', ({ path, text }) => {
  it('names scripts that exist', () => {
    for (const [whole, run, name] of codeOf(text)
      .join('\n')
      .matchAll(/\bnpm (run )?([\w:-]+)/g)) {
      if (run === undefined && name === 'ci') continue;
      if (run === undefined) expect(['test', 'start'], whole).toContain(name);
      expect(packageJson.scripts, whole).toHaveProperty([name!]);
    }
  });

  it('names files and folders that exist', () => {
    for (const code of codeOf(text)) {
      const [, name] =
        /^`((?:\.?[\w-]+\/)+[\w.-]*|\.?[\w.-]+\.(?:ts|mjs|cjs|json|yml|md))`$/.exec(code) ?? [];
      if (name === undefined || MADE.test(name) || FORBIDDEN.includes(name)) continue;
      expect(known.has(name) || existsSync(name) || existsSync(join(dirname(path), name)), name).toBe(true);
    }
  });

  it('links to what is there', () => {
    for (const [, target] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(target!)) continue;
      const [file, anchor] = target!.split('#');
      const linked = file === '' ? path : normalize(join(dirname(path), file!));
      expect(existsSync(linked), target).toBe(true);
      if (anchor !== undefined) expect(anchorsOf(readFileSync(linked, 'utf8')), target).toContain(anchor);
    }
  });
});

describe('ARCHITECTURE.md', () => {
  const text = readFileSync('ARCHITECTURE.md', 'utf8');

  it('names a test that exists for every invariant', () => {
    const named = [...text.matchAll(/\| `([^`]+\.spec\.ts)`: "([^"]+)"/g)];
    expect(named.length).toBeGreaterThanOrEqual(8);
    for (const [, file, title] of named) {
      const source = readFileSync(file!, 'utf8');
      expect(
        [`'${title}'`, `"${title}"`].some((quoted) => source.includes(quoted)),
        title,
      ).toBe(true);
    }
  });
});
