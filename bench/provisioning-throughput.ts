import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { Pool } from 'undici';
import { SANDBOX_DEFAULTS } from '../src/sandbox/config.js';
import { startChild, TYPESCRIPT, untilSaid } from '../test/support/child.js';
import { startService, type Running } from '../test/support/processes.js';
import { cpuOf } from './support/cpu.js';
import { judge, machine, median } from './support/figures.js';
import { postgresCpu } from './support/postgres-cpu.js';
import { serviceVariables, startStack, type Stack } from './support/stack.js';
import { StatementCounter } from './support/statement-counter.js';

/**
 * How many chats a second (one agent, two customers, a greeting), fifty at once, on a sandbox without delay: Convoke,
 * whose chats survive a crash (fsync and synchronous_commit on), beside a plain Express handler, which keeps nothing.
 */
const AT_ONCE = 50;
const CHATS = 400;
const ROUNDS = 7;
/** Until V8 compiles next to nothing more: then rates rise no further. */
const WARM_ROUNDS = 10;
const STATEMENTS_MAX = 6;

interface Side {
  name: string;
  pid: number;
  send: () => Promise<void>;
}

async function post(
  pool: Pool,
  path: string,
  body: object,
  headers: Record<string, string> = {},
): Promise<void> {
  const response = await pool.request({
    path,
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
  const text = await response.body.text();
  if (response.statusCode !== 201) throw new Error(`${path}: ${response.statusCode} ${text}`);
}

function convoke(service: Running, apiKey: string): Side {
  const pool = new Pool(service.baseUrl, { connections: AT_ONCE });
  const headers = { authorization: `Bearer ${apiKey}` };
  const send = () => {
    const participants = ['agent', 'customer', 'customer'].map((kind) => ({
      kind,
      externalId: randomUUID(),
    }));
    const systemMessage = { body: 'Ada will be with you shortly.' };
    return post(
      pool,
      '/v1/conversations',
      { externalRef: randomUUID(), participants, systemMessage },
      headers,
    );
  };
  return { name: 'convoke', pid: service.pid, send };
}

async function plainHandler({ sandboxUrl }: Stack): Promise<Side & { stop(): Promise<unknown> }> {
  const { accountSid, apiKeySid, apiKeySecret } = SANDBOX_DEFAULTS;
  const script = ['bench/support/plain-handler.ts', sandboxUrl, accountSid, apiKeySid, apiKeySecret];
  const child = startChild([...TYPESCRIPT, ...script]);
  const [, url = ''] = await untilSaid(child, /listening on (http:\S+)/);
  const pool = new Pool(url, { connections: AT_ONCE });
  const send = () =>
    post(pool, '/chats', {
      participants: [randomUUID(), randomUUID(), randomUUID()],
      body: 'Ada will be with you shortly.',
    });
  const stop = () => {
    child.process.kill('SIGTERM');
    return child.ended;
  };
  return { name: 'plain handler', pid: child.process.pid ?? -1, send, stop };
}

/** Sends `chats`, fifty at once; answers how many went a second. */
async function load({ send }: Side, chats: number): Promise<number> {
  const start = performance.now();
  let left = chats;
  const worker = async () => {
    while (left-- > 0) await send();
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return (chats * 1000) / (performance.now() - start);
}

async function analyze(postgresUrl: string): Promise<void> {
  const client = new pg.Client(postgresUrl);
  await client.connect();
  await client.query('analyze');
  await client.end();
}

/** Counted in a service of its own, since what stands between and counts would cost the other one time. */
async function statementsEach({ postgresUrl, sandboxUrl, apiKey }: Stack): Promise<number> {
  const counter = new StatementCounter();
  const url = await counter.before(postgresUrl);
  const service = await startService(serviceVariables(url, sandboxUrl, apiKey));
  try {
    const side = convoke(service, apiKey);
    await load(side, CHATS);
    const before = counter.count;
    await load(side, CHATS);
    return (counter.count - before) / CHATS;
  } finally {
    await service.end();
    counter.stop();
  }
}

async function compare(stack: Stack, sides: Side[]): Promise<void> {
  // Both sides compiled, and the tables as they are a minute after the first rows, when autovacuum has read them.
  for (const side of sides) for (let round = 0; round < WARM_ROUNDS; round += 1) await load(side, CHATS);
  await analyze(stack.postgresUrl);
  const rates = new Map<string, number[]>(sides.map(({ name }) => [name, []]));
  const cpu = new Map<string, number>(sides.map(({ name }) => [name, 0]));
  let postgres = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const side of sides) {
      const before = {
        own: cpuOf(side.pid),
        postgres: await postgresCpu(stack.postgresUrl),
      };
      rates.get(side.name)?.push(await load(side, CHATS));
      cpu.set(side.name, (cpu.get(side.name) ?? 0) + cpuOf(side.pid) - before.own);
      if (side.name !== 'convoke') continue;
      postgres += (await postgresCpu(stack.postgresUrl)) - before.postgres;
    }
  }
  const chats = ROUNDS * CHATS;
  console.log(`${machine()}; ${AT_ONCE} at once, ${ROUNDS} alternating rounds of ${CHATS} chats:`);
  for (const { name } of sides) {
    const values = rates.get(name) ?? [];
    const each = ((cpu.get(name) ?? 0) / chats).toFixed(2);
    console.log(
      `  ${name.padEnd(14)} ${median(values).toFixed(0)} chats/s (${values.map((rate) => rate.toFixed(0)).join(', ')}), ${each} ms CPU a chat`,
    );
  }
  console.log(`  Postgres       ${(postgres / chats).toFixed(2)} ms CPU a chat`);
  const [ours = 0, plain = 0] = sides.map(({ name }) => median(rates.get(name) ?? []));
  const each = await statementsEach(stack);
  judge([
    [`more chats a second than the plain handler: ${(ours / plain).toFixed(2)} times`, ours > plain],
    // Sweeps and the lookups of who waits run beside, about one a second each.
    [
      `${each.toFixed(2)} SQL statements a provision, at most ${STATEMENTS_MAX}`,
      each <= STATEMENTS_MAX + 0.1,
    ],
  ]);
}

const stack = await startStack({ env: { LOG_LEVEL: 'info' } });
const plain = await plainHandler(stack);
try {
  await compare(stack, [convoke(stack.service, stack.apiKey), plain]);
} finally {
  await plain.stop();
  await stack.stop();
}
