import { readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { describe, expect, it } from 'vitest';
import { ConfigError, Env, ENV_NAMES, readEnv } from '../../src/config/env.js';
import { filesBelow, sandboxVariables, tableBelow } from './support/repository.js';

const readme = readFileSync('README.md', 'utf8');
const example = readFileSync('.env.example', 'utf8');
const table = tableBelow(readme, '## Configuration').map(([name, standard, meaning]) => ({
  name: bare(name!),
  standard: bare(standard!),
  meaning: meaning!,
}));

/** What has to be filled in. */
const given = parseEnv(example) as Record<string, string>;

function bare(cell: string): string {
  return cell.replaceAll('`', '');
}

function problemsOf(variables: Record<string, string>): string[] {
  try {
    readEnv(variables);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

const required = problemsOf({})
  .filter((problem) => problem.endsWith(': is required'))
  .map((problem) => problem.split(':')[0]!);

/** As a table or a file shows it. */
function defaultOf(name: string): string {
  if (required.includes(name)) return 'required';
  const defaults = new Env() as unknown as Record<string, string | number | boolean | undefined>;
  const value = defaults[name];
  return value === undefined ? 'none' : value === '' ? 'empty' : String(value);
}

describe('the configuration table of the README', () => {
  it('has each variable, in the order of the code, with its default', () => {
    expect(required.length).toBeGreaterThan(0);
    expect(table.map(({ name, standard }) => [name, standard])).toEqual(
      ENV_NAMES.map((name) => [name, defaultOf(name)]),
    );
  });

  it('says of each what it is for, and names the bounds that hold', () => {
    // The two that are compared with each other are far apart here.
    const apart = { ...given, LEASE_MS: '600000', TWILIO_CALL_TIMEOUT_MS: '100' };
    let bounded = 0;
    for (const { name, meaning } of table) {
      expect(meaning, name).not.toBe('');
      const [, least, most] = /\b(\d+) to (\d+)\b/.exec(meaning) ?? [];
      if (least === undefined || most === undefined) continue;
      bounded += 1;
      for (const value of [least, most]) {
        expect(problemsOf({ ...apart, [name]: value }), name).toEqual([]);
      }
      for (const value of [Number(least) - 1, Number(most) + 1]) {
        expect(problemsOf({ ...apart, [name]: String(value) }).join(), name).toContain(name);
      }
    }
    expect(bounded).toBeGreaterThanOrEqual(7);
  });

  it('marks those that nothing uses yet, and no other', () => {
    const config = readFileSync('src/config/app-config.ts', 'utf8');
    const service = filesBelow('src')
      .filter((path) => !/^src\/(config|sandbox|quickstart)|[.]spec[.]ts$/.test(path))
      .map((path) => readFileSync(path, 'utf8'))
      .join('\n');
    const isUsed = (name: string): boolean => {
      // `port: env.PORT,` or `this.corsOrigins = … env.CORS_ORIGINS …`; what has no field is checked and no more.
      const field = new RegExp(`(\\w+)(?::| =) [^;\\n]*\\benv\\.${name}\\b`).exec(config)?.[1];
      return field === undefined || new RegExp(`\\b${field}\\b`).test(service);
    };
    const marked = table.filter(({ meaning }) => meaning.endsWith('Not used yet')).map(({ name }) => name);
    expect(marked).toEqual(ENV_NAMES.filter((name) => !isUsed(name)));
  });
});

describe('.env.example', () => {
  const lines = [...example.matchAll(/^(# )?([A-Z][A-Z_]+)=(.*)$/gm)].map(([, off, name, value]) => ({
    name: name!,
    value: value!,
    off: off !== undefined,
  }));

  it('has each variable in the same order: those to be filled in, and the others with their defaults', () => {
    expect(lines.map(({ name }) => name)).toEqual([...ENV_NAMES]);
    expect(lines.filter(({ off }) => !off).map(({ name }) => name)).toEqual(required);
    for (const { name, value, off } of lines) {
      const standard = defaultOf(name);
      if (off && standard !== 'none') expect(value || 'empty', name).toBe(standard);
    }
  });

  it('is accepted as it is, and with every example in it', () => {
    expect(problemsOf(given)).toEqual([]);
    expect(problemsOf(Object.fromEntries(lines.map(({ name, value }) => [name, value])))).toEqual([]);
  });
});

it('the README of the sandbox names each variable of the sandbox, and no other', () => {
  const named = readFileSync('src/sandbox/README.md', 'utf8').match(/\bSANDBOX_[A-Z_]+\b/g);
  expect(new Set(named)).toEqual(new Set(sandboxVariables()));
});
