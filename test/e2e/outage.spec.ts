import { afterAll, beforeAll, expect, it } from 'vitest';
import { ApiClient } from '../support/api-client.js';
import { serviceEnv } from '../support/app.js';
import { contentsOf, supportChat } from '../support/chats.js';
import { useTestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { startService, type Running } from '../support/processes.js';
import { useSandbox } from '../support/sandbox.js';

const database = useTestDatabase();
const sandbox = useSandbox();
const CHATS = 20;

let service: Running;
let api: ApiClient;

beforeAll(async () => {
  const env: Record<string, string> = {
    ...serviceEnv(database.url, sandbox),
    LEASE_MS: '2000',
    TWILIO_CALL_TIMEOUT_MS: '500',
  };
  service = await startService(env);
  api = new ApiClient(service.baseUrl, env['BOOTSTRAP_API_KEY'] ?? '');
  await api.post('/v1/conversations', supportChat(), 201);
});
afterAll(() => service.end());

it('while Twilio is down, work is accepted, little is asked of it, and all is done soon after its return', async () => {
  await sandbox.fault({ path: '^/v1/', times: 100_000 }, { type: 'reset-before' });
  const accepted: string[] = [];
  for (let n = 0; n < CHATS; n += 1) {
    const { body } = await api.post('/v1/conversations', supportChat(), 202, {
      headers: { prefer: 'wait=0' },
    });
    accepted.push(body.id as string);
  }
  // It is known to be down when nothing but probes comes: then count those of some seconds.
  await eventually(async () => {
    const since = await sandbox.last();
    const start = performance.now();
    await eventually(() => expect(performance.now() - start).toBeGreaterThan(3000), 4000);
    // About one a second and process, each with its look-up.
    expect((await sandbox.requests(since)).length).toBeLessThanOrEqual(8);
  }, 20_000);
  await api.get(`/v1/conversations/${accepted[0]}`, 200);
  await sandbox.clearFaults();
  await eventually(async () => {
    for (const id of accepted) {
      const { body: chat } = await api.get(`/v1/conversations/${id}`, 200);
      expect(chat.state).toBe('active');
      const { participants, messages } = await contentsOf(sandbox, chat.twilioSid);
      expect([participants.length, messages.length]).toEqual([2, 1]);
    }
  }, 15_000);
}, 60_000);
