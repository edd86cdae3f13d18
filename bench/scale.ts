import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { Pool } from 'undici';
import { removeEmbeddedPostgres, startEmbeddedPostgres } from '../src/database/embedded-postgres.js';
import { runMigrations } from '../src/database/migrate.js';
import { startSandboxProcess, startService, type Running } from '../test/support/processes.js';
import { CleanUp } from './support/clean-up.js';
import { judge, machine, median, ms, percentile } from './support/figures.js';
import { PLAN_SETTINGS, Plans, type RanStatement } from './support/plans.js';
import { CHATS_PER_AGENT, fill } from './support/rows.js';
import { serviceVariables } from './support/stack.js';

/**
 * What is asked most, of a service with a million identities and as many conversations, beside one with a thousand: how
 * long it takes over HTTP, turn about in one run, and which pages of Postgres it touches, by the plans of the very
 * statements that the services run. Everything else that reads whole tables must do so by an index.
 */
const SIZES = { small: 1000, large: Number(process.argv[2] ?? 1_000_000) };
const SAMPLES = 300;
const PLANNED = 5;
const BOUND = 2;

type Size = keyof typeof SIZES;

interface Side {
  size: Size;
  count: number;
  service: Running;
  pool: Pool;
}

interface Call {
  method: 'GET' | 'POST';
  path: string;
  body?: object;
}

const anyOf = (count: number): number => 1 + Math.floor(Math.random() * count);
const agentOf = (count: number): number =>
  CHATS_PER_AGENT * (1 + Math.floor(Math.random() * (count / CHATS_PER_AGENT)));

/** Held to the bound. */
const BOUNDED: Record<string, (count: number) => Call> = {
  'get by externalRef': (count) => get(`/v1/conversations?externalRef=case-${anyOf(count)}`),
  'list by participant': (count) => get(`/v1/conversations?externalId=person-${agentOf(count)}`),
  'list of one who is in all': () => get('/v1/conversations?externalId=person-1'),
  mint: (count) => ({
    method: 'POST',
    path: '/v1/tokens',
    body: { externalId: `person-${anyOf(count)}` },
  }),
};

/** Only to be answered by an index. The last pages are asked for by a cursor, which is an id. */
const INDEXED: Record<string, (count: number) => Call> = {
  'conversations, first page': () => get('/v1/conversations'),
  'conversations, far back': () => get(`/v1/conversations?cursor=${cursorBehind(10)}`),
  'conversations that are active': () => get('/v1/conversations?state=active&limit=100'),
  'conversations that failed': () => get('/v1/conversations?state=failed'),
  'conversations before a time': () => get('/v1/conversations?createdBefore=2023-11-14T22:20:00Z'),
  'identities, first page': () => get('/v1/identities'),
  'identities by kind': () => get('/v1/identities?kind=agent'),
  'identities of a rare kind': () => get('/v1/identities?kind=bot'),
  'identities that are suspended': () => get('/v1/identities?status=suspended'),
  'identity by externalId': (count) => get(`/v1/identities?externalId=person-${anyOf(count)}`),
  'what is behind': () => get('/v1/reconciliation'),
};

const TABLES = ['identities', 'conversations', 'participants', 'messages', 'wishes'];

function get(path: string): Call {
  return { method: 'GET', path };
}

function cursorBehind(n: number): string {
  const at = 1_700_000_000_000 + n * 1000;
  const hex = at.toString(16).padStart(12, '0');
  const id = `${hex.slice(0, 8)}-${hex.slice(8)}-7fff-8000-000000000000`;
  return Buffer.from(id, 'latin1').toString('base64url');
}

const apiKey = `cvk_bench_${randomBytes(32).toString('base64url')}`;

async function ask({ pool }: Side, { method, path, body }: Call): Promise<void> {
  const response = await pool.request({
    method,
    path,
    headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' },
    ...(body && { body: JSON.stringify(body) }),
  });
  const text = await response.body.text();
  if (response.statusCode >= 300) throw new Error(`${method} ${path}: ${response.statusCode} ${text}`);
}

/** Milliseconds of each request, by size; the sides take turns. */
async function time(sides: Side[], call: (count: number) => Call): Promise<Record<Size, number[]>> {
  const times: Record<Size, number[]> = { small: [], large: [] };
  for (let sample = -50; sample < SAMPLES; sample += 1) {
    for (const side of sides) {
      const asked = call(side.count);
      const start = performance.now();
      await ask(side, asked);
      if (sample >= 0) times[side.size].push(performance.now() - start);
    }
  }
  return times;
}

interface Planned {
  /** Pages touched by one request, the median of some. */
  buffers: Record<Size, number>;
  /** Tables that the large side read from end to end. */
  scanned: string[];
  indexes: string[];
}

const isSweep = ({ text }: RanStatement): boolean =>
  /skip locked|pg_notify|reload_conf|from wishes where settled_at/.test(text);

async function plan(plans: Plans, sides: Side[], call: (count: number) => Call): Promise<Planned> {
  const found: RanStatement[] = [];
  const buffers: Record<Size, number[]> = { small: [], large: [] };
  for (let sample = 0; sample < PLANNED; sample += 1) {
    const statements = await plans.during(async () => {
      for (const side of sides) await ask(side, call(side.count));
    });
    const asked = statements.filter(
      (one) => !isSweep(one) && TABLES.some((table) => one.text.includes(table)),
    );
    for (const { size } of sides) {
      const ran = asked.filter(({ database }) => database === size);
      if (ran.length === 0) throw new Error(`No plan was noted of ${call(1).path}`);
      buffers[size].push(ran.reduce((sum, one) => sum + one.buffers, 0));
    }
    found.push(...asked.filter(({ database }) => database === 'large'));
  }
  return {
    buffers: { small: median(buffers.small), large: median(buffers.large) },
    ...usedBy(found),
  };
}

function usedBy(statements: RanStatement[]): Pick<Planned, 'scanned' | 'indexes'> {
  const scanned = statements.flatMap((one) => one.scanned).filter((table) => TABLES.includes(table));
  return {
    scanned: [...new Set(scanned)],
    indexes: [...new Set(statements.flatMap((one) => one.indexes))].sort(),
  };
}

/** The statements of the sweep, as they come by themselves within some seconds. */
async function planSweep(plans: Plans): Promise<Planned> {
  const statements = await plans.during(() => new Promise((resolve) => setTimeout(resolve, 3000)));
  const claims = statements.filter(
    ({ text }) => text.includes('skip locked') && /conversations|identities/.test(text),
  );
  if (claims.length === 0) throw new Error('No sweep was noted.');
  const of = (size: Size): number =>
    Math.max(...claims.filter(({ database }) => database === size).map((one) => one.buffers));
  return {
    buffers: { small: of('small'), large: of('large') },
    ...usedBy(claims.filter(({ database }) => database === 'large')),
  };
}

function show(name: string, { buffers, scanned, indexes }: Planned): [string, boolean][] {
  console.log(`  ${name.padEnd(30)} pages ${buffers.small} → ${buffers.large}; ${indexes.join(', ')}`);
  return [
    [
      `${name}: by indexes alone${scanned.length ? `, not all of ${scanned.join(', ')}` : ''}`,
      scanned.length === 0,
    ],
  ];
}

async function compare(plans: Plans, sides: Side[]): Promise<void> {
  console.log(
    `${machine()}; ${SIZES.small} rows → ${SIZES.large} rows, ${SAMPLES} requests each, turn about:`,
  );
  const bounds: [string, boolean][] = [];
  for (const [name, call] of Object.entries(BOUNDED)) {
    const { small, large } = await time(sides, call);
    const planned = await plan(plans, sides, call);
    console.log(
      `  ${name.padEnd(30)} median ${ms(median(small))} → ${ms(median(large))}, p99 ${ms(percentile(small, 99))} → ${ms(percentile(large, 99))}`,
    );
    bounds.push(
      ...show('', planned).map(([, holds]): [string, boolean] => [`${name}: by indexes alone`, holds]),
    );
    const times = median(large) / median(small);
    const pages = planned.buffers.large / planned.buffers.small;
    bounds.push([`${name}: ${times.toFixed(2)} × the time, at most ${BOUND}`, times <= BOUND]);
    bounds.push([`${name}: ${pages.toFixed(2)} × the pages, at most ${BOUND}`, pages <= BOUND]);
  }
  for (const [name, call] of Object.entries(INDEXED))
    bounds.push(...show(name, await plan(plans, sides, call)));
  bounds.push(...show('sweep', await planSweep(plans)));
  judge(bounds);
}

const cleanUp = new CleanUp();
try {
  const folder = await mkdtemp(join(tmpdir(), 'convoke-bench-'));
  cleanUp.later(() => rm(folder, { recursive: true, force: true }));
  const dataDir = join(folder, 'postgres');
  cleanUp.later(() => removeEmbeddedPostgres(dataDir));
  const postgres = await startEmbeddedPostgres({ dataDir, settings: { ...PLAN_SETTINGS, fsync: 'off' } });
  cleanUp.later(() => postgres.stop());
  const sandbox = await startSandboxProcess({ SANDBOX_PORT: '0' });
  cleanUp.later(() => sandbox.end());
  const sides: Side[] = [];
  for (const [size, count] of Object.entries(SIZES) as [Size, number][])
    sides.push(await makeSide(size, count, postgres.url, sandbox.baseUrl));
  await compare(new Plans(postgres.url, join(dataDir, 'postgres.log')), sides);
} finally {
  await cleanUp.run();
}

async function makeSide(size: Size, count: number, postgresUrl: string, sandboxUrl: string): Promise<Side> {
  const url = await makeDatabase(postgresUrl, size);
  const service = await startService(serviceVariables(url, sandboxUrl, apiKey));
  cleanUp.later(() => service.end());
  const pool = new Pool(service.baseUrl, { connections: 1 });
  cleanUp.later(() => pool.close());
  const start = performance.now();
  await fill(url, count);
  console.log(`${count} identities and conversations made in ${ms(performance.now() - start)}`);
  return { size, count, service, pool };
}

async function makeDatabase(postgresUrl: string, name: string): Promise<string> {
  const client = new pg.Client(postgresUrl);
  await client.connect();
  await client.query(`create database ${name}`);
  await client.end();
  const url = new URL(postgresUrl);
  url.pathname = `/${name}`;
  await runMigrations(url.toString());
  return url.toString();
}
