import { randomUUID } from 'node:crypto';
import request from 'supertest';
import { beforeAll, describe, expect, it } from 'vitest';
import { useApp } from '../support/app.js';
import { DOCUMENTED, hasHeader } from '../support/openapi.js';
import { expectProblem } from '../support/problems.js';
import { newStage, READS_FIRST, WISHES_FIRST, type Request, type Stage } from '../support/requests.js';

/** What every command answers while Twilio, which can be read, takes no change and does not say so. */
const running = useApp({ TWILIO_CALL_TIMEOUT_MS: '5000', RATE_LIMIT_PER_MINUTE: '0' });

const COMMANDS = DOCUMENTED.filter(({ operation }) => operation.responses['202']);
const NAMES = COMMANDS.map(({ operation }) => operation.operationId);
const KEYED = COMMANDS.filter((route) => hasHeader(route, 'Idempotency-Key')).map(
  ({ operation }) => operation.operationId,
);

/** Another good body, where asking again gives the same one. */
const OTHER_BODIES: Record<string, object> = {
  createService: { friendlyName: 'Another' },
  eraseIdentity: { messages: 'delete' },
  // An empty one, beside none.
  reinstateIdentity: {},
  repairRoles: {},
  suspendIdentity: {},
};

const stages = new Map<string, Stage>();

beforeAll(async () => {
  for (const name of NAMES) stages.set(name, await newStage(running));
  for (const method of ['POST', 'DELETE'])
    await running.sandbox.fault({ method, path: '^/v1/', times: 100_000 }, { type: 'hang', applied: false });
}, 60_000);

/** A good request. A new one each time, where it has a body that can be another. */
async function requestFor(name: string): Promise<Request> {
  const asks = { ...READS_FIRST, ...WISHES_FIRST };
  expect(Object.keys(asks), 'say in requests.ts what a good request is').toContain(name);
  return asks[name]!(stages.get(name)!);
}

function send(name: string, [path, body]: Request, key: string = randomUUID()) {
  const { method } = COMMANDS.find(({ operation }) => operation.operationId === name)!;
  const agent = request(running.server);
  const call = agent[method as 'post'](path)
    .set('authorization', `Bearer ${running.api.key}`)
    .set({ prefer: 'respond-async', 'idempotency-key': key });
  return body === undefined ? call : call.send(body);
}

describe.each(NAMES)('%s', (name) => {
  const key = randomUUID();
  let sent: Request;
  let location: string | undefined;

  beforeAll(async () => {
    // Nothing is asked of Twilio to reinstate somebody: it is under way only behind what is.
    if (name === 'reinstateIdentity')
      await send('suspendIdentity', await READS_FIRST['suspendIdentity']!(stages.get(name)!));
    sent = await requestFor(name);
  });

  it('202: answers at once who does not wait, and says where to look', async () => {
    const answer = await send(name, sent, key);
    expect(answer.status, answer.text).toBe(202);
    location = (answer.headers as { location?: string }).location;
    if (name === 'deleteConversation') expect([location, answer.text]).toEqual([undefined, '']);
    else expect(location).toMatch(/^\/v1\/./);
  });

  if (!KEYED.includes(name)) return;

  it('409: a repeat of what is under way, and says where to look', async () => {
    const again = await send(name, sent, key);
    expectProblem(again, 'idempotency_in_progress');
    expect(again.headers).toMatchObject({ 'retry-after': '1', location });
  });

  it('422: the same Idempotency-Key with another body', async () => {
    const [path, body] = await requestFor(name);
    expectProblem(await send(name, [path, OTHER_BODIES[name] ?? body], key), 'idempotency_key_reused');
  });
});
