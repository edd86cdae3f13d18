import { randomUUID } from 'node:crypto';
import twilio from 'twilio';
import { Pool } from 'undici';
import { SANDBOX_DEFAULTS } from '../src/sandbox/config.js';
import { judge, machine, median, ms, timed } from './support/figures.js';
import { startStack, type Stack } from './support/stack.js';

/**
 * One agent, two customers and a greeting: how long until the chat stands, when each call to Twilio takes 100 ms.
 * Compared, turn about in one run, with two bare calls in sequence (the least that any way can take) and with the way of
 * every sample: five calls of the official library, one after the other.
 */
const CALL_MS = 100;
const ROUNDS = 11;
const BOUND_FACTOR = 1.15;
const BOUND_EXTRA_MS = 30;

interface Noted {
  time: string;
  method: string;
  path: string;
  durationMs: number;
}

async function provision({ serviceUrl, apiKey }: Stack): Promise<void> {
  const people = ['agent', 'customer', 'customer'].map((kind) => ({ kind, externalId: randomUUID() }));
  const response = await fetch(`${serviceUrl}/v1/conversations`, {
    method: 'POST',
    headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ participants: people, systemMessage: { body: 'Ada will be with you shortly.' } }),
  });
  const text = await response.text();
  if (response.status !== 201) throw new Error(`${response.status} ${text}`);
}

/** The calls to Twilio of one provision, as the sandbox noted them, grouped into waves that do not overlap. */
async function waves(stack: Stack): Promise<string[][]> {
  const { last } = await stack.control<{ last: number }>('GET', '/sandbox/requests');
  await provision(stack);
  const { requests } = await stack.control<{ requests: Noted[] }>('GET', `/sandbox/requests?since=${last}`);
  const found: { end: number; calls: string[] }[] = [];
  for (const { time, method, path, durationMs } of requests) {
    const start = Date.parse(time);
    const wave = found.at(-1);
    const call = `${method} …/${path.split('/').pop()}`;
    // Times are noted in whole milliseconds.
    if (wave && start < wave.end - 1) {
      wave.calls.push(call);
      wave.end = Math.max(wave.end, start + durationMs);
    } else {
      found.push({ end: start + durationMs, calls: [call] });
    }
  }
  return found.map(({ calls }) => calls);
}

function bareCalls(stack: Stack): () => Promise<void> {
  const pool = new Pool(stack.sandboxUrl, { connections: 1 });
  const { apiKeySid, apiKeySecret } = SANDBOX_DEFAULTS;
  const authorization = `Basic ${Buffer.from(`${apiKeySid}:${apiKeySecret}`).toString('base64')}`;
  const post = async (path: string, form: Record<string, string>): Promise<{ sid: string }> => {
    const { statusCode, body } = await pool.request({
      path,
      method: 'POST',
      headers: { authorization, 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams(form).toString(),
    });
    if (statusCode !== 201) throw new Error(`${path}: ${statusCode} ${await body.text()}`);
    return (await body.json()) as { sid: string };
  };
  return async () => {
    const { sid } = await post('/v1/Conversations', {});
    await post(`/v1/Conversations/${sid}/Participants`, { Identity: randomUUID() });
  };
}

function sampleWay(stack: Stack): () => Promise<void> {
  const { accountSid, apiKeySid, apiKeySecret } = SANDBOX_DEFAULTS;
  const client = twilio(apiKeySid, apiKeySecret, { accountSid });
  client.conversations.baseUrl = stack.sandboxUrl;
  return async () => {
    const { sid } = await client.conversations.v1.conversations.create({});
    const conversation = client.conversations.v1.conversations(sid);
    for (let person = 0; person < 3; person += 1) {
      await conversation.participants.create({ identity: randomUUID() });
    }
    await conversation.messages.create({ author: 'system', body: 'Ada will be with you shortly.' });
  };
}

async function compare(stack: Stack): Promise<void> {
  const ways = {
    convoke: () => provision(stack),
    'two bare calls in sequence': bareCalls(stack),
    'five calls of the library in sequence': sampleWay(stack),
  };
  // Connections, prepared statements and code are warm on all sides.
  for (const way of Object.values(ways)) for (let round = 0; round < 3; round += 1) await way();
  const times = new Map<string, number[]>(Object.keys(ways).map((name) => [name, []]));
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [name, way] of Object.entries(ways)) times.get(name)?.push(await timed(way));
  }
  const seen = await waves(stack);
  console.log(`${machine()}; ${CALL_MS} ms on each call, ${ROUNDS} alternating rounds, medians:`);
  for (const [name, values] of times) {
    console.log(
      `  ${name.padEnd(38)} ${ms(median(values))} (${ms(Math.min(...values))} to ${ms(Math.max(...values))})`,
    );
  }
  for (const [index, calls] of seen.entries()) console.log(`  wave ${index + 1}: ${calls.join(', ')}`);
  const ours = median(times.get('convoke') ?? []);
  const limit = BOUND_FACTOR * median(times.get('two bare calls in sequence') ?? []) + BOUND_EXTRA_MS;
  judge([
    [
      `five calls in two waves: ${seen.map((calls) => calls.length).join(' + ')}`,
      seen.map(({ length }) => length).join() === '1,4',
    ],
    [`${ms(ours)} is at most 1.15 × two bare calls + 30 ms = ${ms(limit)}`, ours <= limit],
  ]);
}

const stack = await startStack();
try {
  await provision(stack);
  await stack.control('POST', '/sandbox/faults', {
    match: { path: '^/v1/' },
    fault: { type: 'delay', ms: CALL_MS, applied: 'before' },
  });
  await compare(stack);
} finally {
  await stack.stop();
}
