import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setImmediate, setTimeout as delay } from 'node:timers/promises';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { loadConfig } from '../config/app-config.js';
import { TwilioError } from './twilio-error.js';
import { TwilioGateway } from './twilio.gateway.js';

const KEY_SID = `SK${'2'.repeat(32)}`;
const SECRET = 'a-secret-of-the-api-key';
const IS = `IS${'1'.repeat(32)}`;
const CH = `CH${'2'.repeat(32)}`;
const MB = `MB${'3'.repeat(32)}`;
const IM = `IM${'4'.repeat(32)}`;
const RL = `RL${'5'.repeat(32)}`;
const at = { serviceSid: IS };
const date_created = '2026-01-02T03:04:05Z';
const conversation = {
  sid: CH,
  chat_service_sid: IS,
  state: 'active',
  attributes: '{}',
  timers: {},
  date_created,
};

type Answer = { status?: number; headers?: Record<string, string>; body: unknown } | 'cut';

/** What the server was sent, and what it says next; without anything left to say it is the last answer again. */
let seen: string[];
let answers: Answer[];
let answer: (request: IncomingMessage) => Answer | Promise<Answer>;
let server: Server;
let gateway: TwilioGateway;

function makeGateway(overrides: Record<string, string> = {}): TwilioGateway {
  return new TwilioGateway(
    loadConfig({
      DATABASE_URL: 'postgres://localhost/unused',
      TWILIO_ACCOUNT_SID: `AC${'1'.repeat(32)}`,
      TWILIO_API_KEY_SID: KEY_SID,
      TWILIO_API_KEY_SECRET: SECRET,
      TWILIO_CHAT_SERVICE_SID: IS,
      TWILIO_API_BASE_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      ...overrides,
    }),
  );
}

async function serve(request: IncomingMessage): Promise<Answer> {
  let body = '';
  for await (const chunk of request) body += String(chunk);
  seen.push(`${request.method} ${request.url}${body && ` ${decodeURIComponent(body)}`}`);
  return answer(request);
}

beforeEach(async () => {
  seen = [];
  answers = [{ body: conversation }];
  answer = () => (answers.length > 1 ? answers.shift() : answers[0]) as Answer;
  server = createServer((request, response) => {
    void serve(request).then((said) => {
      if (said === 'cut') return request.socket.destroy();
      response.writeHead(said.status ?? 200, said.headers);
      return response.end(said.status === 204 ? undefined : JSON.stringify(said.body));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  gateway = makeGateway();
});

afterEach(async () => {
  await gateway.onApplicationShutdown();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

function failed(status: number, code: number, headers: Record<string, string> = {}): Answer {
  return { status, headers, body: { code, message: 'said', status } };
}

function page(key: string, rows: unknown[], next: string | null = null): Answer {
  return { body: { meta: { key, next_page_url: next }, [key]: rows } };
}

describe('a change', () => {
  it('is sent once, whatever comes of it', async () => {
    const rounds: [Answer, string][] = [
      [failed(429, 20429), 'rate_limited'],
      [failed(409, 50449), 'conflict'],
      [failed(503, 20503), 'unknown'],
      ['cut', 'unknown'],
      [{ body: { ...conversation, sid: 'CH1' } }, 'unknown'],
      [{ body: {} }, 'unknown'],
    ];
    for (const [said, kind] of rounds) {
      seen = [];
      answers = [said];
      const sent = gateway.createConversation(at, { uniqueName: 'cvk_1' });
      await expect(sent).rejects.toMatchObject({ name: 'TwilioError', kind });
      expect(seen).toEqual([`POST /v1/Services/${IS}/Conversations UniqueName=cvk_1`]);
    }
  });

  it('asks beforeSend right before it goes out; when that throws, nothing goes out', async () => {
    const lost = new Error('the lease is lost');
    const refuse = () => Promise.reject(lost);
    await expect(gateway.deleteConversation({ ...at, beforeSend: refuse }, CH)).rejects.toBe(lost);
    await expect(gateway.findConversation({ ...at, beforeSend: refuse }, CH)).rejects.toBe(lost);
    await expect(gateway.createService('x', { beforeSend: refuse })).rejects.toBe(lost);
    expect(seen).toEqual([]);
    await gateway.findConversation({ ...at, beforeSend: () => void seen.push('asked') }, CH);
    expect(seen).toEqual(['asked', `GET /v1/Services/${IS}/Conversations/${CH}`]);
  });

  it('gives a state along with timers, without which Twilio takes none', async () => {
    await gateway.createConversation(at, {
      uniqueName: 'cvk_1',
      timers: { inactive: 'PT1H', closed: 'P1D' },
    });
    expect(seen[0]).toMatch(/ UniqueName=cvk_1&State=active&Timers.Inactive=PT1H&Timers.Closed=P1D$/);
  });

  it('is done when it was to remove what is not there', async () => {
    for (const code of [20404, 50350, 50432]) {
      answers = [failed(404, code)];
      await gateway.deleteConversation(at, CH);
      await gateway.removeParticipant(at, CH, MB);
      await gateway.deleteMessage(at, CH, IM);
    }
    answers = [failed(404, 50100)];
    await gateway.deleteRole(at, RL);
    answers = [{ status: 204, body: null }];
    await gateway.deleteService(IS);
    expect(seen).toHaveLength(11);
    answers = [{ status: 403, body: {} }];
    await expect(gateway.deleteConversation(at, CH)).rejects.toMatchObject({ kind: 'blocked', auth: true });
  });
});

describe('a reading', () => {
  it.each([
    ['a 429', failed(429, 20429, { 'retry-after': '0' })],
    ['a conflict', failed(409, 50449)],
    ['a cut connection', 'cut' as const],
  ])('is repeated after %s, each time asking beforeSend', async (_, trouble) => {
    answers = [trouble, trouble, { body: conversation }];
    const beforeSend = vi.fn();
    await expect(gateway.findConversation({ ...at, beforeSend }, CH)).resolves.toMatchObject({ sid: CH });
    expect([seen.length, beforeSend.mock.calls.length]).toEqual([3, 3]);
  });

  it('is given up after three attempts', async () => {
    answers = [failed(429, 20429)];
    await expect(gateway.findConversation(at, CH)).rejects.toMatchObject({ kind: 'rate_limited' });
    expect(seen).toHaveLength(3);
  });

  it('waits as long as Twilio asks, but leaves a long wait to the caller', async () => {
    answers = [failed(429, 20429, { 'retry-after': '1' }), { body: conversation }];
    const begun = performance.now();
    await gateway.findConversation(at, CH);
    expect(performance.now() - begun).toBeGreaterThanOrEqual(995);
    seen = [];
    answers = [failed(429, 20429, { 'retry-after': '60' })];
    await expect(gateway.findConversation(at, CH)).rejects.toMatchObject({ retryAfterMs: 60_000 });
    expect(seen).toHaveLength(1);
  });

  it('is not repeated where that would not help', async () => {
    for (const said of [failed(500, 20500), failed(401, 20003), failed(400, 20001), { body: [] }]) {
      seen = [];
      answers = [said];
      await expect(gateway.findConversation(at, CH)).rejects.toBeInstanceOf(TwilioError);
      expect(seen).toHaveLength(1);
    }
  });

  it('is null for what is not there, and not for what only a proxy misses', async () => {
    answers = [failed(404, 20404)];
    await expect(gateway.findConversation(at, 'cvk_1')).resolves.toBeNull();
    await expect(gateway.findParticipant(at, CH, 'agent-7')).resolves.toBeNull();
    await expect(gateway.findService(IS)).resolves.toBeNull();
    answers = [{ status: 404, body: 'no such host' }];
    await expect(gateway.findConversation(at, 'cvk_1')).rejects.toMatchObject({ kind: 'blocked' });
  });
});

describe('a list', () => {
  it('always says how many rows a page has, within what Twilio allows', async () => {
    answers = [page('rows', [])];
    await gateway.listParticipants(at, CH);
    await gateway.listParticipants(at, CH, { limit: 5000 });
    await gateway.listMessages(at, CH, { order: 'desc', limit: 1 });
    await gateway.pageMessages(at, CH);
    await gateway.pageMessages(at, CH, { pageSize: 7, from: { page: 3, token: 'PT/x=&y' } });
    await gateway.pageConversations(at, { from: { page: 1, token: 'PTx' } });
    for await (const _ of gateway.eachMessage(at, CH, { pageSize: 10 }));
    await gateway.listRoles(at);
    await gateway.listServices({ limit: 200 });
    await gateway.listUserConversations(at, 'agent-7');
    expect(seen.map((line) => line.split('?')[1])).toEqual([
      'PageSize=100',
      'PageSize=100',
      'Order=desc&PageSize=1',
      'Order=asc&PageSize=100',
      'Order=asc&PageSize=7&Page=3&PageToken=PT%2Fx%3D%26y',
      'PageSize=100&Page=1&PageToken=PTx',
      'Order=asc&PageSize=10',
      'PageSize=50',
      'PageSize=100',
      'PageSize=50',
    ]);
    await expect(gateway.listRoles(at, { pageSize: 51 })).rejects.toThrow(RangeError);
    await expect(gateway.listMessages(at, CH, { pageSize: 0 })).rejects.toThrow(RangeError);
  });

  it('does not take a next page that cannot be asked for again for the end', async () => {
    answers = [page('messages', [], `https://conversations.twilio.com/v1/Services/${IS}/Elsewhere?Page=1`)];
    await expect(gateway.pageMessages(at, CH)).rejects.toMatchObject({ kind: 'unknown', reason: 'server' });
  });

  it('goes from page to page, stops at its limit, and never leaves its origin', async () => {
    const role = (n: number) => ({ sid: `RL${String(n).padStart(32, '0')}`, permissions: [], date_created });
    const next = `https://conversations.twilio.com/v1/Services/${IS}/Roles?PageSize=2&Page=1&PageToken=PT1`;
    answers = [page('roles', [role(1), role(2)], next), page('roles', [role(3), role(4)])];
    const rows = await gateway.listRoles(at, { limit: 3 });
    expect(rows.map((row) => Number(row.sid.slice(2)))).toEqual([1, 2, 3]);
    expect(seen[1]).toBe(`GET /v1/Services/${IS}/Roles?PageSize=2&Page=1&PageToken=PT1`);
    seen = [];
    answers = [page('roles', [role(1), role(2)], next)];
    await gateway.listRoles(at, { limit: 2 });
    expect(seen).toHaveLength(1);
  });
});

describe('the bound on concurrency', () => {
  it('holds, and waiting for a turn does not count against the time-out', async () => {
    const narrow = makeGateway({ TWILIO_MAX_CONCURRENCY: '2', TWILIO_CALL_TIMEOUT_MS: '1000' });
    const beforeSend = vi.fn(() => delay(1100));
    const calls = Promise.all([1, 2, 3, 4, 5].map(() => narrow.findConversation({ ...at, beforeSend }, CH)));
    await setImmediate();
    expect(beforeSend).toHaveBeenCalledTimes(2);
    beforeSend.mockResolvedValue(undefined);
    await expect(calls).resolves.toHaveLength(5);
    await narrow.onApplicationShutdown();
  });
});

describe('the SDK', () => {
  it('prints nothing, and keeps no secret where it could be seen', async () => {
    const printed = (['log', 'info', 'warn', 'error', 'debug'] as const).map((name) =>
      vi.spyOn(console, name).mockImplementation(() => {}),
    );
    await gateway.findConversation(at, CH);
    answers = [failed(401, 20003)];
    const error: unknown = await gateway.listRoles(at).catch((reason: unknown) => reason);
    for (const spy of printed) expect(spy).not.toHaveBeenCalled();
    vi.restoreAllMocks();
    const shown = inspect([gateway, error], { depth: null, showHidden: true });
    expect(shown).not.toContain(SECRET);
    expect(shown).not.toContain(Buffer.from(`${KEY_SID}:${SECRET}`).toString('base64'));
  });
});
