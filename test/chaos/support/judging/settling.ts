import { setTimeout as pause } from 'node:timers/promises';
import type { NotedCall, World } from '../world/world.js';

interface WishTimes {
  id: string;
  kind: string;
  aggregate_id: string;
  /** `CH…` of a conversation that has one. */
  sid: string | null;
  created: string;
  settled: string | null;
}

export interface Settling {
  wishes: number;
  /** Longest time from the last thing that touched a wish to its end, in milliseconds. */
  slowestMs: number;
  discrepancies: string[];
}

const POLL_MS = 250;

/**
 * Waits until every wish has been settled and what is to be looked at once more has been looked at. What is still open
 * when the bound is over is a discrepancy; so is a wish that took longer than the bound after the last thing before its
 * end that may have touched it.
 */
export async function untilSettled(world: World): Promise<Settling> {
  const { boundMs, leaseMs, callTimeoutMs } = world.settings;
  const from = lastDisturbance(world, Date.now()) ?? Date.now();
  const deadline = Math.max(from, Date.now() - 1000) + boundMs;
  const discrepancies: string[] = [];
  while (Date.now() < deadline && (await openWishes(world)) > 0) await pause(POLL_MS);
  const wishes = await world.sql<WishTimes>(
    `select w.id, w.kind, w.aggregate_id, c.twilio_sid as sid, extract(epoch from w.created_at) * 1000 as created,
      extract(epoch from w.settled_at) * 1000 as settled
    from wishes w left join conversations c on c.id = w.aggregate_id`,
  );
  const { requests } = await world.control<{ requests: NotedCall[] }>('GET', '/sandbox/requests');
  const faulty = requests.filter(({ fault }) => fault !== null);
  let slowestMs = 0;
  for (const wish of wishes) {
    const name = `wish ${wish.id} (${wish.kind} of ${wish.aggregate_id})`;
    if (wish.settled === null) {
      discrepancies.push(`${name} is not settled ${boundMs} ms after the last disturbance`);
      continue;
    }
    const settled = Number(wish.settled);
    const from = Math.max(Number(wish.created), lastDisturbance(world, settled) ?? 0);
    let tookMs = settled - from;
    if (tookMs > boundMs) tookMs = settled - Math.max(from, lastFault(faulty, wish, settled, callTimeoutMs));
    slowestMs = Math.max(slowestMs, tookMs);
    if (tookMs > boundMs) discrepancies.push(`${name} took ${Math.round(tookMs)} ms`);
  }
  // The look for late landings comes a lease and a call after the settling.
  const looked = Date.now() + leaseMs + callTimeoutMs + boundMs;
  while (Date.now() < looked && (await dueRows(world)) > 0) await pause(POLL_MS);
  const due = await dueRows(world);
  if (due > 0) discrepancies.push(`${due} row(s) are still to be looked at`);
  return { wishes: wishes.length, slowestMs: Math.round(slowestMs), discrepancies };
}

function lastDisturbance({ disturbances }: World, before: number): number | undefined {
  return disturbances.findLast(({ at }) => at <= before)?.at;
}

/** When the last fault that touched the wish was over, at the latest: a call that is not answered is given up after its time-out. */
function lastFault(faulty: NotedCall[], wish: WishTimes, before: number, callTimeoutMs: number): number {
  const names = [wish.sid, `cvk_${wish.aggregate_id}`].filter((name) => name !== null);
  const times = faulty
    .filter(({ path, parameters }) => {
      const text = path + JSON.stringify(parameters);
      return names.some((name) => text.includes(name));
    })
    .map(({ time, fault }) => Date.parse(time) + (fault === 'hang' || fault === 'delay' ? callTimeoutMs : 0))
    .filter((time) => time <= before);
  return Math.max(0, ...times);
}

async function openWishes(world: World): Promise<number> {
  const rows = await world.sql<{ n: string }>('select count(*) as n from wishes where status is null');
  return Number(rows[0]?.n);
}

async function dueRows(world: World): Promise<number> {
  const rows = await world.sql<{ n: string }>(
    `select (select count(*) from conversations where due_at is not null)
      + (select count(*) from identities where due_at is not null) as n`,
  );
  return Number(rows[0]?.n);
}
