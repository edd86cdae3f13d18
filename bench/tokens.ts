import pg from 'pg';
import { Pool, type Dispatcher } from 'undici';
import { SANDBOX_DEFAULTS } from '../src/sandbox/config.js';
import { startChild, TYPESCRIPT, untilSaid } from '../test/support/child.js';
import { cpuOf } from './support/cpu.js';
import { judge, machine, median } from './support/figures.js';
import { postgresCpu } from './support/postgres-cpu.js';
import { startStack, type Stack } from './support/stack.js';

/**
 * What a token costs: `POST /v1/tokens` with its key check, validation, look-up in Postgres and default log, beside the
 * Express server of Twilio's own tutorial, which has none of it, and beside node:http with a token made by hand, the
 * limit. CPU of the server's process, in alternating rounds.
 */
const AT_ONCE = 50;
const ROUNDS = 7;
const PEOPLE = 10_000;
/** Of the tutorial's CPU, at most. */
const SHARE_MAX = 1 / 5;

interface Side {
  name: string;
  pid: number;
  /** Requests a round: enough for Linux to count their CPU, which it does in hundredths of a second. */
  requests: number;
  send: (person: string) => Promise<void>;
}

async function expectStatus(pool: Pool, expected: number, request: Dispatcher.RequestOptions): Promise<void> {
  const response = await pool.request(request);
  const text = await response.body.text();
  if (response.statusCode !== expected) throw new Error(`${request.path}: ${response.statusCode} ${text}`);
}

function convoke(
  { serviceUrl, apiKey, service }: Stack,
  name: string,
  requests: number,
  more: object = {},
): Side {
  const pool = new Pool(serviceUrl, { connections: AT_ONCE });
  const headers = { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' };
  const send = (externalId: string) => {
    const body = JSON.stringify({ externalId, ...more });
    return expectStatus(pool, 201, { path: '/v1/tokens', method: 'POST', headers, body });
  };
  return { name, pid: service.pid, requests, send };
}

async function plain(name: string, script: string, requests: number): Promise<Side & { stop(): void }> {
  const { accountSid, apiKeySid, apiKeySecret, chatServiceSid } = SANDBOX_DEFAULTS;
  const command = [...TYPESCRIPT, script, accountSid, apiKeySid, apiKeySecret, chatServiceSid];
  const child = startChild(command, { env: { ...process.env, NODE_ENV: 'production' } });
  const [, url = ''] = await untilSaid(child, /listening on (http:\S+)/);
  const pool = new Pool(url, { connections: AT_ONCE });
  const send = (person: string) =>
    expectStatus(pool, 200, { path: `/token?identity=${person}`, method: 'GET' });
  const stop = () => void child.process.kill('SIGTERM');
  return { name, pid: child.process.pid ?? -1, requests, send, stop };
}

/** Ten thousand people, of whom each request names another. */
async function makePeople(url: string): Promise<void> {
  const client = new pg.Client(url);
  await client.connect();
  await client.query(
    `insert into identities (id, service_id, kind, external_id, display_name, twilio_identity)
    select gen_random_uuid(), (select id from chat_services), 'customer', 'user-' || n, 'User ' || n, 'cvk_' || n
    from generate_series(0, $1::int - 1) as n`,
    [PEOPLE],
  );
  await client.query('analyze identities');
  await client.end();
}

interface Figures {
  /** Requests a second, and CPU a request in microseconds, of each round. */
  rates: number[];
  cpu: number[];
}

async function round({ pid, requests, send }: Side, figures: Figures): Promise<void> {
  const [start, before] = [performance.now(), cpuOf(pid)];
  let left = requests;
  const worker = async () => {
    while (left-- > 0) await send(`user-${(left * 7919) % PEOPLE}`);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  figures.rates.push((requests * 1000) / (performance.now() - start));
  figures.cpu.push(((cpuOf(pid) - before) * 1000) / requests);
}

async function compare(stack: Stack, sides: Side[]): Promise<void> {
  const all = new Map(sides.map((side) => [side, { rates: [], cpu: [] }]));
  for (const side of sides) await round(side, { rates: [], cpu: [] });
  let postgres = 0;
  for (let count = 0; count < ROUNDS; count += 1) {
    for (const [side, figures] of all) {
      const before = await postgresCpu(stack.postgresUrl);
      await round(side, figures);
      if (side === sides[0]) postgres += (await postgresCpu(stack.postgresUrl)) - before;
    }
  }
  console.log(`${machine()}; ${AT_ONCE} at once, ${ROUNDS} alternating rounds, medians:`);
  for (const [{ name }, { rates, cpu }] of all) {
    const [least, most] = [Math.min(...cpu), Math.max(...cpu)];
    const spread = `${least.toFixed(0)} to ${most.toFixed(0)}`;
    console.log(
      `  ${name.padEnd(30)} ${median(rates).toFixed(0).padStart(6)} tokens/s, ${median(cpu).toFixed(0)} µs CPU a token (${spread})`,
    );
  }
  const each = (postgres * 1000) / (ROUNDS * (sides[0]?.requests ?? 1));
  console.log(`  Postgres, for Convoke's        ${each.toFixed(0)} µs CPU a token`);
  const [ours = 0, , tutorial = 0, limit = 0] = [...all.values()].map(({ cpu }) => median(cpu));
  console.log(`  ${(ours / limit).toFixed(1)} times the limit`);
  judge([
    [
      `${(ours / tutorial).toFixed(3)} of the tutorial's CPU a token, at most ${SHARE_MAX}`,
      ours <= tutorial * SHARE_MAX,
    ],
  ]);
}

const stack = await startStack({ env: { NODE_ENV: 'production', ALLOW_SANDBOX: 'true' } });
await makePeople(stack.postgresUrl);
const tutorial = await plain("Twilio's tutorial, Express", 'bench/support/tutorial-tokens.ts', 1500);
const bare = await plain('node:http, by hand', 'bench/support/bare-tokens.ts', 12_000);
try {
  await compare(stack, [
    convoke(stack, 'Convoke', 6000),
    convoke(stack, 'Convoke, with a session', 2000, { session: {} }),
    tutorial,
    bare,
  ]);
} finally {
  tutorial.stop();
  bare.stop();
  await stack.stop();
}
