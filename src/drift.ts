import 'reflect-metadata';
import { parseArgs } from 'node:util';
import { NestFactory } from '@nestjs/core';
import { pino } from 'pino';
import { AppModule } from './app.module.js';
import { ChatServicesService } from './chat-services/chat-services.service.js';
import { PageQuery } from './common/http/page.js';
import { loadConfig } from './config/app-config.js';
import { ConfigError } from './config/env.js';
import { DriftService } from './drift/drift.service.js';
import { DriftStopped, runDrift, type DriftRunOptions } from './drift/drift-run.js';
import { NestLogger } from './nest-logger.js';

const USAGE = `Usage: npm run drift -- [--repair [--readd] [--delete-orphans]] [--service <id> [--from <cursor>]]

Compares the rows of one chat service (our id or IS…), or of all, with what Twilio has.
Without --repair nothing is changed. Status: 0 no drift, or all repaired; 1 drift left; 2 it could not be told.
`;

/** Statuses of the process. */
const [NONE, LEFT, FAILED] = [0, 1, 2];

class UsageError extends Error {}

interface Arguments extends DriftRunOptions {
  service: string | null;
}

function argumentsOf(args: string[]): Arguments {
  try {
    const { values } = parseArgs({
      args,
      options: {
        repair: { type: 'boolean', default: false },
        readd: { type: 'boolean', default: false },
        'delete-orphans': { type: 'boolean', default: false },
        service: { type: 'string' },
        from: { type: 'string' },
      },
    });
    const { repair, readd, 'delete-orphans': deleteOrphans, service = null, from = null } = values;
    if ((readd || deleteOrphans) && !repair)
      throw new UsageError('--readd and --delete-orphans go with --repair.');
    if (from !== null && service === null) throw new UsageError('--from goes with --service.');
    return { repair, readd, deleteOrphans, service, from };
  } catch (error) {
    throw error instanceof UsageError ? error : new UsageError((error as Error).message);
  }
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** The chat services to be walked: the one that is named, or all that are known. */
async function servicesOf(services: ChatServicesService, named: string | null): Promise<string[]> {
  const found: string[] = [];
  for (let cursor: string | null | undefined; cursor !== null;) {
    const query: PageQuery = Object.assign(new PageQuery(), { limit: 100, ...(cursor && { cursor }) });
    const page = await services.list(query);
    const wanted = page.data.filter(
      ({ id, twilioSid }) => named === null || named === id || named === twilioSid,
    );
    found.push(...wanted.map(({ id }) => id));
    cursor = page.nextCursor;
  }
  if (found.length === 0 && named !== null) throw new UsageError(`There is no chat service ${named}.`);
  return found;
}

async function drift(options: Arguments): Promise<number> {
  const config = loadConfig();
  const stopping = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stopping.abort());
  // A process like any replica, but that it does not listen: what is repaired is driven, and its leases are kept.
  const app = await NestFactory.createApplicationContext(AppModule.with(config), {
    logger: new NestLogger(pino({ level: config.logLevel }, pino.destination(2))),
    abortOnError: false,
  });
  try {
    let left = 0;
    for (const id of await servicesOf(app.get(ChatServicesService), options.service)) {
      say(`Chat service ${id}:`);
      const totals = await runDrift(app.get(DriftService), id, options, say, stopping.signal);
      left += totals.left;
      say(`Compared: ${totals.checked}. Differences: ${totals.differing}, of them left: ${totals.left}.`);
      if (totals.inMotion > 0) say(`Skipped, as something is being done about them: ${totals.inMotion}.`);
    }
    say(left === 0 ? 'No drift is left.' : 'There is drift.');
    return left === 0 ? NONE : LEFT;
  } finally {
    await app.close();
  }
}

try {
  process.exitCode = await drift(argumentsOf(process.argv.slice(2)));
} catch (error) {
  process.exitCode = FAILED;
  if (error instanceof UsageError) process.stderr.write(`${error.message}\n${USAGE}`);
  else if (error instanceof DriftStopped)
    process.stderr.write(
      `It could not go on. ${error.message}${error.cursor === null ? '' : ` To go on from there: --from ${error.cursor}`}\n`,
    );
  else {
    const reason =
      error instanceof ConfigError ? error.message : error instanceof Error ? error.stack : String(error);
    process.stderr.write(`Drift could not be told. ${reason}\n`);
  }
}
