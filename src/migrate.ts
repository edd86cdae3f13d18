import { loadMigrateConfig } from './config/app-config.js';
import { ConfigError } from './config/env.js';
import { runMigrations } from './database/migrate.js';

try {
  const count = await runMigrations(loadMigrateConfig().databaseUrl);
  process.stdout.write(count === 0 ? 'The database is up to date.\n' : `Ran ${count} migration(s).\n`);
} catch (error) {
  const reason =
    error instanceof ConfigError ? error.message : error instanceof Error ? error.stack : String(error);
  process.stderr.write(`The migrations could not be run. ${reason}\n`);
  process.exitCode = 1;
}
