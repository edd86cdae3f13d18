import { setTimeout as pause } from 'node:timers/promises';
import { judge } from '../judging/judge.js';
import { Load } from '../load/load.js';
import { Random } from '../world/random.js';
import { Recorder } from '../load/record.js';
import { reportOf, type Report } from '../judging/report.js';
import { untilSettled } from '../judging/settling.js';
import type { Settings } from '../world/settings.js';
import { World, type NotedCall } from '../world/world.js';

export interface UpstreamPlan {
  rounds: number;
  /** Of each round, in seconds. */
  seconds: number;
}

/** Of all calls. */
const SHARE = 0.3;

/** Twilio fails at three calls in ten, in every way there is; half of these have been done when they fail. */
export async function upstreamRun(
  settings: Settings,
  plan: UpstreamPlan,
  databaseUrl?: string,
): Promise<Report> {
  const world = await World.start(settings, databaseUrl);
  try {
    const random = new Random(settings.seed);
    const recorder = new Recorder();
    const load = new Load(world, recorder, random.fork(1));
    const discrepancies: string[] = [];
    let slowestMs = 0;
    for (let round = 1; round <= plan.rounds && discrepancies.length === 0; round += 1) {
      await addFaults(world, random);
      load.begin();
      await pause(plan.seconds * 1000);
      await world.clearFaults();
      await load.finish();
      const settling = await untilSettled(world);
      slowestMs = Math.max(slowestMs, settling.slowestMs);
      discrepancies.push(...settling.discrepancies, ...(await judge(world, recorder)));
      world.tell(`round ${round}: ${recorder.chats.length} chats, ${discrepancies.length} discrepancies`);
    }
    const facts = {
      chats: recorder.chats.length,
      'calls to Twilio': await callsByFault(world),
      'slowest wish after the last fault': `${slowestMs} ms`,
    };
    return reportOf('upstream', settings, recorder, facts, discrepancies);
  } finally {
    await world.stop();
  }
}

/** The first fault that matches wins, each with a probability of its own: together they make up the share. */
async function addFaults(world: World, random: Random): Promise<void> {
  const { callTimeoutMs, leaseMs } = world.settings;
  const late = () => random.between(callTimeoutMs + 100, callTimeoutMs + leaseMs);
  const notDone = [
    { type: 'status', status: 429, retryAfterSeconds: 1 },
    { type: 'status', status: 503 },
    { type: 'status', status: 500 },
    { type: 'hang', applied: false },
    { type: 'reset-before' },
    { type: 'status', status: 429 },
  ];
  const answerLost = [
    { type: 'hang', applied: true },
    { type: 'reset-after' },
    { type: 'reset-before', applyAfterMs: random.between(20, leaseMs) },
    { type: 'delay', ms: late() },
    { type: 'delay', ms: late(), applied: 'before' },
    { type: 'reset-after' },
  ];
  const faults = notDone.flatMap((fault, n) => [fault, answerLost[n]!]);
  let left = 1;
  for (const fault of faults) {
    const share = SHARE / faults.length;
    await world.fault({ path: '^/v1/', probability: share / left }, fault);
    left -= share;
  }
}

async function callsByFault(world: World): Promise<string> {
  const { requests } = await world.control<{ requests: NotedCall[] }>('GET', '/sandbox/requests');
  const counts = new Map<string, number>();
  for (const { fault } of requests)
    counts.set(fault ?? 'no fault', (counts.get(fault ?? 'no fault') ?? 0) + 1);
  return [...counts].map(([what, n]) => `${what} × ${n}`).join(', ');
}
