import { DataSource, type MixedList } from 'typeorm';
import { Foundation1763700000000 } from '../../migrations/1763700000000-foundation.js';
import { Raced1763800000000 } from '../../migrations/1763800000000-raced.js';
import { RolesAndNames1763800002000 } from '../../migrations/1763800002000-roles-and-names.js';
import { Standing1763800003000 } from '../../migrations/1763800003000-standing.js';
import { RareIdentities1763800004000 } from '../../migrations/1763800004000-rare-identities.js';
import { TokenSessions1763800005000 } from '../../migrations/1763800005000-token-sessions.js';
import { KeyRates1763800006000 } from '../../migrations/1763800006000-key-rates.js';
import { WishOrder1763800007000 } from '../../migrations/1763800007000-wish-order.js';
import { PlansOfNewDatabases1763800016000 } from '../../migrations/1763800016000-plans-of-new-databases.js';
import { DisplacedSessions1763800018000 } from '../../migrations/1763800018000-displaced-sessions.js';
import { DeletedIdentities1763800019000 } from '../../migrations/1763800019000-deleted-identities.js';
import { RoomForTheEnd1763800020000 } from '../../migrations/1763800020000-room-for-the-end.js';

/** In the order of their numbers, in which they run. */
const MIGRATIONS = [
  Foundation1763700000000,
  Raced1763800000000,
  RolesAndNames1763800002000,
  Standing1763800003000,
  RareIdentities1763800004000,
  TokenSessions1763800005000,
  KeyRates1763800006000,
  WishOrder1763800007000,
  PlansOfNewDatabases1763800016000,
  DisplacedSessions1763800018000,
  DeletedIdentities1763800019000,
  RoomForTheEnd1763800020000,
];

export interface DataSourceSettings {
  url: string;
  poolSize: number;
  entities: MixedList<string | (new () => object)>;
  /** False for migrations: they take as long as they take. */
  bounded?: boolean;
}

/**
 * Bounds, in milliseconds, so that nothing waits for ever and no frozen process holds the others up: of a statement; of
 * the wait for a lock (a frozen holder, or a caller with the same key); of a transaction whose client says nothing; and
 * of the wait for an answer, above that of a statement, where Postgres is gone without a word.
 */
const BOUNDS = {
  statement_timeout: 15_000,
  lock_timeout: 2_000,
  idle_in_transaction_session_timeout: 5_000,
  query_timeout: 20_000,
};

/** The one place where the connection to Postgres is described, for the service and for the migrations alike. */
export function createDataSource({
  url,
  poolSize,
  entities,
  bounded = true,
}: DataSourceSettings): DataSource {
  return new DataSource({
    type: 'postgres',
    url,
    poolSize,
    applicationName: 'convoke',
    entities: entities as never,
    migrations: MIGRATIONS,
    migrationsTableName: 'migrations',
    migrationsTransactionMode: 'each',
    synchronize: false,
    logging: false,
    connectTimeoutMS: 5000,
    invalidWhereValuesBehavior: { null: 'throw', undefined: 'throw' },
    extra: { ...(bounded ? BOUNDS : {}), keepAlive: true, keepAliveInitialDelayMillis: 10_000 },
  });
}
