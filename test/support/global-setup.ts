import { randomBytes } from 'node:crypto';
import type { TestProject } from 'vitest/node';
import { runMigrations } from '../../src/database/migrate.js';
import { databaseUrl, openPostgresServer, runStatement } from './postgres-server.js';

/** Runs once before all test files: one Postgres for all, migrated once; each file gets a copy (`useTestDatabase`). */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server = await openPostgresServer();
  // Several runs may share the server of TEST_DATABASE_URL.
  const prefix = `convoke_test_${randomBytes(3).toString('hex')}_`;
  const template = `${prefix}template`;
  const leave = async () => {
    await runStatement(server.url, `drop database if exists ${template} with (force)`);
    await server.close(await databasesOf(server.url, prefix));
  };
  try {
    await runStatement(server.url, `create database ${template}`);
    await runMigrations(databaseUrl(server.url, template));
  } catch (error) {
    await leave();
    throw error;
  }
  project.provide('postgres', { url: server.url, template, prefix });
  return leave;
}

async function databasesOf(url: string, prefix: string): Promise<string[]> {
  const rows = await runStatement(url, 'select datname from pg_database where starts_with(datname, $1)', [
    prefix,
  ]);
  return (rows as { datname: string }[]).map(({ datname }) => datname);
}
