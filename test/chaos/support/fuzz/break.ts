import type { Random } from '../world/random.js';
import type { Ask } from './send.js';
import { EXTRA, METHODS, ODD, ODD_BODIES, ODD_HEADERS, ODD_PATHS, ODD_QUERIES, ODD_TYPES } from './odd.js';

type Breaker = (ask: Ask, random: Random) => void;

const breakBody: Breaker = (ask, random) => {
  if (ask.json === undefined) return;
  const box = { json: structuredClone(ask.json) };
  const places = nodesOf(box);
  const { holder, key } = random.pick(places);
  const what = random.between(0, 3);
  if (what === 0) setOwn(holder, key, random.pick(ODD));
  else if (what === 1) removeFrom(holder, key);
  else if (what === 2) addTo(places, random);
  else repeat(holder, key, random);
  ask.json = box.json;
  ask.body = Buffer.from(JSON.stringify(box.json) ?? '');
};

const BREAKERS: Record<string, Breaker> = {
  'a value': breakBody,
  'two values': (ask, random) => {
    breakBody(ask, random);
    breakBody(ask, random);
  },
  body: (ask, random) => {
    delete ask.json;
    ask.body = Buffer.from(random.pick(ODD_BODIES));
    ask.headers['content-type'] ??= 'application/json';
  },
  'cut body': (ask, random) => {
    if (!ask.body) return;
    delete ask.json;
    ask.body = ask.body.subarray(0, random.between(0, ask.body.length));
  },
  'content type': (ask, random) => {
    delete ask.json;
    ask.headers['content-type'] = random.pick(ODD_TYPES);
  },
  header: (ask, random) => {
    const [name, value] = random.pick(ODD_HEADERS);
    ask.headers[name] = value;
  },
  query: (ask, random) => {
    ask.path += `${ask.path.includes('?') ? '&' : '?'}${random.pick(ODD_QUERIES)}`;
  },
  path: (ask, random) => {
    const parts = ask.path.split('/');
    parts[random.between(2, parts.length - 1)] = random.pick(ODD_PATHS);
    delete ask.json;
    ask.route = null;
    ask.path = parts.join('/');
  },
  'more path': (ask, random) => {
    ask.route = null;
    delete ask.json;
    ask.path += random.pick([
      '/',
      '//',
      '/x',
      '/..',
      '/%2e%2e/',
      ';a=b',
      '%20',
      '#x',
      '/participants',
      '?',
      '//example.com',
    ]);
  },
  method: (ask, random) => {
    ask.route = null;
    delete ask.json;
    ask.method = random.pick(METHODS);
  },
};

/** Breaks a request in one to three ways. */
export function breakIt(ask: Ask, random: Random): void {
  const names = Object.keys(BREAKERS);
  for (let times = random.pick([1, 1, 1, 2, 3]); times > 0; times -= 1) {
    const name = ask.json !== undefined && random.chance(0.5) ? 'a value' : random.pick(names);
    BREAKERS[name]?.(ask, random);
    ask.broken.push(name);
  }
}

interface Place {
  holder: Record<string, unknown> | unknown[];
  key: string;
}

/** Every place in a value at which something stands. */
function nodesOf(value: unknown): Place[] {
  if (value === null || typeof value !== 'object') return [];
  const holder = value as Place['holder'];
  return Object.entries(value).flatMap(([key, member]) => [{ holder, key }, ...nodesOf(member)]);
}

function setOwn(holder: Place['holder'], key: string, value: unknown): void {
  Object.defineProperty(holder, key, { value, enumerable: true, configurable: true, writable: true });
}

function removeFrom(holder: Place['holder'], key: string): void {
  if (Array.isArray(holder)) holder.splice(Number(key), 1);
  else if (key === 'json') setOwn(holder, key, {});
  else delete holder[key];
}

function addTo(places: Place[], random: Random): void {
  const objects = places
    .map(({ holder, key }) => (holder as Record<string, unknown>)[key])
    .filter((one) => one !== null && typeof one === 'object' && !Array.isArray(one));
  if (objects.length === 0) return;
  setOwn(random.pick(objects) as Record<string, unknown>, random.pick(EXTRA), random.pick(ODD));
}

/** Many of one, in an array; or an array instead of one. */
function repeat(holder: Place['holder'], key: string, random: Random): void {
  const value = (holder as Record<string, unknown>)[key];
  const times = random.pick([2, 51, 200]);
  setOwn(
    holder,
    key,
    Array.isArray(value) ? Array.from({ length: times }, () => value[0] as unknown) : [value, value],
  );
}
