/** Starts the Postgres of a test run whose databases were kept, prints where it is, and stays up: see its argument. */
import { startEmbeddedPostgres } from '../../src/database/embedded-postgres.js';

const dataDir = process.argv[2];
if (!dataDir) {
  process.stderr.write('Usage: npx tsx test/support/open-kept.ts <folder that the test run named>\n');
  process.exit(1);
}
const server = await startEmbeddedPostgres({ dataDir });
process.stdout.write(
  `${server.url}\nReplace "postgres" at its end by the database's name. Ctrl-C stops it; then remove ${dataDir}.\n`,
);
const stayUp = setInterval(() => undefined, 60_000);
process.once('SIGINT', () => {
  clearInterval(stayUp);
  void server.stop();
});
