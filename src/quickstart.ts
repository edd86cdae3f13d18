import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import {
  loadQuickstartConfig,
  serviceConfig,
  type QuickstartConfig,
  type Supplied,
} from './config/quickstart-config.js';
import { createApp } from './configure-app.js';
import { startEmbeddedPostgres } from './database/embedded-postgres.js';
import { runMigrations } from './database/migrate.js';
import { banner } from './quickstart/banner.js';
import { claimDataFolder, ownApiKey, writeResult } from './quickstart/data-folder.js';
import { endWithStarter } from './quickstart/starter.js';
import { provisionSampleChat } from './quickstart/sample-chat.js';
import { configFromEnvironment } from './sandbox/config.js';
import { startSandbox } from './sandbox/server.js';

interface Part {
  stop(): Promise<void> | void;
}

/** What must be stopped, in the order it was started. */
const started: Part[] = [];
let ending: Promise<never> | undefined;

/** Stops everything, the last first, and ends the process. Whoever asks second waits for the first. */
function end(status: number): Promise<never> {
  return (ending ??= (async () => {
    for (let part = started.pop(); part; part = started.pop()) {
      await stopPart(part);
    }
    process.exit(status);
  })());
}

/** One part that does not stop well must not keep the others up. */
async function stopPart(part: Part): Promise<void> {
  try {
    await part.stop();
  } catch (error) {
    process.stderr.write(`While stopping: ${messageOf(error)}\n`);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

async function startPostgres({ dataDir, shownDataDir, databaseUrl }: QuickstartConfig) {
  if (databaseUrl !== null) {
    say('Using the PostgreSQL that DATABASE_URL names ...');
    return { url: databaseUrl, shown: 'the one of DATABASE_URL' };
  }
  say(`Starting PostgreSQL, its data in ${join(shownDataDir, 'postgres')} ...`);
  const server = await startEmbeddedPostgres({ dataDir: join(dataDir, 'postgres') });
  started.push(server);
  return { url: server.url, shown: `127.0.0.1:${server.port}, embedded` };
}

async function startTwilio({ dataDir }: QuickstartConfig): Promise<Supplied['sandbox']> {
  say('Starting the Twilio sandbox ...');
  const config = configFromEnvironment();
  const sandbox = await startSandbox({
    ...config,
    dataDir: config.dataDir ?? join(dataDir, 'sandbox'),
  }).catch((error: unknown) => explainPort(error, 'SANDBOX_PORT'));
  started.push(sandbox);
  const { accountSid, authToken, apiKeySid, apiKeySecret, chatServiceSid } = sandbox.config;
  return { baseUrl: sandbox.baseUrl, accountSid, authToken, apiKeySid, apiKeySecret, chatServiceSid };
}

async function startService(supplied: Supplied): Promise<string> {
  const config = serviceConfig(supplied);
  const migrations = await runMigrations(supplied.databaseUrl).catch((error: Error) => {
    throw new Error(`The database cannot be used: ${error.message}`);
  });
  if (migrations > 0) say(`Migrations run: ${migrations}.`);
  say('Starting the service ...');
  const app = await createApp(config);
  started.push({ stop: () => app.close() });
  await app.listen(config.http.port, config.http.host).catch((error: unknown) => explainPort(error, 'PORT'));
  const { address, port } = app.getHttpServer().address() as AddressInfo;
  return `http://${reachable(address)}:${port}`;
}

/** An address to listen on is not always one to call. */
function reachable(address: string): string {
  if (address === '0.0.0.0') return '127.0.0.1';
  if (address === '::') return '[::1]';
  return address.includes(':') ? `[${address}]` : address;
}

function explainPort(error: unknown, variable: string): never {
  const { code, port, address } = error as NodeJS.ErrnoException & { port?: number; address?: string };
  if (code !== 'EADDRINUSE') throw error;
  throw new Error(
    `Port ${port} of ${address} is in use. Stop what uses it, or choose another; ${variable}=0 picks a free one.`,
  );
}

async function quickstart(): Promise<void> {
  const config = loadQuickstartConfig();
  const lock = await claimDataFolder(config.dataDir);
  started.push({ stop: () => lock.release() });
  const sandbox = await startTwilio(config);
  const postgres = await startPostgres(config);
  const apiKey = config.bootstrapApiKey ?? (await ownApiKey(config.dataDir));
  const baseUrl = await startService({ databaseUrl: postgres.url, apiKey, sandbox });
  const chat = await provisionSampleChat(baseUrl, apiKey);
  const docsUrl = `${baseUrl}/docs`;
  await writeResult(config.dataDir, {
    baseUrl,
    docsUrl,
    apiKey,
    databaseUrl: postgres.url,
    sandbox,
    conversation: chat,
  });
  const resultFile = join(config.shownDataDir, 'quickstart.json');
  say(
    banner({
      baseUrl,
      docsUrl,
      sandboxUrl: sandbox.baseUrl,
      apiKey,
      postgres: postgres.shown,
      resultFile,
      chat,
    }),
  );
}

async function main(args: string[]): Promise<void> {
  const unknown = args.find((argument) => argument !== '--once');
  if (unknown !== undefined)
    throw new Error(`${unknown} is not known here; --once stops after the sample chat.`);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void end(0));
  if (loadQuickstartConfig().startedByNpm) endWithStarter(() => void end(1));
  await quickstart();
  const once = args.includes('--once');
  say(once ? 'Stopping, as --once asks.' : 'Ctrl-C stops it.');
  if (once) await end(0);
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  // Parts that are being stopped fail, and are not to be reported.
  if (!ending) process.stderr.write(`Convoke did not start. ${messageOf(error)}\n`);
  await end(1);
}
