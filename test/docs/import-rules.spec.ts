import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tableBelow } from './support/repository.js';

interface Rule {
  name: string;
  to: { pathNot?: string | string[] };
}

const CONFIG = resolve('.dependency-cruiser.cjs');
const { forbidden: rules } = createRequire(import.meta.url)(CONFIG) as { forbidden: Rule[] };

const rows = tableBelow(readFileSync('ARCHITECTURE.md', 'utf8'), '## Who may import whom').map(
  ([, folders]) => [...folders!.matchAll(/`([\w-]+)`/g)].map(([, folder]) => folder!),
);

it('the table of ARCHITECTURE.md is what the rules say', () => {
  const documented = rows.flatMap((row, index) =>
    row.map((folder) => [folder, [folder, ...rows.slice(0, index).flat()]]),
  );
  const ruled = rules
    .filter(({ name }) => name.startsWith('layer-'))
    .map(({ name, to }) => [
      name.replace('layer-', ''),
      /\(\?:(.*)\)/.exec(String(to.pathNot))?.[1]?.split('|'),
    ]);
  expect(ruled).toEqual(documented);
});

/** A rule, the file that breaks it, and what that file says. `null`: a file that breaks none. */
const cases: [rule: string | null, file: string, text: string][] = [
  ...rows.flatMap((row, index) =>
    row.map((folder): [string, string, string] => {
      const above = rows[index + 1]?.[0];
      const target = above === undefined ? '../app.module.js' : `../${above}/thing.js`;
      return [`layer-${folder}`, `src/${folder}/too-high.ts`, `import '${target}';`];
    }),
  ),
  ['layer-health', 'src/health/mate.ts', "import '../tokens/thing.js';"],
  ['layer-access', 'src/access/types.ts', "import type { A } from '../roles/thing.js'; export type B = A;"],
  [null, 'src/conversations/well.ts', "import '../roles/thing.service.js'; import './thing.js';"],
  ['no-circular', 'src/common/one.ts', "import { b } from './other.js'; export const a = () => b;"],
  ['features-show-little', 'src/tokens/curious.ts', "import '../identities/identity.dto.js';"],
  ['no-barrel', 'src/roles/index.ts', "export * from './thing.js';"],
  ['no-index', 'src/roles/barrelled.ts', "import './index.js';"],
  ['no-orphan', 'test/support/lonely.ts', 'export const a = 1;'],
  ['no-dead-file', 'src/roles/unused.ts', "import './thing.js';"],
  ['no-program-imported', 'src/starter.ts', "import './main.js';"],
  ['quickstart-alone', 'src/hasty.ts', "import './quickstart/thing.js';"],
  ['twilio-in-one-place', 'src/roles/direct.ts', "import 'twilio';"],
  [null, 'src/twilio/direct.ts', "import 'twilio'; import 'undici';"],
  ['undici-in-few-places', 'src/roles/bare.ts', "import 'undici';"],
  [
    'typeorm-below-http',
    'src/roles/roles.controller.ts',
    "import type { A } from 'typeorm'; export type B = A;",
  ],
  [null, 'src/roles/roles.service.ts', "import 'typeorm';"],
  ['sandbox-is-an-island', 'src/sandbox/borrower.ts', "import '../common/thing.js';"],
  ['sandbox-has-few-packages', 'src/sandbox/rich.ts', "import 'typeorm';"],
  [null, 'src/sandbox/server.ts', "import 'fastify';"],
  ['nobody-needs-the-sandbox', 'src/cheat.ts', "import './sandbox/server.js';"],
  ['tests-stay-outside', 'src/tested.ts', "import '../test/support/helper.js';"],
  [null, 'test/support/helper.ts', "import '../../src/sandbox/server.js';"],
  ['no-development-package', 'src/heavy.ts', "import 'vitest';"],
  [null, 'src/roles/roles.spec.ts', "import 'vitest';"],
  ['no-undeclared-package', 'src/lucky.ts', "import 'stray';"],
  ['no-unresolved', 'src/lost.ts', "import './nowhere.js';"],
];

const PACKAGES = ['twilio', 'undici', 'typeorm', 'fastify', 'vitest', 'stray'];

describe('each rule', () => {
  let fixture: string;
  let broken: { from: string; rule: { name: string } }[];

  function write(path: string, text: string): void {
    mkdirSync(dirname(join(fixture, path)), { recursive: true });
    writeFileSync(join(fixture, path), `${text}\n`);
  }

  beforeAll(() => {
    fixture = mkdtempSync(join(tmpdir(), 'convoke-imports-'));
    write('tsconfig.json', '{ "compilerOptions": { "module": "nodenext" } }');
    const dependencies = Object.fromEntries(PACKAGES.slice(0, 4).map((name) => [name, '1.0.0']));
    write(
      'package.json',
      JSON.stringify({ type: 'module', dependencies, devDependencies: { vitest: '1.0.0' } }),
    );
    for (const name of PACKAGES) {
      write(`node_modules/${name}/package.json`, JSON.stringify({ name, version: '1.0.0', main: 'main.js' }));
      write(`node_modules/${name}/main.js`, '');
    }
    for (const folder of [...rows.flat(), 'quickstart']) {
      for (const kind of ['thing', 'thing.service', 'identity.dto']) {
        write(`src/${folder}/${kind}.ts`, 'export type A = 1;');
      }
    }
    write('src/app.module.ts', '');
    write('src/common/other.ts', "import { a } from './one.js'; export const b = () => a;");
    for (const [, file, text] of cases) write(file, text);
    const used = cases.flatMap(([rule, file]) =>
      rule !== 'no-dead-file' && /^src.*(?<!spec)[.]ts$/.test(file) ? [file] : [],
    );
    write('src/main.ts', used.map((file) => `import './${file.slice(4, -3)}.js';`).join('\n'));
    broken = findings();
  });

  afterAll(() => rmSync(fixture, { recursive: true, force: true }));

  function findings(): typeof broken {
    const program = resolve('node_modules/dependency-cruiser/bin/dependency-cruise.mjs');
    // With JSON as its output it ends with 0, whatever it found.
    const output = execFileSync(
      process.execPath,
      [program, '--config', CONFIG, '--output-type', 'json', 'src', 'test'],
      { cwd: fixture, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 },
    );
    const { summary } = JSON.parse(output) as { summary: { violations: typeof broken } };
    return summary.violations;
  }

  it('is broken by a case here', () => {
    expect(new Set(cases.flatMap(([rule]) => rule ?? []))).toEqual(new Set(rules.map(({ name }) => name)));
  });

  it.each(cases)('%s: %s', (rule, file) => {
    const found = broken.filter(({ from }) => from === file).map(({ rule: { name } }) => name);
    if (rule === null) expect(found).toEqual([]);
    else expect(found).toContain(rule);
  });
});
