import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { v7 as uuidv7 } from 'uuid';
import { otherService } from '../support/access.js';
import { useApp } from '../support/app.js';
import { provision, supportChat, type Chat } from '../support/chats.js';
import { clear, drift, findings, whenAtRest } from '../support/drift.js';
import { eventually } from '../support/eventually.js';

const test = useApp({ LEASE_MS: '3000', TWILIO_CALL_TIMEOUT_MS: '1500' });
const { sandbox } = test;

const LONG_AGO = '2026-01-02T03:04:05Z';

/** A conversation that somebody else has made at Twilio. */
const made = (form: Record<string, string>, base = '/v1') =>
  sandbox.write<{ sid: string }>('POST', `${base}/Conversations`, Object.entries(form));

const isThere = async (sid: string): Promise<boolean> => {
  const { conversations } = await sandbox.twilio<{ conversations: { sid: string }[] }>(
    '/v1/Conversations?PageSize=100',
  );
  return conversations.some((one) => one.sid === sid);
};

// The first of all waits until the chat service has its roles.
beforeAll(() => eventually(() => test.api.get('/v1/drift', 200)));
afterEach(async () => {
  await sandbox.clearFaults();
  await clear(test);
});

describe('a conversation at Twilio that bears a name of ours', () => {
  it('and that no row knows is reported, left by a repair, and deleted when that is asked for', async () => {
    const UniqueName = `cvk_${uuidv7()}`;
    const { sid } = await made({ UniqueName, DateCreated: LONG_AGO });
    const orphan = {
      kind: 'conversation_orphan',
      conversation: { id: null, twilioSid: sid, externalRef: null },
      ours: null,
      twilio: { uniqueName: UniqueName, state: 'active' },
      repair: 'remove',
    };
    expect(await findings(test.api)).toMatchObject([orphan]);
    const left = { ...orphan, outcome: 'left', detail: expect.stringContaining('deleteOrphans') };
    expect(await findings(test.api, { repair: {} })).toMatchObject([left]);
    expect(await isThere(sid)).toBe(true);
    const gone = { ...orphan, outcome: 'repaired', detail: null };
    expect(await findings(test.api, { repair: { deleteOrphans: true } })).toMatchObject([gone]);
    expect(await isThere(sid)).toBe(false);
    expect(await findings(test.api)).toEqual([]);
  });

  it('is left while it is young, and where its name is none that we give', async () => {
    const young = await made({ UniqueName: `cvk_${uuidv7()}` });
    const strange = await made({ UniqueName: 'cvk_of-somebody', DateCreated: LONG_AGO });
    const upper = await made({ UniqueName: `cvk_${uuidv7().toUpperCase()}`, DateCreated: LONG_AGO });
    const left = await findings(test.api, { repair: { deleteOrphans: true } });
    const sids = [young, strange, upper].map(({ sid }) => sid);
    expect(left.map(({ conversation }) => conversation?.twilioSid).sort()).toEqual(sids.sort());
    for (const one of left) expect(one).toMatchObject({ repair: 'none', outcome: 'left' });
    for (const { sid } of [young, strange, upper]) expect(await isThere(sid)).toBe(true);
  });

  it('and whose row was deleted, or failed, goes with every repair', async () => {
    const deleted = await provision(test.api);
    await test.api.delete(deleted.path, 204);
    await sandbox.fault(
      { method: 'POST', path: '/Participants$' },
      { type: 'status', status: 400, code: 50407 },
    );
    const { body: problem } = await test.api.post('/v1/conversations', supportChat(), 422);
    await eventually(async () => {
      expect(await test.sql('select id from conversations where due_at is not null')).toEqual([]);
    });
    const failedId = problem.conversation.id as string;
    const sids = [];
    for (const id of [deleted.id, failedId]) sids.push((await made({ UniqueName: `cvk_${id}` })).sid);
    const found = await findings(test.api);
    const shown = found.map(({ kind, conversation, ours, repair }) => [kind, conversation?.id, ours, repair]);
    expect(shown.sort()).toEqual(
      [
        ['conversation_orphan', deleted.id, 'deleted', 'remove'],
        ['conversation_orphan', failedId, 'failed', 'remove'],
      ].sort(),
    );
    const repaired = await findings(test.api, { repair: {} });
    expect(repaired.map(({ outcome }) => outcome)).toEqual(['repaired', 'repaired']);
    for (const sid of sids) expect(await isThere(sid)).toBe(false);
    expect(await whenAtRest(test.api)).toEqual([]);
  });

  it('and that took the place of one that was deleted at Twilio is left until that is known here', async () => {
    const chat = await provision(test.api);
    await sandbox.write('DELETE', `/v1/Conversations/${chat.twilioSid}`);
    const { sid } = await made({ UniqueName: `cvk_${chat.id}`, DateCreated: LONG_AGO });
    const found = await findings(test.api);
    expect(found).toMatchObject([
      { kind: 'conversation_missing', conversation: { twilioSid: chat.twilioSid }, repair: 'adopt' },
      { kind: 'conversation_orphan', conversation: { id: chat.id, twilioSid: sid }, repair: 'none' },
    ]);
    await findings(test.api, { repair: {} });
    await findings(test.api, { repair: {} });
    expect(await isThere(sid)).toBe(false);
    expect(await whenAtRest(test.api)).toEqual([]);
  });

  it('is no matter of another chat service, and what bears no name of ours is nobody’s', async () => {
    const { id, admin } = await otherService(test.api);
    await eventually(() => provision(admin));
    const { body: service } = await test.api.get(`/v1/services/${id}`, 200);
    const base = `/v1/Services/${service.twilioSid}`;
    const theirs = await made({ UniqueName: `cvk_${uuidv7()}`, DateCreated: LONG_AGO }, base);
    await made({ UniqueName: 'case-7', DateCreated: LONG_AGO });
    await made({ DateCreated: LONG_AGO });
    expect(await findings(test.api, { repair: { deleteOrphans: true } })).toEqual([]);
    expect(await findings(admin)).toMatchObject([{ conversation: { twilioSid: theirs.sid } }]);
  });

  it('is found on whichever page of Twilio’s list it stands', async () => {
    const chats: Chat[] = [];
    for (let n = 0; n < 5; n += 1) chats.push(await provision(test.api));
    const { sid } = await made({ UniqueName: `cvk_${uuidv7()}`, DateCreated: LONG_AGO });
    const pages = await drift(test.api, { limit: 2 });
    const orphans = pages.filter(({ part }) => part === 'orphans');
    expect(orphans.map(({ checked }) => checked)).toEqual([2, 2, 2]);
    expect(orphans.flatMap(({ data }) => data)).toMatchObject([{ conversation: { twilioSid: sid } }]);
  });
});
