import { expect, it } from 'vitest';
import { ApiClient } from '../support/api-client.js';
import { serviceEnv } from '../support/app.js';
import { supportChat } from '../support/chats.js';
import { useTestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { startService } from '../support/processes.js';
import { useSandbox } from '../support/sandbox.js';

const database = useTestDatabase();
const sandbox = useSandbox();

it('a start with bad credentials is told at once, and everything accepted goes on after one with good ones', async () => {
  const env: Record<string, string> = {
    ...serviceEnv(database.url, sandbox),
    LEASE_MS: '3000',
    TWILIO_CALL_TIMEOUT_MS: '1000',
  };
  const connect = (baseUrl: string) => new ApiClient(baseUrl, env['BOOTSTRAP_API_KEY'] ?? '');
  await sandbox.fault({ path: '/Roles', times: 100_000 }, { type: 'status', status: 401, code: 20003 });
  const first = await startService({ ...env, SHUTDOWN_GRACE_MS: '500' });
  const { body: problem } = await connect(first.baseUrl).post('/v1/conversations', supportChat(), 502);
  expect(problem.code).toBe('upstream_auth_failed');
  // More than the sweep takes up at once.
  for (let n = 0; n < 60; n += 1) {
    await connect(first.baseUrl).post('/v1/conversations', supportChat(), 202, {
      headers: { prefer: 'wait=0' },
    });
  }
  expect(await first.end()).toBe(0);
  await sandbox.clearFaults();
  const second = await startService(env);
  try {
    await eventually(async () => {
      const { body: open } = await connect(second.baseUrl).get('/v1/conversations?state=provisioning', 200);
      expect(open.data).toEqual([]);
    }, 15_000);
    expect((await sandbox.state())['conversations']).toBe(61);
  } finally {
    await second.end();
  }
});

it('on SIGTERM nobody looks before what was sent has been answered or dropped: the greeting is said once', async () => {
  const env: Record<string, string> = {
    ...serviceEnv(database.url, sandbox),
    LEASE_MS: '3000',
    TWILIO_CALL_TIMEOUT_MS: '1500',
    SHUTDOWN_GRACE_MS: '100',
  };
  const [one, two] = [await startService(env), await startService(env)];
  const api = (baseUrl: string) => new ApiClient(baseUrl, env['BOOTSTRAP_API_KEY'] ?? '');
  await sandbox.fault({ method: 'POST', path: '/Messages$' }, { type: 'delay', ms: 1000, applied: 'after' });
  const since = await sandbox.last();
  const answer = api(one.baseUrl).post('/v1/conversations', supportChat(), 202);
  const messages = async () =>
    (await sandbox.requests(since)).filter(
      ({ method, path }) => method === 'POST' && path.endsWith('/Messages'),
    );
  await eventually(async () => expect(await messages()).toHaveLength(1));
  await one.end();
  const { id } = (await answer).body as { id: string };
  try {
    await eventually(async () => {
      const { body: chat } = await api(two.baseUrl).get(`/v1/conversations/${id}`, 200);
      expect(chat.state).toBe('active');
    }, 15_000);
    expect(await messages()).toHaveLength(1);
  } finally {
    await two.end();
  }
});
