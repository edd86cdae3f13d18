import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ApiClient } from '../support/api-client.js';
import { serviceEnv } from '../support/app.js';
import { contentsOf, supportChat } from '../support/chats.js';
import { useTestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { startService, type Running } from '../support/processes.js';
import { useSandbox } from '../support/sandbox.js';

const database = useTestDatabase();
const sandbox = useSandbox();
const CALL_TIMEOUT_MS = 1000;
const LEASE_MS = 2000;
/** A take-over needs the lease to run out and the sweep to come by. */
const TAKE_OVER_MS = LEASE_MS + 6000;

let env: Record<string, string>;
let service: Running;
let api: ApiClient;

async function startAgain(): Promise<void> {
  service = await startService(env);
  api = new ApiClient(service.baseUrl, env['BOOTSTRAP_API_KEY'] ?? '');
}

beforeAll(async () => {
  env = {
    ...serviceEnv(database.url, sandbox),
    LEASE_MS: String(LEASE_MS),
    TWILIO_CALL_TIMEOUT_MS: String(CALL_TIMEOUT_MS),
    LOG_LEVEL: 'info',
  };
  await startAgain();
  // The presets are there: what follows is provisioning alone.
  await api.post('/v1/conversations', supportChat(), 201);
});

afterEach(() => sandbox.clearFaults());
afterAll(() => service.end('SIGKILL'));

/** The chat of this case is whole, exactly once, within the time of a take-over. */
async function expectWhole(externalRef: string): Promise<void> {
  await eventually(async () => {
    const { body: list } = await api.get(`/v1/conversations?externalRef=${externalRef}`, 200);
    expect(list.data).toMatchObject([{ state: 'active' }]);
    const { participants, messages } = await contentsOf(sandbox, list.data[0].twilioSid);
    expect(participants).toHaveLength(2);
    expect(messages).toHaveLength(1);
  }, TAKE_OVER_MS);
}

/** Provisions, and kills the service as soon as Twilio has been sent a call of this kind. */
async function killAt(path: RegExp, body: object): Promise<void> {
  const since = await sandbox.last();
  const answer = api.post('/v1/conversations', body, 201).catch(() => 'the connection was cut');
  await eventually(async () => {
    expect((await sandbox.requests(since)).some((call) => path.test(call.path))).toBe(true);
  });
  await service.end('SIGKILL');
  expect(await answer).toBe('the connection was cut');
}

describe('After SIGKILL and a new start, without anybody asking, the chat is completed', () => {
  it('when it came between the conversation and its participants', async () => {
    const body = supportChat();
    await sandbox.fault(
      { method: 'POST', path: '/(Participants|Messages)$', times: 3 },
      { type: 'hang', applied: false },
    );
    await killAt(/\/Participants$/, body);
    const { conversations } = await sandbox.state();
    await sandbox.clearFaults();
    await startAgain();
    await expectWhole(body.externalRef);
    expect((await sandbox.state())['conversations']).toBe(conversations);
  });

  it('when it came after Twilio had made the conversation and before we knew', async () => {
    const body = supportChat();
    await sandbox.fault({ method: 'POST', path: '/Conversations$' }, { type: 'hang', applied: true });
    await killAt(/\/Conversations$/, body);
    await startAgain();
    await expectWhole(body.externalRef);
  });

  it('when it came after Twilio had everybody and the greeting, and before we knew', async () => {
    const body = supportChat();
    await sandbox.fault(
      { method: 'POST', path: '/(Participants|Messages)$', times: 3 },
      { type: 'hang', applied: true },
    );
    await killAt(/\/Messages$/, body);
    await startAgain();
    await expectWhole(body.externalRef);
  });

  it('and the caller who comes again with his key gets the answer that was due', async () => {
    const body = supportChat();
    const headers = { 'idempotency-key': randomUUID() };
    await sandbox.fault(
      { method: 'POST', path: '/Participants$', times: 2 },
      { type: 'hang', applied: true },
    );
    const since = await sandbox.last();
    const cut = api.post('/v1/conversations', body, 201, { headers }).catch(() => 'cut');
    await eventually(async () => {
      expect((await sandbox.requests(since)).some((call) => call.path.endsWith('/Participants'))).toBe(true);
    });
    await service.end('SIGKILL');
    await cut;
    await startAgain();
    const { body: chat } = await api.post('/v1/conversations', body, 201, { headers });
    expect(chat).toMatchObject({ state: 'active', externalRef: body.externalRef });
    await expectWhole(body.externalRef);
  });
});

describe('On SIGTERM', () => {
  it('what is under way is finished and answered, and the process ends with status 0', async () => {
    await sandbox.fault(
      { method: 'POST', path: '/Participants$', times: 2 },
      { type: 'delay', ms: 300, applied: 'before' },
    );
    const body = supportChat();
    const since = await sandbox.last();
    const answer = api.post('/v1/conversations', body, 201);
    await eventually(async () => {
      expect((await sandbox.requests(since)).some((call) => call.path.endsWith('/Participants'))).toBe(true);
    });
    expect(await service.end('SIGTERM')).toBe(0);
    expect((await answer).body.state).toBe('active');
    await startAgain();
  });

  it('what cannot be finished in time is answered 202, and another replica finishes it at once', async () => {
    env['SHUTDOWN_GRACE_MS'] = '200';
    await service.end();
    await startAgain();
    await sandbox.fault(
      { method: 'POST', path: '/Participants$', times: 50 },
      { type: 'hang', applied: false },
    );
    const body = supportChat();
    const since = await sandbox.last();
    const answer = api.post('/v1/conversations', body, 202);
    await eventually(async () => {
      expect((await sandbox.requests(since)).some((call) => call.path.endsWith('/Participants'))).toBe(true);
    });
    expect(await service.end('SIGTERM')).toBe(0);
    expect((await answer).body.state).toBe('provisioning');
    await sandbox.clearFaults();
    await startAgain();
    await expectWhole(body.externalRef);
  });
});

describe('Two replicas', () => {
  it('give one chat and the same bytes for one key, whichever is asked', async () => {
    const other = await startService(env);
    try {
      const apis = [api, new ApiClient(other.baseUrl, api.key)];
      for (let round = 0; round < 5; round += 1) {
        const body = supportChat();
        const headers = { 'idempotency-key': randomUUID() };
        const answers = await Promise.all(
          Array.from({ length: 8 }, (_, n) => apis[n % 2]!.post('/v1/conversations', body, 201, { headers })),
        );
        expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
        await expectWhole(body.externalRef);
      }
    } finally {
      await other.end();
    }
  });
});
