import { setTimeout as pause } from 'node:timers/promises';
import { conversationsAtTwilio, memberOf } from '../judging/at-twilio.js';
import { Client, type Outcome } from '../load/client.js';
import { Random } from '../world/random.js';
import { Recorder } from '../load/record.js';
import { reportOf, type Report } from '../judging/report.js';
import { untilSettled } from '../judging/settling.js';
import type { Settings } from '../world/settings.js';
import { World } from '../world/world.js';

export interface SameKeyPlan {
  keys: number;
  /** Callers of each key, spread over the replicas. */
  callers: number;
}

/** Each key is used by many callers at once, over all replicas: one chat for each, and the same bytes for all. */
export async function sameKeyRun(
  settings: Settings,
  plan: SameKeyPlan,
  databaseUrl?: string,
): Promise<Report> {
  const world = await World.start(settings, databaseUrl);
  try {
    const recorder = new Recorder();
    const random = new Random(settings.seed);
    await makeKnown(world, random.fork(-1));
    const names = Array.from({ length: plan.keys }, (_, n) => `${settings.seed}-${n}`);
    const startedAt = performance.now();
    const found = await inTurns(names, settings.actors, (name, n) =>
      useKey(world, recorder, random.fork(n), name, plan.callers),
    );
    const tookMs = Math.round(performance.now() - startedAt);
    const settling = await untilSettled(world);
    const discrepancies = [...found.flat(), ...settling.discrepancies, ...(await chatsOf(world, names))];
    const facts = { keys: plan.keys, 'callers of each': plan.callers, took: `${tookMs} ms` };
    return reportOf('same-key', settings, recorder, facts, discrepancies);
  } finally {
    await world.stop();
  }
}

/** People who are in half of the chats. */
const KNOWN = [
  { kind: 'agent', externalId: 'known-agent' },
  { kind: 'customer', externalId: 'known-customer' },
];

async function makeKnown(world: World, random: Random): Promise<void> {
  const client = new Client(world, random);
  for (const { kind, externalId } of KNOWN) {
    const outcome = await client.ask('PUT', `/v1/identities/by-external-id/${externalId}`, { kind });
    if (outcome?.status !== 201) throw new Error(`${externalId} could not be made known: ${outcome?.text}`);
  }
}

/** No externalRef, nor in every second chat people who are new: either would keep the chats apart by itself. */
async function useKey(
  world: World,
  recorder: Recorder,
  random: Random,
  name: string,
  callers: number,
): Promise<string[]> {
  const body = {
    attributes: { chat: name },
    participants: random.chance(0.5)
      ? KNOWN
      : [
          { kind: 'agent', externalId: `agent-${name}` },
          { kind: 'customer', externalId: `customer-${name}` },
        ],
    systemMessage: { body: `greeting-${name}` },
  };
  const outcomes = await Promise.all(
    Array.from({ length: callers }, async (_, n) => {
      const client = new Client(world, random.fork(n));
      if (random.chance(0.3)) await pause(random.between(0, 60));
      return client.ask('POST', '/v1/conversations', body, { key: name });
    }),
  );
  for (const outcome of outcomes) recorder.count(`provision ${outcome?.status ?? 'never'}`);
  const shown = new Set(outcomes.map(shownAs));
  const [only] = outcomes;
  if (shown.size === 1 && only?.status === 201) return [];
  return [`${name}: ${shown.size} different answers: ${[...shown].join(' | ').slice(0, 600)}`];
}

const shownAs = (outcome: Outcome | null): string => (outcome ? `${outcome.status} ${outcome.text}` : 'none');

/** One conversation for each key, whole. */
async function chatsOf(world: World, names: string[]): Promise<string[]> {
  const conversations = await conversationsAtTwilio(world);
  const found: string[] = [];
  if (conversations.length !== names.length) {
    found.push(`${conversations.length} conversations at Twilio for ${names.length} keys`);
  }
  for (const name of names) {
    const there = conversations.filter(({ attributes }) => memberOf(attributes, 'chat') === name);
    const contents = there.map(({ participants, messages }) => `${participants.length} + ${messages.length}`);
    if (contents.join() !== '2 + 1') {
      found.push(`${name}: at Twilio with participants + messages: ${contents.join(', ') || 'none'}`);
    }
  }
  return found;
}

/** Works on so many at once. */
async function inTurns<T, R>(
  items: T[],
  atOnce: number,
  work: (item: T, n: number) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  const left = items.entries();
  const worker = async (): Promise<void> => {
    for (const [n, item] of left) results[n] = await work(item, n);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return results;
}
