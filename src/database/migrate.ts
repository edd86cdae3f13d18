import { createDataSource } from './data-source.js';

/** Any number that is ours alone: the lock under which replicas that start together migrate one after the other. */
const MIGRATION_LOCK = 7_266_863;

/** Brings the database to the newest migration and says how many were run. Safe to call from several processes. */
export async function runMigrations(url: string): Promise<number> {
  const dataSource = createDataSource({ url, poolSize: 2, entities: [], bounded: false });
  await dataSource.initialize();
  const lock = dataSource.createQueryRunner();
  try {
    await lock.query('select pg_advisory_lock($1)', [MIGRATION_LOCK]);
    return (await dataSource.runMigrations()).length;
  } finally {
    // The lock ends with its session, which ends here.
    await lock.release();
    await dataSource.destroy();
  }
}
