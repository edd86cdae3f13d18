import { DataSource, type MixedList } from 'typeorm';
import { Foundation1763700000000 } from '../../migrations/1763700000000-foundation.js';

export interface DataSourceSettings {
  url: string;
  poolSize: number;
  entities: MixedList<string | (new () => object)>;
}

/** Longest a statement may run, in milliseconds: a stuck one must not hold a connection of the pool for ever. */
const STATEMENT_TIMEOUT_MS = 30_000;

/**
 * Longest a transaction may wait for its client, in milliseconds: a process that is frozen in one holds locks that others
 * wait for, and Postgres must end it.
 */
const IDLE_IN_TRANSACTION_TIMEOUT_MS = 5_000;

/** The one place where the connection to Postgres is described, for the service and for the migrations alike. */
export function createDataSource({ url, poolSize, entities }: DataSourceSettings): DataSource {
  return new DataSource({
    type: 'postgres',
    url,
    poolSize,
    applicationName: 'convoke',
    entities: entities as never,
    migrations: [Foundation1763700000000],
    migrationsTableName: 'migrations',
    migrationsTransactionMode: 'each',
    synchronize: false,
    logging: false,
    connectTimeoutMS: 5000,
    invalidWhereValuesBehavior: { null: 'throw', undefined: 'throw' },
    extra: {
      statement_timeout: STATEMENT_TIMEOUT_MS,
      idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_TIMEOUT_MS,
      keepAlive: true,
    },
  });
}
