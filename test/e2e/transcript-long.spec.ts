import { get, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { ApiClient } from '../support/api-client.js';
import { serviceEnv } from '../support/app.js';
import { provision, type Chat } from '../support/chats.js';
import { useTestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { startService, type Running } from '../support/processes.js';
import { useSandbox } from '../support/sandbox.js';

/** 3,000 messages of the longest kind are 98 MB: three transcripts of them are more than the process may hold. */
const MESSAGES = 3_000;
const BODY = 'x'.repeat(32_700);
const HEAP_MB = 128;
const PAGES = Math.ceil((MESSAGES + 1) / 100);
const FORMATS = ['json', 'text', 'html'];

const database = useTestDatabase();
const sandbox = useSandbox();
let service: Running;
let key: string;
let chat: Chat;

beforeAll(async () => {
  const env = serviceEnv(database.url, sandbox);
  key = env['BOOTSTRAP_API_KEY'] ?? '';
  service = await startService({ ...env, NODE_OPTIONS: `--max-old-space-size=${HEAP_MB}` });
  chat = await provision(new ApiClient(service.baseUrl, key));
  const path = `/v1/Conversations/${chat.twilioSid}/Messages`;
  const author = chat.bob.identity!.twilioIdentity;
  for (let said = 0; said < MESSAGES; said += 20) {
    const forms = Array.from({ length: 20 }, (_, n): [string, string][] => [
      ['Author', author],
      ['Body', `${said + n} ${BODY}`],
    ]);
    await Promise.all(forms.map((form) => sandbox.write('POST', path, form)));
  }
}, 120_000);

afterEach(() => sandbox.clearFaults());
afterAll(() => service.end());

/** Asks, and reads nothing yet. */
function open(format: string): Promise<IncomingMessage> {
  const url = `${service.baseUrl}${chat.path}/transcript?format=${format}`;
  return new Promise((resolve, reject) => {
    get(url, { agent: false, headers: { authorization: `Bearer ${key}` } }, resolve).on('error', reject);
  });
}

const pagesAsked = async (since: number) =>
  (await sandbox.requests(since)).filter(({ method, path }) => method === 'GET' && path.endsWith('/Messages'))
    .length;

/** How many pages Twilio has been asked for when nothing more is asked. */
async function untilStill(since: number): Promise<number> {
  let [before, still] = [-1, 0];
  return eventually(async () => {
    const now = await pagesAsked(since);
    still = now === before ? still + 1 : 0;
    before = now;
    expect(still).toBeGreaterThan(20);
    return now;
  });
}

it('Transcripts that are larger than the memory of the process are whole, in every format at once', async () => {
  const [json, plain, html] = await Promise.all(FORMATS.map(async (format) => text(await open(format))));
  const { messages } = JSON.parse(json!) as { messages: { index: number; body: string }[] };
  expect(messages).toHaveLength(MESSAGES + 1);
  expect(messages.every(({ index }, n) => n === 0 || index > messages[n - 1]!.index)).toBe(true);
  expect(new Set(messages.map(({ body }) => body)).size).toBe(MESSAGES + 1);
  expect(plain!.match(/^\[.*\] Bob \(customer\): \d+ x+$/gm)).toHaveLength(MESSAGES);
  expect(plain).toMatch(new RegExp(`\nEnd of transcript, messages: ${MESSAGES + 1}\n$`));
  expect(html!.match(/<article>/g)).toHaveLength(MESSAGES + 1);
  expect(html!.endsWith('</html>\n')).toBe(true);
}, 60_000);

it('Twilio is asked for no more than is read', async () => {
  const since = await sandbox.last();
  const answer = await open('json');
  expect(await untilStill(since)).toBeLessThan(PAGES / 2);
  const { messages } = JSON.parse(await text(answer)) as { messages: unknown[] };
  expect(messages).toHaveLength(MESSAGES + 1);
  expect(await pagesAsked(since)).toBe(PAGES);
}, 30_000);

it('Twilio’s 429 on the way is waited out', async () => {
  const since = await sandbox.last();
  const answer = await open('text');
  await untilStill(since);
  await sandbox.fault(
    { method: 'GET', path: '/Messages$', times: 1 },
    { type: 'status', status: 429, retryAfterSeconds: 3 },
  );
  expect(await text(answer)).toMatch(new RegExp(`messages: ${MESSAGES + 1}\n$`));
  const faults = (await sandbox.requests(since)).filter(({ fault }) => fault !== null);
  expect(faults).toHaveLength(1);
}, 30_000);

it.each(FORMATS)(
  'What fails for good on the way breaks the connection off: %s is seen to be incomplete',
  async (format) => {
    const since = await sandbox.last();
    const answer = await open(format);
    await untilStill(since);
    await sandbox.fault(
      { method: 'GET', path: '/Messages$', times: 100 },
      { type: 'status', status: 401, code: 20003 },
    );
    let got = '';
    answer.setEncoding('utf8').on('data', (chunk: string) => (got += chunk));
    await expect(
      new Promise((resolve, reject) => answer.on('end', resolve).on('error', reject)),
    ).rejects.toThrow();
    expect(got.length).toBeGreaterThan(0);
    expect(got).not.toMatch(/End of transcript|\]\}$/);
  },
);

it('When the reader has gone, nothing more is asked', async () => {
  const since = await sandbox.last();
  const answer = await open('json');
  const asked = await untilStill(since);
  const logged = service.output().length;
  answer.on('error', () => undefined).destroy();
  expect(await untilStill(since)).toBe(asked);
  expect(service.output().slice(logged)).not.toMatch(/"level":(50|60)/);
});
