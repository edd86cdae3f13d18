import type { Random } from '../world/random.js';
import type { Ask } from './send.js';

const LONG = 'x'.repeat(5000);
const DEEP = JSON.parse('['.repeat(300) + ']'.repeat(300)) as unknown;

/** Values that are seldom what a field wants. */
const ODD: unknown[] = [
  null,
  true,
  false,
  0,
  -1,
  -0,
  1.5,
  1e308,
  5e-324,
  2 ** 53,
  -(2 ** 53),
  '',
  ' ',
  '.',
  '..',
  '../..',
  '0',
  'null',
  'true',
  '\u0000',
  'a\u0000b',
  '\ud800',
  '\udfff',
  '\ufeff',
  '\u202e',
  '\u200b',
  'e\u0301'.repeat(300),
  '👩‍👩‍👧'.repeat(100),
  "'; drop table wishes; --",
  '%00',
  '%s%n',
  '{{7*7}}',
  '<script>',
  '\r\nx: y',
  LONG,
  '💬'.repeat(300),
  'x'.repeat(255),
  'x'.repeat(256),
  'x'.repeat(257),
  'CH' + '0'.repeat(32),
  'IM' + 'f'.repeat(32),
  '00000000-0000-0000-0000-000000000000',
  '+15005550001',
  'whatsapp:+15551234567',
  'PT0S',
  'P1Y',
  'PT999999999H',
  '2024-02-30T00:00:00Z',
  '9999-12-31T23:59:59Z',
  '+275760-09-13T00:00:00Z',
  [],
  {},
  [[]],
  [null],
  { a: {} },
  { toString: 1 },
  DEEP,
];

const EXTRA = [
  'extra',
  '__proto__',
  'constructor',
  'toString',
  'id',
  'state',
  'twilioSid',
  'serviceId',
  'convoke',
  '',
  '$where',
];

const ODD_PATHS = [
  '.',
  '..',
  '%2e%2e',
  '%2e',
  '%00',
  'a%00b',
  '%',
  '%zz',
  '%ff',
  '%c3%28',
  '%ed%a0%80',
  'x'.repeat(255),
  'x'.repeat(256),
  'x'.repeat(9000),
  encodeURIComponent('💬'.repeat(255)),
  encodeURIComponent('é'.repeat(256)),
  '%2F',
  '%2f..%2f',
  '%20',
  "'--",
  '',
  'null',
  'undefined',
  '-1',
  '1e9',
  '00000000-0000-0000-0000-000000000000',
  '01890000-0000-7000-8000-000000000000',
  '01890000-0000-7000-8000-00000000000',
  `CH${'0'.repeat(32)}`,
  `CH${'0'.repeat(31)}`,
  `MB${'a'.repeat(32)}`,
  `IM${'A'.repeat(32)}`,
  `US${'0'.repeat(32)}`,
  'by-ref',
  'import',
  'drift',
  'a;b=c',
  'a,b',
  'a+b',
  '@',
  ':x',
  '*',
];

const ODD_QUERIES = [
  'limit=0',
  'limit=101',
  'limit=-1',
  'limit=abc',
  'limit=1e2',
  'limit=',
  'limit=1&limit=2',
  'limit[]=1',
  'limit=99999999999999999999',
  'limit=1.0',
  'cursor=',
  'cursor=x',
  'cursor=%00',
  'cursor=eyJpZCI6MX0',
  'cursor=bnVsbA',
  'cursor=W10',
  `cursor=${'A'.repeat(600)}`,
  'cursor=eyJwYWdlIjotMSwidG9rZW4iOiIifQ',
  'cursor=a&cursor=b',
  'unknown=1',
  '__proto__[x]=1',
  'order=up',
  'state=gone',
  'state=active&state=closed',
  'kind=',
  'status=x',
  'createdAfter=yesterday',
  'createdAfter=2024-13-01T00:00:00Z',
  'createdBefore=0',
  'externalRef=..',
  'externalRef=%ff',
  'externalId=%00',
  'identityId=1',
  'force=maybe',
  'force=',
  'actor=',
  'actor=%F0%9F%92%AC',
  'format=pdf',
  'serviceId=x',
  'ended=2',
  '%',
  '=',
  '&&&',
  `x=${'y'.repeat(7000)}`,
];

const ODD_HEADERS: [string, string | string[]][] = [
  ['if-match', '*'],
  ['if-match', '"x"'],
  ['if-match', 'W/"x"'],
  ['if-match', ''],
  ['if-match', 'x'],
  ['if-match', '"a", "b"'],
  ['if-match', 'x'.repeat(4000)],
  ['if-match', '"\u00e9"'],
  ['if-none-match', '*'],
  ['prefer', 'wait=0'],
  ['prefer', 'wait=61'],
  ['prefer', 'wait=-1'],
  ['prefer', 'wait=1.5'],
  ['prefer', 'wait='],
  ['prefer', 'wait=99999999999999999999'],
  ['prefer', 'respond-async'],
  ['prefer', 'respond-async, wait=1'],
  ['prefer', 'wait=1; foo="bar'],
  ['prefer', ',,,'],
  ['prefer', ['wait=0', 'wait=1']],
  ['prefer', 'x'.repeat(4000)],
  ['idempotency-key', ''],
  ['idempotency-key', '""'],
  ['idempotency-key', '"quoted"'],
  ['idempotency-key', '"half'],
  ['idempotency-key', 'x'.repeat(255)],
  ['idempotency-key', 'x'.repeat(256)],
  ['idempotency-key', '\u00e9\u00ff'],
  ['idempotency-key', ['a', 'b']],
  ['idempotency-key', 'a\tb'],
  ['authorization', ''],
  ['authorization', 'Bearer'],
  ['authorization', 'Bearer  x'],
  ['authorization', 'Basic eDp5'],
  ['authorization', 'Bearer cvk_a_b'],
  ['authorization', `Bearer cvk_x_${'y'.repeat(43)}`],
  ['authorization', `Bearer ${'z'.repeat(8000)}`],
  ['authorization', 'Bearer \u00e9'],
  ['x-request-id', ''],
  ['x-request-id', 'x'.repeat(3000)],
  ['x-request-id', '\u00e9<script>'],
  ['x-request-id', ['a', 'b']],
  ['accept', 'text/html'],
  ['accept', 'nothing/at-all'],
  ['accept-encoding', 'gzip'],
  ['origin', 'https://evil.example'],
  ['cookie', 'a=b'],
  ['x-http-method-override', 'DELETE'],
  ['x-forwarded-for', "1'2"],
  ['range', 'bytes=0-1'],
  ['padding', 'x'.repeat(20_000)],
];

const ODD_TYPES = [
  '',
  'text/plain',
  'application/xml',
  'application/json; charset=utf-16',
  'application/json;charset=UTF-8',
  'APPLICATION/JSON',
  'application/json, text/html',
  'multipart/form-data',
  'application/x-www-form-urlencoded',
  'application/merge-patch+json',
  'application/x-ndjson',
  'x',
  '/',
  'application/json; boundary="',
];

const ODD_BODIES: (string | Buffer)[] = [
  '',
  ' ',
  '{',
  '}',
  '{"a":1,}',
  '{"a":1,"a":2}',
  '{a:1}',
  "{'a':1}",
  'null',
  'true',
  '1',
  '"x"',
  '[]',
  '[{}]',
  'NaN',
  '{"a":NaN}',
  '{"a":1e999}',
  '{"a":-1e-999}',
  '\ufeff{}',
  '{}{}',
  '{} x',
  '/* */{}',
  '{"__proto__":{"x":1}}',
  '{"constructor":{"prototype":{"x":1}}}',
  `{"a":${'['.repeat(100_000)}`,
  `${'['.repeat(5000)}${']'.repeat(5000)}`,
  `{"a":"${'x'.repeat(1_048_577)}"}`,
  Buffer.from([0x7b, 0xff, 0xfe, 0x7d]),
  Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]),
  Buffer.from([0x1f, 0x8b, 8, 0, 0, 0]),
  '{"a":"\\ud800"}',
  '{"a":"\u0001"}',
];

const METHODS = [
  'GET',
  'POST',
  'PUT',
  'PATCH',
  'DELETE',
  'HEAD',
  'OPTIONS',
  'TRACE',
  'PROPFIND',
  'PURGE',
  'QUERY',
  'FOO',
];

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
