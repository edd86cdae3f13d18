import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ApiClient } from '../support/api-client.js';
import { serviceEnv, unique } from '../support/app.js';
import { contentsOf, provision, type Chat } from '../support/chats.js';
import { useTestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { placesOf } from '../support/places.js';
import { startService, type Running } from '../support/processes.js';
import { useSandbox } from '../support/sandbox.js';

const database = useTestDatabase();
const sandbox = useSandbox();
const CHATS = 12;

let env: Record<string, string>;
let client: pg.Client;
/** The one that is killed, and the one that goes on. */
let mortal: Running;
let other: Running;
let api: ApiClient;

beforeAll(async () => {
  env = { ...serviceEnv(database.url, sandbox), LEASE_MS: '2000', TWILIO_CALL_TIMEOUT_MS: '1000' };
  client = new pg.Client({ connectionString: database.url });
  await client.connect();
  [mortal, other] = [await startService(env), await startService(env)];
  api = new ApiClient(other.baseUrl, env['BOOTSTRAP_API_KEY'] ?? '');
});

afterEach(() => sandbox.clearFaults());
afterAll(async () => {
  await Promise.all([mortal.end('SIGKILL'), other.end('SIGKILL')]);
  await client.end();
});

/** Somebody who is in many chats, and has said something in each. */
async function talkative(): Promise<{ id: string; externalId: string; chats: Chat[] }> {
  const externalId = unique('ext');
  const agent = { kind: 'agent', externalId: unique('agent'), displayName: 'Ada' };
  const bob = { kind: 'customer', externalId, displayName: 'Bob' };
  const chats: Chat[] = [];
  for (let n = 0; n < CHATS; n += 1) {
    const chat = await provision(api, { participants: [agent, bob] });
    await api.post(`${chat.path}/messages`, { author: externalId, body: 'Hello' }, 201);
    chats.push(chat);
  }
  return { id: chats[0]!.bob.identity!.id, externalId, chats };
}

/** Asks the mortal replica, and kills it as soon as Twilio has been asked so many things for it. */
async function killAfter(calls: number, path: string, body?: object): Promise<void> {
  const slow = '/(Participants|Messages|Users)/';
  for (const method of ['POST', 'DELETE'])
    await sandbox.fault({ method, path: slow, times: 1000 }, { type: 'delay', ms: 40, applied: 'before' });
  const since = await sandbox.last();
  const client = new ApiClient(mortal.baseUrl, api.key);
  const sent: Promise<unknown> = body ? client.post(path, body, 200) : client.delete(path, 204);
  const asked = sent.catch(() => 'the connection was cut');
  await eventually(async () => expect((await sandbox.requests(since)).length).toBeGreaterThanOrEqual(calls));
  await mortal.end('SIGKILL');
  expect(await asked).toBe('the connection was cut');
  await sandbox.clearFaults();
}

async function expectOut(chats: Chat[]): Promise<void> {
  for (const { twilioSid } of chats)
    expect((await contentsOf(sandbox, twilioSid)).participants).toHaveLength(1);
}

describe('A replica that is killed in the middle', () => {
  it.each([2, 8])(
    'of a suspension, after %i calls: the other one goes on, without anybody asking',
    async (calls) => {
      const { id, chats } = await talkative();
      await killAfter(calls, `/v1/identities/${id}/suspend`, {});
      await eventually(() => expectOut(chats), 15_000);
      mortal = await startService(env);
    },
  );

  it.each([1, 15, 30, 50])('of an erasure, after %i calls: all is gone, and counted once', async (calls) => {
    const { id, externalId, chats } = await talkative();
    const messages = calls % 2 === 0 ? 'keep' : 'delete';
    await killAfter(calls, `/v1/identities/${id}/erase`, { messages });
    const headers = { prefer: 'wait=30' };
    const { body } = await api.post(`/v1/identities/${id}/erase`, {}, 200, { headers });
    expect(body.items).toEqual(
      expect.arrayContaining([
        { where: 'participants', count: CHATS },
        { where: 'messages', count: CHATS },
        { where: 'messageCopies', count: CHATS },
        { where: 'user', count: 1 },
      ]),
    );
    await expectOut(chats);
    const sql = async (text: string, values: unknown[] = []) =>
      (await client.query(text, values)).rows as unknown[];
    expect(await placesOf({ sql, sandbox }, externalId)).toEqual([]);
    mortal = await startService(env);
  });
});

describe('A replica that is killed in the middle of a deletion', () => {
  it.each([1, 2])('after %i calls: the other one goes on, and the externalId is free', async (calls) => {
    const bob = { kind: 'customer', externalId: unique('ext'), displayName: 'Bob' };
    const chat = await provision(api, { participants: [bob, { ...bob, externalId: unique('ext') }] });
    await api.post(`${chat.path}/close`, {}, 200);
    const { id, twilioIdentity } = chat.participants[0]!.identity!;
    await killAfter(calls, `/v1/identities/${id}`);
    await eventually(() => api.get(`/v1/identities/${id}`, 404), 15_000);
    await expect(sandbox.twilio(`/v1/Users/${twilioIdentity}`)).rejects.toThrow('404');
    await api.post('/v1/identities', bob, 201);
    mortal = await startService(env);
  });
});

describe('Two replicas that are asked at once', () => {
  it('erase once, and give the same receipt', async () => {
    const { id, chats } = await talkative();
    const both = [api, new ApiClient(mortal.baseUrl, api.key)];
    const answers = await Promise.all(
      Array.from({ length: 6 }, (_, n) => both[n % 2]!.post(`/v1/identities/${id}/erase`, {}, 200)),
    );
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    await expectOut(chats);
  });
});
