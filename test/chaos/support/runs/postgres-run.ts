import { setTimeout as pause } from 'node:timers/promises';
import { judge } from '../judging/judge.js';
import { Load } from '../load/load.js';
import type { OwnPostgres, StopSignal } from '../world/own-postgres.js';
import { Random } from '../world/random.js';
import { Recorder } from '../load/record.js';
import type { Replica } from '../world/replica.js';
import { reportOf, type Report } from '../judging/report.js';
import { untilSettled } from '../judging/settling.js';
import type { Settings } from '../world/settings.js';
import { World } from '../world/world.js';

export interface PostgresPlan {
  /** Times that Postgres is stopped. */
  stops: number;
  /** Stops between two judgements. */
  perRound: number;
}

const SIGNALS: StopSignal[] = ['SIGTERM', 'SIGINT', 'SIGKILL'];

/** How soon readiness must tell, in milliseconds. */
const TOLD_MS = 10_000;

/** Postgres goes away and comes back every few seconds; the service stays up, and says whether it is ready. */
export async function postgresRun(settings: Settings, plan: PostgresPlan): Promise<Report> {
  const world = await World.start(settings);
  try {
    const random = new Random(settings.seed);
    const recorder = new Recorder();
    const load = new Load(world, recorder, random.fork(1));
    const discrepancies: string[] = [];
    let stops = 0;
    let slowestMs = 0;
    while (stops < plan.stops && discrepancies.length === 0) {
      load.begin();
      for (let n = 0; n < plan.perRound && stops < plan.stops; n += 1) {
        await pause(random.between(500, 3000));
        const signal = SIGNALS[stops++ % SIGNALS.length]!;
        discrepancies.push(...(await stopAndStart(world, signal, random.between(200, 3000))));
      }
      await load.finish();
      const dead = world.replicas.filter((replica) => !isAlive(replica));
      discrepancies.push(...dead.map(({ name, output }) => `${name} has died: ${output().slice(-3000)}`));
      if (dead.length > 0) break;
      const settling = await untilSettled(world);
      slowestMs = Math.max(slowestMs, settling.slowestMs);
      discrepancies.push(...settling.discrepancies, ...(await judge(world, recorder)));
      world.tell(`${stops} stops: ${recorder.chats.length} chats, ${discrepancies.length} discrepancies`);
    }
    const facts = {
      'stops of Postgres': `${stops}, by ${SIGNALS.join(', ')} in turn`,
      chats: recorder.chats.length,
      'slowest wish after the last start': `${slowestMs} ms`,
    };
    return reportOf('postgres', settings, recorder, facts, discrepancies);
  } finally {
    await world.stop();
  }
}

async function stopAndStart(world: World, signal: StopSignal, awayMs: number): Promise<string[]> {
  const postgres = world.postgres as OwnPostgres;
  world.note(`Postgres gets ${signal}`);
  await postgres.hit(signal);
  const away = await Promise.all(world.replicas.map((replica) => untilReadiness(replica, 503)));
  await pause(awayMs);
  await postgres.startAgain();
  world.note('Postgres is there again');
  const back = await Promise.all(world.replicas.map((replica) => untilReadiness(replica, 200)));
  return [...away, ...back].flatMap((problem) => problem ?? []);
}

/** Null when `/readyz` answers that in time, what is wrong otherwise. */
async function untilReadiness(replica: Replica, status: number): Promise<string | null> {
  const until = Date.now() + TOLD_MS;
  let last = 'nothing';
  while (Date.now() < until) {
    const [ready, live] = await Promise.all(
      ['/readyz', '/livez'].map((path) =>
        fetch(replica.baseUrl + path, { signal: AbortSignal.timeout(5000) }).then(
          (response) => response.status,
          (error: unknown) => String(error),
        ),
      ),
    );
    if (ready === status && live === 200) return null;
    last = `/readyz ${ready}, /livez ${live}`;
    await pause(100);
  }
  return `${replica.name} answers ${last} where /readyz should be ${status}`;
}

function isAlive({ pid }: Replica): boolean {
  try {
    return pid !== null && process.kill(pid, 0);
  } catch {
    return false;
  }
}
