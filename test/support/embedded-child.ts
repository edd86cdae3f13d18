/**
 * A process with an embedded Postgres, for tests that kill it. Prints the server's address when it is up. On SIGINT it
 * asks the server once more, as a service that drains does, prints the answer, stops it and ends.
 */
import { startEmbeddedPostgres } from '../../src/database/embedded-postgres.js';
import { runStatement } from './postgres-server.js';

const stayUp = setInterval(() => undefined, 60_000);
const server = await startEmbeddedPostgres({
  dataDir: process.argv[2] ?? '',
  settings: { fsync: 'off' },
});
process.once('SIGINT', () => {
  void (async () => {
    const rows = await runStatement(server.url, `select 'drained' as word`);
    await server.stop();
    clearInterval(stayUp);
    process.stdout.write(`${(rows[0] as { word: string }).word}\n`);
  })();
});
process.stdout.write(`${server.url}\n`);
