import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { callerWith } from '../support/access.js';
import { unique, useApp } from '../support/app.js';
import { addressPair, contentsOf, namesIn, provision, roleAtTwilio, type Chat } from '../support/chats.js';
import { clear, drift, findings, whenAtRest, type DriftPage } from '../support/drift.js';
import { eventually } from '../support/eventually.js';
import { FAULTS } from '../support/faults.js';

const test = useApp({ LEASE_MS: '2000', TWILIO_CALL_TIMEOUT_MS: '1000' });
const { sandbox } = test;

let chat: Chat;
const atTwilio = (): string => `/v1/Conversations/${chat.twilioSid}`;
const memberPath = (sid: string): string => `${atTwilio()}/Participants/${sid}`;
const post = (path: string, form: Record<string, string>) =>
  sandbox.write<{ sid: string }>('POST', path, Object.entries(form));
const repairOf = async (body: object, options = {}): Promise<DriftPage> =>
  (await test.api.post<DriftPage>('/v1/drift/repair', body, 200, options)).body;

beforeEach(async () => void (chat = await provision(test.api)));
afterEach(async () => {
  await sandbox.clearFaults();
  await clear(test);
});

describe('With `readd`', () => {
  it('who was removed at Twilio is had in again, with his role, as the same participant', async () => {
    await sandbox.write('DELETE', memberPath(chat.bob.twilioSid));
    const repaired = await findings(test.api, { repair: { readd: true } });
    const again = { kind: 'participant_missing', outcome: 'repaired', detail: 'Had in again.' };
    expect(repaired).toMatchObject([again]);
    expect(await namesIn(test, chat)).toEqual(['Ada', 'Bob']);
    const { body } = await test.api.get<Chat>(chat.path, 200);
    expect(body.participants[1]).toMatchObject({ id: chat.bob.id, role: 'customer', state: 'joined' });
    expect(await whenAtRest(test.api)).toEqual([]);
  });

  it('he stays out where Twilio refuses him: that is said, and adopted', async () => {
    await sandbox.write('DELETE', memberPath(chat.bob.twilioSid));
    const refusal = { type: 'status', status: 400, code: 50417 };
    await sandbox.fault({ method: 'POST', path: '/Participants$' }, refusal);
    const repaired = await findings(test.api, { repair: { readd: true } });
    const adopted = { outcome: 'repaired', detail: expect.stringMatching(/^Not had in again: /) };
    expect(repaired).toMatchObject([adopted]);
    expect(await namesIn(test, chat)).toEqual(['Ada']);
    expect(await whenAtRest(test.api)).toEqual([]);
  });

  it('an address that is in use elsewhere by now stays out', async () => {
    const pair = addressPair();
    const people = [{ kind: 'customer', ...pair, externalId: unique('sms') }];
    chat = await provision(test.api, { participants: people });
    await sandbox.write('DELETE', memberPath(chat.participants[0]!.twilioSid));
    await provision(test.api, { participants: people });
    expect(await findings(test.api, { repair: { readd: true } })).toMatchObject([
      {
        kind: 'participant_missing',
        outcome: 'repaired',
        detail: expect.stringContaining('Not had in again'),
      },
    ]);
    expect(await whenAtRest(test.api)).toEqual([]);
  });

  it('nobody is had in again in a conversation that is closed', async () => {
    await sandbox.write('DELETE', memberPath(chat.bob.twilioSid));
    await post(atTwilio(), { State: 'closed' });
    const repaired = await findings(test.api, { repair: { readd: true } });
    expect(repaired.map(({ kind, outcome }) => [kind, outcome])).toEqual([
      ['conversation_state', 'repaired'],
      ['participant_missing', 'repaired'],
    ]);
    expect(await namesIn(test, chat)).toEqual(['Ada']);
  });
});

describe('A repair', () => {
  it.each(Object.entries(FAULTS))(
    'is done once, and all of it, although %s',
    async (_, fault) => {
      await sandbox.write('DELETE', memberPath(chat.ada.twilioSid));
      const RoleSid = await roleAtTwilio(sandbox, unique('root'), ['sendMessage']);
      await post(memberPath(chat.bob.twilioSid), { RoleSid });
      await post(`${atTwilio()}/Participants`, { Identity: 'intruder' });
      await post(atTwilio(), { FriendlyName: 'Another' });
      for (const [method, path] of [
        ['DELETE', '/Participants/'],
        ['POST', '/Participants/'],
        ['POST', '/Participants$'],
      ])
        await sandbox.fault({ method, path, times: 1 }, fault);
      const found = await repairOf({ readd: true }, { headers: { prefer: 'wait=30' } });
      expect(found.data.map(({ kind, outcome }) => `${kind} ${outcome}`).sort()).toEqual([
        'conversation_friendly_name repaired',
        'participant_extra repaired',
        'participant_missing repaired',
        'participant_role repaired',
      ]);
      expect(await eventually(() => whenAtRest(test.api), 20_000)).toEqual([]);
      expect(await namesIn(test, chat)).toEqual(['Ada', 'Bob']);
    },
    60_000,
  );

  it('that takes longer than the caller waits goes on without him', async () => {
    await post(`${atTwilio()}/Participants`, { Identity: 'intruder' });
    await sandbox.fault(
      { method: 'DELETE', path: '/Participants/', times: 3 },
      { type: 'status', status: 500 },
    );
    const page = await repairOf({}, { headers: { prefer: 'wait=0' } });
    expect(page.data).toMatchObject([{ kind: 'participant_extra', outcome: 'pending' }]);
    expect(await eventually(() => whenAtRest(test.api), 20_000)).toEqual([]);
  }, 30_000);

  it('of what Twilio refuses for good, or by a code that nobody knows, is left, and holds up nothing', async () => {
    await post(`${atTwilio()}/Participants`, { Identity: 'intruder' });
    const strange = { type: 'status', status: 400, code: 59999 };
    await sandbox.fault({ method: 'DELETE', path: '/Participants/', times: 1 }, strange);
    const left = { kind: 'participant_extra', outcome: 'left', detail: expect.stringContaining('59999') };
    expect((await repairOf({})).data).toMatchObject([left]);
    await test.api.patch(chat.path, { friendlyName: 'goes on' }, 200);
    expect((await repairOf({})).data).toMatchObject([{ kind: 'participant_extra', outcome: 'repaired' }]);
  });

  it('by several callers at once is one repair', async () => {
    await post(`${atTwilio()}/Participants`, { Identity: 'intruder' });
    const since = await sandbox.last();
    const pages = await Promise.all(Array.from({ length: 5 }, () => repairOf({})));
    const outcomes = pages.flatMap(({ data, inMotion }) => [
      ...data.map(({ outcome }) => outcome),
      ...inMotion,
    ]);
    for (const outcome of outcomes) expect(['repaired', chat.id]).toContain(outcome);
    expect(outcomes).toContain('repaired');
    const removals = (await sandbox.requests(since)).filter(({ method }) => method === 'DELETE');
    expect(removals.filter(({ status }) => status === 204)).toHaveLength(1);
    expect(await whenAtRest(test.api)).toEqual([]);
  });
});

describe('POST /v1/drift/repair', () => {
  it('200: those that are named alone, by our id or CH…', async () => {
    const [other, third] = [await provision(test.api), await provision(test.api)];
    for (const { twilioSid } of [chat, other, third])
      await post(`/v1/Conversations/${twilioSid}`, { FriendlyName: 'Another' });
    const page = await repairOf({ conversations: [chat.id, other.twilioSid, chat.twilioSid] });
    expect(page).toMatchObject({ part: 'conversations', checked: 2, inMotion: [], nextCursor: null });
    expect(page.data.map(({ conversation }) => conversation?.id).sort()).toEqual([chat.id, other.id].sort());
    expect(await findings(test.api)).toMatchObject([{ conversation: { id: third.id } }]);
  });

  it('404: names what is not there; 409: what was never provisioned', async () => {
    await test.api.post('/v1/drift/repair', { conversations: [chat.id, unique('x')] }, 404);
    await sandbox.fault(
      { method: 'POST', path: '/Participants$' },
      { type: 'status', status: 400, code: 50407 },
    );
    const { body } = await test.api.post(
      '/v1/conversations',
      { participants: [{ kind: 'bot', externalId: unique('b') }] },
      422,
    );
    const { id } = body.conversation;
    const { body: failed } = await test.api.post('/v1/drift/repair', { conversations: [id] }, 409);
    expect(failed.code).toBe('conversation_failed');
  });

  it('400: what is no such body', async () => {
    for (const body of [
      { conversations: [] },
      { conversations: [1] },
      { conversations: Array.from({ length: 101 }, () => chat.id) },
      { conversations: [chat.id], cursor: 'x' },
      { readd: 'yes' },
      { cursor: 'x' },
      { limit: 0 },
      { unknown: 1 },
    ])
      await test.api.post('/v1/drift/repair', body, 400);
  });

  it('403: without the scope admin', async () => {
    const caller = await callerWith(test.api, 'conversations:write', 'roles:write');
    await caller.post('/v1/drift/repair', {}, 403);
  });

  it('502: bad credentials, and nothing was changed', async () => {
    await post(`${atTwilio()}/Participants`, { Identity: 'intruder' });
    const refused = { type: 'status', status: 401, code: 20003 };
    await sandbox.fault({ path: '/Conversations', times: 100 }, refused);
    const { body } = await test.api.post('/v1/drift/repair', {}, 502);
    expect(body.code).toBe('upstream_auth_failed');
    await sandbox.clearFaults();
    expect((await contentsOf(sandbox, chat.twilioSid)).participants).toHaveLength(3);
    const pages = await drift(test.api);
    expect(pages.flatMap(({ inMotion }) => inMotion)).toEqual([]);
  });
});
