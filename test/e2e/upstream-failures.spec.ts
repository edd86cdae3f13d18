import request from 'supertest';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { useApp } from '../support/app.js';
import { codesOf, DOCUMENTED } from '../support/openapi.js';
import { expectProblem } from '../support/problems.js';
import { newStage, READS_FIRST, WISHES_FIRST, type Stage } from '../support/requests.js';

/** What every operation answers that documents a failure of Twilio. */
const running = useApp({ TWILIO_CALL_TIMEOUT_MS: '300', RATE_LIMIT_PER_MINUTE: '0' });

const READS = Object.keys(READS_FIRST);
const WISHES = Object.keys(WISHES_FIRST);

const stages = new Map<string, Stage>();

beforeAll(async () => {
  const shared = await newStage(running);
  for (const name of READS) stages.set(name, shared);
  for (const name of WISHES) stages.set(name, await newStage(running));
}, 60_000);
afterEach(() => running.sandbox.clearFaults());

async function ask(name: string) {
  const { method } = DOCUMENTED.find(({ operation }) => operation.operationId === name)!;
  const [path, body] = await { ...READS_FIRST, ...WISHES_FIRST }[name]!(stages.get(name)!);
  const agent = request(running.server);
  const call = agent[method as 'get'](path).set('authorization', `Bearer ${running.api.key}`);
  return body === undefined ? call : call.send(body);
}

describe.each([
  ['upstream_auth_failed', [...READS, ...WISHES], { type: 'status', status: 401, code: 20003 }],
  ['upstream_rate_limited', READS, { type: 'status', status: 429, code: 20429 }],
  ['upstream_unavailable', READS, { type: 'status', status: 500 }],
  ['upstream_timeout', READS, { type: 'hang', applied: false }],
] as const)('%s', (code, names, fault) => {
  it('is documented where it is tried below, and nowhere else', () => {
    const documenting = DOCUMENTED.filter((route) => codesOf(route).includes(code));
    const documented = documenting.map(({ operation }) => operation.operationId);
    expect(documented.sort()).toEqual([...names].sort());
  });

  it.each(names)('is what %s answers', async (name) => {
    await running.sandbox.fault({ path: '^/v1/', times: 100_000 }, fault);
    const response = await ask(name);
    expectProblem(response, code);
    if (code === 'upstream_rate_limited') expect(Number(response.headers['retry-after'])).toBeGreaterThan(0);
  });
});
