import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { loadConfig, type AppConfig } from '../../src/config/app-config.js';
import { startSandbox, type RunningSandbox } from '../../src/sandbox/server.js';
import { AccessTokens } from '../../src/twilio/access-tokens.js';
import type { TwilioError } from '../../src/twilio/twilio-error.js';
import { TwilioGateway } from '../../src/twilio/twilio.gateway.js';

const ADDRESS = { address: '+15551230000', proxyAddress: '+15559990000' };

let sandbox: RunningSandbox;
let gateway: TwilioGateway;
let at: { serviceSid: string };

async function control(method: string, path: string, body?: unknown): Promise<unknown> {
  const response = await fetch(`${sandbox.baseUrl}/sandbox/${path}`, {
    method,
    headers: body === undefined ? {} : { 'Content-Type': 'application/json' },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  expect(response.ok, `${method} ${path}: ${response.status}`).toBe(true);
  const text = await response.text();
  return text === '' ? null : JSON.parse(text);
}

/** The next `times` requests that match meet this fault. */
function fault(method: string, path: string, what: Record<string, unknown>, times = 1): Promise<unknown> {
  return control('POST', 'faults', { match: { method, path, times }, fault: what });
}

async function requests(method: string) {
  type Seen = { method: string; path: string; parameters: Record<string, unknown> };
  const { requests: all } = (await control('GET', 'requests?since=0')) as { requests: Seen[] };
  return all.filter((one) => one.method === method);
}

function fails(sent: Promise<unknown>, expected: Partial<TwilioError>): Promise<void> {
  return expect(sent).rejects.toMatchObject({ name: 'TwilioError', ...expected });
}

/** The service's configuration, with the sandbox in Twilio's place. */
function configured(overrides: Record<string, string> = {}): AppConfig {
  const { config, baseUrl } = sandbox;
  return loadConfig({
    DATABASE_URL: 'postgres://localhost/unused',
    TWILIO_ACCOUNT_SID: config.accountSid,
    TWILIO_API_KEY_SID: config.apiKeySid,
    TWILIO_API_KEY_SECRET: config.apiKeySecret,
    TWILIO_CHAT_SERVICE_SID: config.chatServiceSid,
    TWILIO_API_BASE_URL: baseUrl,
    TWILIO_CALL_TIMEOUT_MS: '1000',
    ...overrides,
  });
}

beforeAll(async () => {
  sandbox = await startSandbox();
  at = { serviceSid: sandbox.config.chatServiceSid };
  gateway = new TwilioGateway(configured());
});

afterAll(async () => {
  await gateway?.onApplicationShutdown();
  await sandbox?.stop();
});

beforeEach(() => control('POST', 'reset', {}));

describe('conversations', () => {
  it('are made with a unique name and timers, found by it, changed and removed', async () => {
    const timers = { inactive: 'PT1H', closed: 'P1D' };
    const { sid } = await gateway.createConversation(at, {
      uniqueName: 'cvk_1',
      friendlyName: 'One',
      timers,
    });
    const made = (await gateway.findConversation(at, 'cvk_1'))!;
    expect(made).toMatchObject({
      sid,
      chatServiceSid: at.serviceSid,
      uniqueName: 'cvk_1',
      friendlyName: 'One',
      state: 'active',
      attributes: '{}',
    });
    expect(made.timers.dateInactive!.getTime() - made.dateCreated.getTime()).toBeCloseTo(3_600_000, -4);
    await expect(gateway.findConversation(at, made.sid)).resolves.toEqual(made);
    const change = { friendlyName: null, attributes: '{"a":"é & +"}', timers: { inactive: 'PT0S' } };
    const changed = await gateway.updateConversation(at, made.sid, change);
    expect(changed.friendlyName ?? '').toBe('');
    expect(changed).toMatchObject({ uniqueName: 'cvk_1', attributes: '{"a":"é & +"}' });
    expect(changed.timers.dateInactive).toBeNull();
    await gateway.deleteConversation(at, made.sid);
    await gateway.deleteConversation(at, made.sid);
    await expect(gateway.findConversation(at, made.sid)).resolves.toBeNull();
    await expect(gateway.findConversation(at, 'cvk_1')).resolves.toBeNull();
  });

  it('answer already_exists for a unique name that is taken, closed once closed, refused for a bad timer', async () => {
    const { sid } = await gateway.createConversation(at, { uniqueName: 'cvk_1' });
    await fails(gateway.createConversation(at, { uniqueName: 'cvk_1' }), {
      kind: 'already_exists',
      code: 50353,
    });
    const timers = { inactive: 'PT1S' };
    await fails(gateway.createConversation(at, { uniqueName: 'cvk_2', timers }), {
      kind: 'refused',
      code: 50375,
    });
    await gateway.updateConversation(at, sid, { state: 'closed' });
    await fails(gateway.updateConversation(at, sid, { attributes: '{}' }), { kind: 'closed' });
    await fails(gateway.addParticipant(at, sid, { identity: 'late' }), { kind: 'closed' });
  });
});

describe('participants', () => {
  it('join by identity with a role, or by address, and leave', async () => {
    const { sid } = await gateway.createConversation(at, { uniqueName: 'cvk_1' });
    const role = (await gateway.listRoles(at)).find((one) => one.type === 'conversation')!;
    const who = { identity: 'agent-7', roleSid: role.sid, attributes: '{"n":1}' };
    const made = [
      await gateway.addParticipant(at, sid, who),
      await gateway.addParticipant(at, sid, ADDRESS),
    ] as const;
    const agent = (await gateway.findParticipant(at, sid, 'agent-7'))!;
    expect(agent).toMatchObject({ ...made[0], ...who, messagingBinding: null });
    const customer = (await gateway.findParticipant(at, sid, made[1].sid))!;
    expect(customer).toMatchObject({ ...made[1], identity: null, roleSid: null, conversationSid: sid });
    expect(customer.messagingBinding).toEqual({ type: 'sms', projectedAddress: null, ...ADDRESS });
    await expect(gateway.findParticipant(at, sid, 'nobody')).resolves.toBeNull();
    const all = await gateway.listParticipants(at, sid, { pageSize: 1 });
    expect(all.map((one) => one.sid).sort()).toEqual([agent.sid, customer.sid].sort());
    const changed = await gateway.updateParticipant(at, sid, agent.sid, { attributes: '{"n":2}' });
    expect(changed).toMatchObject({ sid: agent.sid, roleSid: role.sid, attributes: '{"n":2}' });
    await gateway.removeParticipant(at, sid, agent.sid);
    await gateway.removeParticipant(at, sid, agent.sid);
    await expect(gateway.listParticipants(at, sid)).resolves.toHaveLength(1);
  });

  it('are already_exists when they are in, and when the pair is bound elsewhere, which is named', async () => {
    const first = await gateway.createConversation(at, { uniqueName: 'cvk_1' });
    const second = await gateway.createConversation(at, { uniqueName: 'cvk_2' });
    await gateway.addParticipant(at, first.sid, { identity: 'agent-7' });
    await gateway.addParticipant(at, first.sid, ADDRESS);
    await fails(gateway.addParticipant(at, first.sid, { identity: 'agent-7' }), {
      kind: 'already_exists',
      code: 50433,
      conflictingConversationSid: null,
    });
    await fails(gateway.addParticipant(at, second.sid, ADDRESS), {
      kind: 'already_exists',
      code: 50416,
      conflictingConversationSid: first.sid,
    });
    const bad = { ...ADDRESS, address: '+15005550001' };
    await fails(gateway.addParticipant(at, second.sid, bad), { kind: 'refused', code: 50407 });
    const unknownRole = { identity: 'x', roleSid: `RL${'0'.repeat(32)}` };
    await fails(gateway.addParticipant(at, second.sid, unknownRole), { kind: 'refused' });
  });
});

describe('messages', () => {
  it('are posted, found, changed and removed', async () => {
    const { sid } = await gateway.createConversation(at, { uniqueName: 'cvk_1' });
    const { sid: participantSid } = await gateway.addParticipant(at, sid, { identity: 'agent-7' });
    const greeting = await gateway.createMessage(at, sid, {
      body: 'Hello 👋 & welcome+',
      attributes: '{"convoke":"1"}',
    });
    expect(greeting).toMatchObject({
      index: 0,
      author: 'system',
      participantSid: null,
      body: 'Hello 👋 & welcome+',
    });
    const said = await gateway.createMessage(at, sid, { author: 'agent-7', body: 'Hi' });
    expect(said).toMatchObject({ author: 'agent-7', participantSid, media: [], attributes: '{}' });
    await expect(gateway.findMessage(at, sid, greeting.sid)).resolves.toEqual(greeting);
    const changed = await gateway.updateMessage(at, sid, said.sid, { body: 'Hi!' });
    expect(changed).toMatchObject({ sid: said.sid, author: 'agent-7', body: 'Hi!' });
    await gateway.deleteMessage(at, sid, said.sid);
    await gateway.deleteMessage(at, sid, said.sid);
    await expect(gateway.findMessage(at, sid, said.sid)).resolves.toBeNull();
  });

  it('are read in order, page by page, each page with its size', async () => {
    const { sid } = await gateway.createConversation(at, { uniqueName: 'cvk_1' });
    for (const body of ['0', '1', '2', '3', '4']) await gateway.createMessage(at, sid, { body });
    const bodies = (rows: { body: string | null }[]) => rows.map((row) => row.body).join('');
    expect(bodies(await gateway.listMessages(at, sid, { pageSize: 2 }))).toBe('01234');
    expect(bodies(await gateway.listMessages(at, sid, { order: 'desc', pageSize: 2, limit: 3 }))).toBe('432');
    const found = [];
    for await (const message of gateway.eachMessage(at, sid, { order: 'desc', pageSize: 2 })) {
      found.push(message);
      if (message.body === '3') break;
    }
    expect(bodies(found)).toBe('43');
    const first = await gateway.pageMessages(at, sid, { pageSize: 2 });
    const second = await gateway.pageMessages(at, sid, { pageSize: 2, from: first.next });
    const third = await gateway.pageMessages(at, sid, { pageSize: 2, from: second.next });
    expect([first, second, third].map((page) => bodies(page.messages))).toEqual(['01', '23', '4']);
    expect(third.next).toBeNull();
    for (const { path, parameters } of await requests('GET')) {
      expect([path, Number(parameters['PageSize'])]).toEqual([expect.stringMatching(/\/Messages$/), 2]);
    }
  });
});

describe('chat services, roles and users', () => {
  it('chat services are made, listed and removed', async () => {
    const made = await gateway.createService('Second cvk_1');
    expect(made).toMatchObject({ friendlyName: 'Second cvk_1' });
    await expect(gateway.findService(made.sid)).resolves.toEqual(made);
    expect((await gateway.listServices({ pageSize: 1 })).map((one) => one.sid)).toContain(made.sid);
    await expect(gateway.findDefaultTimers()).resolves.toEqual({});
    await gateway.deleteService(made.sid);
    await gateway.deleteService(made.sid);
    await expect(gateway.findService(made.sid)).resolves.toBeNull();
  });

  it('roles are made, replaced, found and removed', async () => {
    const role = { friendlyName: 'Agent cvk_1', type: 'conversation' as const, permissions: ['sendMessage'] };
    const made = await gateway.createRole(at, role);
    expect(made).toMatchObject(role);
    const permissions = ['sendMessage', 'leaveConversation'];
    await expect(gateway.updateRole(at, made.sid, permissions)).resolves.toMatchObject({ permissions });
    await expect(gateway.findRole(at, made.sid)).resolves.toMatchObject({ ...role, permissions });
    expect((await gateway.listRoles(at, { pageSize: 2 })).map((one) => one.sid)).toContain(made.sid);
    await fails(gateway.createRole(at, { ...role, permissions: ['fly'] }), { kind: 'refused', code: 50104 });
    await gateway.deleteRole(at, made.sid);
    await gateway.deleteRole(at, made.sid);
    await expect(gateway.findRole(at, made.sid)).resolves.toBeNull();
  });

  it('users are made, found by identity, changed, and know their conversations', async () => {
    const made = await gateway.createUser(at, { identity: 'agent:7@x', friendlyName: 'Ada' });
    await expect(gateway.findUser(at, 'agent:7@x')).resolves.toEqual(made);
    await fails(gateway.createUser(at, { identity: 'agent:7@x' }), { kind: 'already_exists', code: 50201 });
    const { sid } = await gateway.createConversation(at, { uniqueName: 'cvk_1' });
    const { sid: participantSid } = await gateway.addParticipant(at, sid, { identity: 'agent:7@x' });
    await expect(gateway.listUserConversations(at, 'agent:7@x')).resolves.toEqual([
      { conversationSid: sid, participantSid, uniqueName: 'cvk_1', state: 'active' },
    ]);
    await expect(gateway.updateUser(at, made.sid, { friendlyName: 'A' })).resolves.toMatchObject({
      friendlyName: 'A',
    });
    await gateway.deleteUser(at, made.sid);
    await gateway.deleteUser(at, made.sid);
    await expect(gateway.findUser(at, 'agent:7@x')).resolves.toBeNull();
  });
});

describe('troubles', () => {
  it('a change whose answer is lost was sent once, is unknown, and is found by its unique name', async () => {
    await fault('POST', '/Conversations$', { type: 'reset-after' });
    await fails(gateway.createConversation(at, { uniqueName: 'cvk_1' }), {
      kind: 'unknown',
      reason: 'network',
    });
    expect(await requests('POST')).toHaveLength(1);
    await expect(gateway.findConversation(at, 'cvk_1')).resolves.toMatchObject({ uniqueName: 'cvk_1' });
  });

  it('a change that gets no answer in time is unknown, and not sent again', async () => {
    await fault('POST', '/Conversations$', { type: 'hang', applied: true });
    await fails(gateway.createConversation(at, { uniqueName: 'cvk_1' }), {
      kind: 'unknown',
      reason: 'timeout',
      status: null,
    });
    expect(await requests('POST')).toHaveLength(1);
  });

  it('a reading outlives two 429 and a cut connection, a change hands the first one on', async () => {
    const { sid } = await gateway.createConversation(at, { uniqueName: 'cvk_1' });
    await fault('GET', '/Conversations/', { type: 'status', status: 429, code: 20429 }, 2);
    await expect(gateway.findConversation(at, sid)).resolves.toMatchObject({ sid });
    await fault('GET', '/Conversations/', { type: 'reset-before' });
    await expect(gateway.findConversation(at, sid)).resolves.toMatchObject({ sid });
    await fault('POST', '/Messages$', { type: 'status', status: 429, code: 20429, retryAfterSeconds: 7 });
    await fails(gateway.createMessage(at, sid, { body: 'x' }), {
      kind: 'rate_limited',
      code: 20429,
      retryAfterMs: 7000,
    });
    await expect(gateway.listMessages(at, sid)).resolves.toEqual([]);
  });

  it('wrong credentials are blocked, and told from other blocks', async () => {
    const stranger = new TwilioGateway(configured({ TWILIO_API_KEY_SECRET: 'not-the-secret-of-this-key' }));
    await fails(stranger.listRoles(at), { kind: 'blocked', auth: true, code: 20003, status: 401 });
    await stranger.onApplicationShutdown();
  });
});

describe('access tokens', () => {
  it('are good for one person in one chat service, as long as they say', async () => {
    const minted = new AccessTokens(configured()).mint({ identity: 'agent-7', ttlSeconds: 180, ...at });
    const verified = (await control('POST', 'tokens/verify', { token: minted.token })) as {
      expiresAt: string;
    };
    expect(verified).toMatchObject({ valid: true, identity: 'agent-7', serviceSid: at.serviceSid });
    expect(new Date(verified.expiresAt)).toEqual(minted.expiresAt);
  });
});
