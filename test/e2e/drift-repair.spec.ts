import { afterEach, describe, expect, it } from 'vitest';
import { unique, useApp } from '../support/app.js';
import { addressPair, contentsOf, provision, roleAtTwilio, type Chat } from '../support/chats.js';
import { clear, findings, whenAtRest, type DriftFinding } from '../support/drift.js';

const test = useApp();
const { sandbox } = test;

let chat: Chat;
const atTwilio = (): string => `/v1/Conversations/${chat.twilioSid}`;
const memberPath = (sid: string): string => `${atTwilio()}/Participants/${sid}`;
const post = (path: string, form: Record<string, string>) =>
  sandbox.write<{ sid: string }>('POST', path, Object.entries(form));

interface Drift {
  /** Makes it behind our back. */
  make: () => Promise<unknown>;
  /** Of the chat that is provisioned before. */
  body?: () => object;
  found: () => Partial<DriftFinding>;
  /** What stands after the repair. */
  after: () => Promise<unknown>;
}

const members = async (): Promise<string[]> =>
  (await contentsOf(sandbox, chat.twilioSid)).participants.map(({ sid }) => sid);
const shown = async (): Promise<Chat & { friendlyName: string; attributes: object; timers: object }> =>
  (await test.api.get(chat.path, 200)).body;

const pair = addressPair();
const other = addressPair();

const DRIFTS: Record<string, Drift> = {
  'a conversation that was deleted at Twilio: adopted': {
    make: () => sandbox.write('DELETE', atTwilio()),
    found: () => ({ kind: 'conversation_missing', ours: 'active', twilio: null, repair: 'adopt' }),
    after: async () => {
      await test.api.get(chat.path, 404);
      await provision(test.api, { externalRef: chat.externalRef });
    },
  },
  'a conversation that was closed at Twilio: adopted, and never reopened': {
    make: () => post(atTwilio(), { State: 'closed' }),
    found: () => ({ kind: 'conversation_state', ours: 'active', twilio: 'closed', repair: 'adopt' }),
    after: async () => expect((await shown()).state).toBe('closed'),
  },
  'a conversation that became inactive at Twilio: adopted': {
    make: () => post(atTwilio(), { State: 'inactive' }),
    found: () => ({ kind: 'conversation_state', ours: 'active', twilio: 'inactive', repair: 'adopt' }),
    after: async () => {
      const { body } = await test.api.get('/v1/conversations?state=inactive', 200);
      expect(body.data).toMatchObject([{ id: chat.id }]);
    },
  },
  'a conversation that is closed here and open at Twilio: closed there': {
    make: () => test.sql(`update conversations set state = 'closed' where id = $1`, [chat.id]),
    found: () => ({ kind: 'conversation_state', ours: 'closed', twilio: 'active', repair: 'update' }),
    after: async () => expect(await sandbox.twilio(atTwilio())).toMatchObject({ state: 'closed' }),
  },
  'a timer that was turned off at Twilio: adopted': {
    body: () => ({ timers: { inactive: 'PT1H', closed: 'P1D' } }),
    make: () => post(atTwilio(), { 'Timers.Inactive': 'PT0S' }),
    found: () => ({
      kind: 'conversation_timers',
      ours: { inactive: 'PT1H', closed: 'P1D' },
      repair: 'adopt',
    }),
    after: async () => expect((await shown()).timers).toEqual({ inactive: null, closed: 'P1D' }),
  },
  'a timer that nobody asked for: turned off': {
    body: () => ({ timers: { inactive: 'PT1H' } }),
    make: () => post(atTwilio(), { 'Timers.Closed': 'PT10M' }),
    found: () => ({ kind: 'conversation_timers', ours: { inactive: 'PT1H' }, repair: 'update' }),
    after: async () => {
      const { timers } = await sandbox.twilio<{ timers: object }>(atTwilio());
      expect(Object.keys(timers)).toEqual(['date_inactive']);
    },
  },
  'a name that was changed at Twilio: adopted': {
    make: () => post(atTwilio(), { FriendlyName: 'Another' }),
    found: () => ({
      kind: 'conversation_friendly_name',
      ours: 'Order 4711',
      twilio: 'Another',
      repair: 'adopt',
    }),
    after: async () => expect((await shown()).friendlyName).toBe('Another'),
  },
  'attributes that were changed at Twilio: adopted': {
    make: () => post(atTwilio(), { Attributes: '{"crm":"other","n":[1]}' }),
    found: () => ({
      kind: 'conversation_attributes',
      ours: { crm: 'hubspot' },
      twilio: { crm: 'other', n: [1] },
      repair: 'adopt',
    }),
    after: async () => expect((await shown()).attributes).toEqual({ crm: 'other', n: [1] }),
  },
  'somebody who was removed at Twilio: adopted': {
    make: () => sandbox.write('DELETE', memberPath(chat.bob.twilioSid)),
    found: () => ({ kind: 'participant_missing', ours: chat.bob.twilioSid, twilio: null, repair: 'adopt' }),
    after: async () => {
      expect((await shown()).participants.map(({ id }) => id)).toEqual([chat.ada.id]);
      expect(await members()).toEqual([chat.ada.twilioSid]);
    },
  },
  'somebody who was removed and added at Twilio: adopted under the new sid': {
    make: async () => {
      const { participants } = await contentsOf(sandbox, chat.twilioSid);
      const { role_sid } = participants.find(({ sid }) => sid === chat.bob.twilioSid)!;
      await sandbox.write('DELETE', memberPath(chat.bob.twilioSid));
      const Identity = chat.bob.identity!.twilioIdentity;
      await post(`${atTwilio()}/Participants`, { Identity, RoleSid: role_sid! });
    },
    found: () => ({ kind: 'participant_replaced', ours: chat.bob.twilioSid, repair: 'adopt' }),
    after: async () =>
      expect((await shown()).participants.map(({ twilioSid }) => twilioSid)).toEqual(await members()),
  },
  'somebody who was added at Twilio: removed': {
    make: () => post(`${atTwilio()}/Participants`, { Identity: 'intruder' }),
    found: () => ({
      kind: 'participant_extra',
      ours: null,
      twilio: expect.objectContaining({ identity: 'intruder' }),
      repair: 'remove',
    }),
    after: async () => expect(await members()).toEqual([chat.ada.twilioSid, chat.bob.twilioSid]),
  },
  'somebody who was removed here and is in at Twilio: removed': {
    make: async () => {
      await test.api.delete(`${chat.path}/participants/${chat.bob.id}`, 204);
      await post(`${atTwilio()}/Participants`, { Identity: chat.bob.identity!.twilioIdentity });
    },
    found: () => ({
      kind: 'participant_extra',
      ours: 'removed',
      participant: expect.objectContaining({ id: chat.bob.id }),
      repair: 'remove',
    }),
    after: async () => expect(await members()).toEqual([chat.ada.twilioSid]),
  },
  'another role at Twilio: taken back': {
    make: async () => {
      const RoleSid = await roleAtTwilio(sandbox, unique('root'), ['sendMessage', 'deleteAnyMessage']);
      await post(memberPath(chat.bob.twilioSid), { RoleSid });
    },
    found: () => ({ kind: 'participant_role', repair: 'update' }),
    after: async () => {
      const { participants } = await contentsOf(sandbox, chat.twilioSid);
      const { role_sid } = participants.find(({ sid }) => sid === chat.bob.twilioSid)!;
      const role = await sandbox.twilio<{ friendly_name: string }>(`/v1/Roles/${role_sid}`);
      expect(role.friendly_name).toMatch(/^customer cvk_/);
    },
  },
  'attributes of a participant that were changed at Twilio: adopted': {
    make: () => post(memberPath(chat.bob.twilioSid), { Attributes: '{"mood":"good"}' }),
    found: () => ({ kind: 'participant_attributes', ours: {}, twilio: { mood: 'good' }, repair: 'adopt' }),
    after: async () =>
      expect((await shown()).participants[1]).toMatchObject({ attributes: { mood: 'good' } }),
  },
  'an address that is reached by another number: adopted': {
    body: () => ({
      participants: [
        { kind: 'agent', externalId: unique('agent') },
        { kind: 'customer', ...pair, externalId: unique('sms') },
      ],
    }),
    make: () =>
      post(memberPath(chat.participants[1]!.twilioSid), {
        'MessagingBinding.ProxyAddress': other.proxyAddress,
      }),
    found: () => ({
      kind: 'participant_address',
      ours: { ...pair, projectedAddress: null },
      twilio: { ...pair, proxyAddress: other.proxyAddress, projectedAddress: null },
      repair: 'adopt',
    }),
    after: async () =>
      expect((await shown()).participants[1]).toMatchObject({ proxyAddress: other.proxyAddress }),
  },
  'a second copy of a message: removed': {
    make: async () => {
      const { messages } = await contentsOf(sandbox, chat.twilioSid);
      const { body, attributes } = messages[0]!;
      await post(`${atTwilio()}/Messages`, { Author: 'system', Body: body, Attributes: attributes });
    },
    found: () => ({ kind: 'message_twin', repair: 'remove' }),
    after: async () => {
      const { messages } = await contentsOf(sandbox, chat.twilioSid);
      const { systemMessage } = (await shown()) as unknown as { systemMessage: { twilioSid: string } };
      expect(messages.map(({ sid }) => sid)).toEqual([systemMessage.twilioSid]);
    },
  },
};

/** All that we have written, as text. */
async function rows(): Promise<string> {
  const tables = ['conversations', 'participants', 'messages', 'identities', 'wishes'];
  const all = await Promise.all(tables.map((table) => test.sql(`select * from ${table} order by id`)));
  return JSON.stringify(all);
}

afterEach(() => clear(test));

describe('POST /v1/drift/repair', () => {
  it.each(Object.entries(DRIFTS))(
    '200: %s',
    async (_, { make, body, found, after }) => {
      chat = await provision(test.api, body?.() ?? {});
      expect(await whenAtRest(test.api)).toEqual([]);
      await make();
      const [before, since] = [await rows(), await sandbox.last()];
      const reported = await findings(test.api);
      expect(reported).toEqual([expect.objectContaining(found())]);
      expect(reported[0]!.conversation).toEqual({
        id: chat.id,
        twilioSid: chat.twilioSid,
        externalRef: chat.externalRef,
      });
      expect(await rows()).toBe(before);
      expect((await sandbox.requests(since)).filter(({ method }) => method !== 'GET')).toEqual([]);
      const repaired = await findings(test.api, { repair: {} });
      expect(repaired).toEqual([{ ...reported[0], outcome: 'repaired', detail: null }]);
      expect(await whenAtRest(test.api)).toEqual([]);
      await after();
    },
    30_000,
  );
});
