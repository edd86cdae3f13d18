import { afterAll, beforeAll, expect, it } from 'vitest';
import { ApiClient } from '../support/api-client.js';
import { serviceEnv } from '../support/app.js';
import { provision, textsIn } from '../support/chats.js';
import { useTestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { startService, type Running } from '../support/processes.js';
import { useSandbox } from '../support/sandbox.js';

/** Run by a process before anything else: its clock is an hour slow. */
const SLOW_CLOCK = 'const now = Date.now; Date.now = () => now() - 3_600_000;';

const database = useTestDatabase();
const sandbox = useSandbox();
const replicas: Running[] = [];
let apis: [right: ApiClient, slow: ApiClient];

beforeAll(async () => {
  const env = serviceEnv(database.url, sandbox);
  const clock = `--import data:text/javascript,${encodeURIComponent(SLOW_CLOCK)}`;
  replicas.push(await startService(env), await startService({ ...env, NODE_OPTIONS: clock }));
  const [right, slow] = replicas.map(({ baseUrl }) => new ApiClient(baseUrl, env['BOOTSTRAP_API_KEY'] ?? ''));
  apis = [right!, slow!];
});

afterAll(async () => {
  await Promise.all(replicas.map((replica) => replica.end()));
});

it('Messages are sent in the order in which they were accepted, on replicas whose clocks differ', async () => {
  const [right, slow] = apis;
  const chat = await provision(right);
  await sandbox.fault({ method: 'POST', path: '/Messages$', times: 1000 }, { type: 'status', status: 503 });
  const texts = Array.from({ length: 8 }, (_, n) => `message ${n}`);
  for (const [n, body] of texts.entries()) {
    const api = n % 2 === 0 ? right : slow;
    await api.post(`${chat.path}/system-messages`, { body }, 202, { headers: { prefer: 'wait=0' } });
  }
  await sandbox.clearFaults();
  await eventually(async () => expect(await textsIn({ sandbox }, chat)).toEqual(texts));
});
