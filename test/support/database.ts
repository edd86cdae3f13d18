import { randomBytes } from 'node:crypto';
import { basename } from 'node:path';
import { afterAll, beforeAll, expect, inject, type RunnerTask } from 'vitest';
import { databaseUrl, runStatement } from './postgres-server.js';

export interface TestDatabase {
  readonly url: string;
  readonly name: string;
  /** Ends all sessions of the database and removes it. */
  drop(): Promise<void>;
}

const LABEL_LENGTH = 30;

/** A migrated database of the caller's own, made as a copy of the run's template. Named after the test file. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const { url, template, prefix } = inject('postgres');
  const file = basename(expect.getState().testPath ?? 'unknown').replace(/\.spec\.ts$/, '');
  const label = file
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '_')
    .slice(0, LABEL_LENGTH);
  const name = `${prefix}${label}_${randomBytes(3).toString('hex')}`;
  await runStatement(url, `create database ${name} template ${template}`);
  return {
    url: databaseUrl(url, name),
    name,
    drop: async () => {
      await runStatement(url, `drop database if exists ${name} with (force)`);
    },
  };
}

/**
 * Gives the test file (or the `describe` it is called in) a database: there before its tests, dropped when all passed,
 * kept when one failed; the run names those at its end. Call it before other hooks are registered, so that they stop
 * using the database before it goes. `url` and `name` can be read once the tests run.
 */
export function useTestDatabase(): TestDatabase {
  let database: TestDatabase | undefined;
  const get = (): TestDatabase => {
    if (!database) throw new Error('The test database is there from the beforeAll hooks on, not earlier.');
    return database;
  };
  beforeAll(async () => {
    database = await createTestDatabase();
  });
  // Vitest wants to see a pattern in the first place.
  // eslint-disable-next-line no-empty-pattern
  afterAll(async ({}, suite) => {
    if (!hasFailed(suite)) await database?.drop();
  });
  return {
    get url() {
      return get().url;
    },
    get name() {
      return get().name;
    },
    drop: () => get().drop(),
  };
}

function hasFailed(task: Readonly<RunnerTask>): boolean {
  return task.result?.state === 'fail' || ('tasks' in task && task.tasks.some(hasFailed));
}
