import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startChild, untilSaid, type Child } from '../test/support/child.js';
import { cpuOf } from './support/cpu.js';
import { judge, machine, median, ms, timed } from './support/figures.js';
import { serviceVariables, startStack } from './support/stack.js';

/**
 * What a start costs: CPU of the service from its first instruction until it listens, beside an application that is
 * nothing but Nest, Fastify and TypeORM, turn about in one run. And how long `npm run quickstart` takes to its sample
 * chat, where everything is installed.
 */
const ROUNDS = 9;
const BOUND = 2;

/** CPU and time until it says that it listens, in milliseconds. */
async function start(
  command: string[],
  env: Record<string, string>,
  ready: RegExp,
): Promise<[number, number]> {
  let child: Child | undefined;
  const wall = await timed(async () => {
    child = startChild([process.execPath, ...command], { env: { PATH: process.env['PATH'], ...env } });
    await untilSaid(child, ready);
  });
  if (!child) throw new Error('Nothing was started.');
  const cpu = cpuOf(child.process.pid ?? -1);
  child.process.kill('SIGKILL');
  await child.ended;
  return [cpu, wall];
}

async function quickstart(dataDir: string): Promise<number> {
  const env = { ...process.env, DATA_DIR: dataDir, PORT: '0', SANDBOX_PORT: '0' };
  return timed(async () => {
    const child = startChild(['npm', 'run', 'quickstart', '--', '--once'], { env });
    const status = await child.ended;
    if (status !== 0) throw new Error(`quickstart ended with ${status}:\n${child.output()}`);
  });
}

const stack = await startStack();
const folder = await mkdtemp(join(tmpdir(), 'convoke-bench-'));
try {
  const env = serviceVariables(stack.postgresUrl, stack.sandboxUrl, stack.apiKey);
  const sides = {
    service: () => start(['dist/src/main.js'], env, /Server listening at/),
    bare: () =>
      start(
        ['bench/support/bare-app.mjs'],
        { DATABASE_URL: stack.postgresUrl },
        /bare application listening/,
      ),
  };
  const seen: Record<keyof typeof sides, [number, number][]> = { service: [], bare: [] };
  // The first round is for the disk.
  for (let round = -1; round < ROUNDS; round += 1) {
    for (const name of ['service', 'bare'] as const) {
      const figures = await sides[name]();
      if (round >= 0) seen[name].push(figures);
    }
  }
  console.log(`${machine()}; ${ROUNDS} alternating rounds, medians:`);
  const cpu = { service: 0, bare: 0 };
  for (const name of ['service', 'bare'] as const) {
    cpu[name] = median(seen[name].map(([used]) => used));
    console.log(
      `  ${name.padEnd(10)} CPU ${ms(cpu[name])}, time ${ms(median(seen[name].map(([, wall]) => wall)))}`,
    );
  }
  const dataDir = join(folder, 'quickstart');
  console.log(
    `  quickstart to its sample chat, and its end: ${ms(await quickstart(dataDir))} with a new Postgres`,
  );
  console.log(`  the same again: ${ms(await quickstart(dataDir))}`);
  const ratio = cpu.service / cpu.bare;
  judge([[`${ratio.toFixed(2)} × the CPU of the bare application, at most ${BOUND}`, ratio <= BOUND]]);
} finally {
  await stack.stop();
  await rm(folder, { recursive: true, force: true });
}
