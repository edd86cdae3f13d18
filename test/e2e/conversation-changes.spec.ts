import { afterEach, describe, expect, it } from 'vitest';
import { callerWith, otherService } from '../support/access.js';
import { useApp } from '../support/app.js';
import { addressPair, provision, supportChat, type Chat } from '../support/chats.js';
import { FAULTS } from '../support/faults.js';
import { expectInvalid, expectProblem } from '../support/problems.js';
import { NOBODYS_ID } from '../support/routes.js';

const running = useApp({ TWILIO_CALL_TIMEOUT_MS: '500', LEASE_MS: '1500' });

afterEach(() => running.sandbox.clearFaults());

interface AtTwilio {
  state: string;
  friendly_name: string | null;
  attributes: string;
  timers: object;
}

const upstream = ({ twilioSid }: Chat) => running.sandbox.twilio<AtTwilio>(`/v1/Conversations/${twilioSid}`);

describe('PATCH /v1/conversations/{conversation}', () => {
  it('200: changes what is given, here and at Twilio, and leaves the rest', async () => {
    const chat = await provision(running.api, { timers: { inactive: 'PT1H', closed: 'P1D' } });
    const { body: renamed } = await running.api.patch(chat.path, { friendlyName: 'Order 4712' }, 200);
    expect(renamed).toMatchObject({
      friendlyName: 'Order 4712',
      attributes: { crm: 'hubspot' },
      timers: { inactive: 'PT1H', closed: 'P1D' },
      participants: chat.participants,
    });
    const { body: marked } = await running.api.patch(chat.path, { attributes: { b: 2 } }, 200);
    expect(marked).toMatchObject({ friendlyName: 'Order 4712', attributes: { b: 2 } });
    expect(await upstream(chat)).toMatchObject({ friendly_name: 'Order 4712', attributes: '{"b":2}' });
    expect((await running.api.get(chat.path, 200)).body).toEqual(marked);
    expect(marked.updatedAt > renamed.createdAt).toBe(true);
  });

  it('200: null clears', async () => {
    const chat = await provision(running.api, { timers: { inactive: 'PT1H', closed: 'P1D' } });
    const cleared = { friendlyName: null, attributes: null, timers: null };
    const { body } = await running.api.patch(chat.path, cleared, 200);
    expect(body).toMatchObject({
      friendlyName: null,
      attributes: {},
      timers: { inactive: null, closed: null },
    });
    const there = await upstream(chat);
    expect(there).toMatchObject({ friendly_name: '', attributes: '{}' });
    expect(there.timers).toEqual({});
  });

  it('200: timers are replaced whole, and given back as they were asked for', async () => {
    const chat = await provision(running.api, { timers: { inactive: 'PT1H', closed: 'P1D' } });
    const { body } = await running.api.patch(chat.path, { timers: { closed: 'PT36H' } }, 200);
    expect(body.timers).toEqual({ inactive: null, closed: 'PT36H' });
    expect(Object.keys((await upstream(chat)).timers)).toEqual(['date_closed']);
    const { body: off } = await running.api.patch(chat.path, { timers: { closed: 'PT0S' } }, 200);
    expect(off.timers).toEqual({ inactive: null, closed: 'PT0S' });
    expect((await upstream(chat)).timers).toEqual({});
  });

  it('200: goes to inactive, back to active, and to closed', async () => {
    const chat = await provision(running.api);
    for (const state of ['inactive', 'active', 'closed']) {
      expect((await running.api.patch(chat.path, { state }, 200)).body.state).toBe(state);
      expect((await upstream(chat)).state).toBe(state);
    }
  });

  it('200: by CH…; and nothing asked for changes nothing, nor calls Twilio', async () => {
    const chat = await provision(running.api);
    const path = `/v1/conversations/${chat.twilioSid}`;
    const { body } = await running.api.patch(path, { friendlyName: 'A' }, 200);
    const since = await running.sandbox.last();
    expect((await running.api.patch(path, {}, 200)).body).toEqual(body);
    expect(await running.sandbox.requestsBesideRoles(since)).toEqual([]);
  });

  it('412: If-Match of an earlier version changes nothing; 200 with the present one, or *', async () => {
    const chat = await provision(running.api);
    const { etag } = (await running.api.get(chat.path, 200)).headers;
    const headers = { 'if-match': etag! };
    await running.api.patch(chat.path, { friendlyName: 'first' }, 200, { headers });
    const late = await running.api.patch(chat.path, { friendlyName: 'late' }, 412, { headers });
    expectProblem(late, 'precondition_failed');
    expectProblem(await running.api.patch(chat.path, {}, 412, { headers }), 'precondition_failed');
    expect(await upstream(chat)).toMatchObject({ friendly_name: 'first' });
    await running.api.patch(chat.path, { friendlyName: 'any' }, 200, { headers: { 'if-match': '*' } });
  });

  it('412 for all but one of ten at once that saw the same version', async () => {
    const chat = await provision(running.api);
    const { etag } = (await running.api.get(chat.path, 200)).headers;
    const origin = await running.baseUrl();
    const statuses = await Promise.all(
      Array.from({ length: 10 }, async (_, n) => {
        const response = await fetch(`${origin}${chat.path}`, {
          method: 'PATCH',
          headers: {
            authorization: `Bearer ${running.api.key}`,
            'content-type': 'application/json',
            'if-match': etag!,
          },
          body: JSON.stringify({ friendlyName: `${n}` }),
        });
        return response.status;
      }),
    );
    expect(statuses.sort()).toEqual([200, ...Array<number>(9).fill(412)]);
  });

  it.each([
    ['an unknown field', { colour: 'red' }, 'colour'],
    ['another externalRef', { externalRef: 'x' }, 'externalRef'],
    ['a state that cannot be asked for', { state: 'provisioning' }, 'state'],
    ['no state', { state: null }, 'state'],
    ['a name over 256 characters', { friendlyName: 'x'.repeat(257) }, 'friendlyName'],
    ['attributes over 16,384 bytes', { attributes: { a: 'x'.repeat(16_384) } }, 'attributes'],
    ['a timer in months', { timers: { closed: 'P1M' } }, 'timers.closed'],
    ['a timer below its least', { timers: { inactive: 'PT59S' } }, 'timers.inactive'],
  ])('400: %s', async (_, body, field) => {
    const chat = await provision(running.api);
    expectInvalid(await running.api.patch(chat.path, body, 400), field);
  });

  it('404: no such conversation', async () => {
    for (const name of [NOBODYS_ID, `CH${'0'.repeat(32)}`, 'x']) {
      expectProblem(await running.api.patch(`/v1/conversations/${name}`, {}, 404), 'not_found');
    }
  });

  it('422: what Twilio refuses stays as it was', async () => {
    const chat = await provision(running.api);
    await running.sandbox.fault(
      { method: 'POST', path: chat.twilioSid },
      { type: 'status', status: 400, code: 50380 },
    );
    const response = await running.api.patch(chat.path, { timers: { closed: 'P1D' } }, 422);
    expect(expectProblem(response, 'upstream_refused')).toMatchObject({ twilio: { code: 50380 } });
    const { body } = await running.api.get(chat.path, 200);
    expect(body.timers).toEqual({ inactive: null, closed: null });
  });

  it('202: with Location and the conversation as it is, then as it was wished', async () => {
    const chat = await provision(running.api);
    const headers = { prefer: 'respond-async' };
    const response = await running.api.patch(chat.path, { friendlyName: 'later' }, 202, { headers });
    expect(response.body.friendlyName).toBe('Order 4711');
    expect(response.headers['location']).toBe(chat.path);
    const { body } = await running.api.patch(chat.path, { attributes: {} }, 200);
    expect(body).toMatchObject({ friendlyName: 'later', attributes: {} });
  });

  it.each(Object.entries(FAULTS))('200 as it was wished, when %s', async (_, fault) => {
    const chat = await provision(running.api);
    await running.sandbox.fault({ method: 'POST', path: chat.twilioSid }, fault);
    const { body } = await running.api.patch(chat.path, { friendlyName: 'changed' }, 200);
    expect(body.friendlyName).toBe('changed');
    expect(await upstream(chat)).toMatchObject({ friendly_name: 'changed' });
  });
});

describe('A closed conversation', () => {
  it('409: is final for every command but its deletion, and can be read', async () => {
    const chat = await provision(running.api);
    await running.api.patch(chat.path, { state: 'closed' }, 200);
    const bob = `${chat.path}/participants/${chat.bob.id}`;
    const to = { kind: 'agent', externalId: 'agent-closed' };
    const since = await running.sandbox.last();
    const answers = [
      await running.api.patch(chat.path, { state: 'active' }, 409),
      await running.api.patch(chat.path, { friendlyName: 'x' }, 409),
      await running.api.patch(chat.path, {}, 409),
      await running.api.post(`${chat.path}/participants`, to, 409),
      await running.api.patch(bob, { role: 'agent' }, 409),
      await running.api.delete(bob, 409),
      await running.api.post(`${chat.path}/transfer`, { from: chat.ada.id, to }, 409),
      await running.api.post(`${chat.path}/system-messages`, { body: 'x' }, 409),
      await running.api.post(`${chat.path}/messages`, { author: chat.bob.id, body: 'x' }, 409),
    ];
    for (const answer of answers) expectProblem(answer, 'conversation_closed');
    // Of others, one may be looked at for late landings meanwhile.
    const sent = await running.sandbox.requests(since);
    expect(sent.filter(({ path }) => path.includes(chat.twilioSid))).toEqual([]);
    await running.api.get(bob, 200);
    expect((await running.api.get(`${chat.path}/messages`, 200)).body.data).toHaveLength(1);
  });

  it('409 also where Twilio says so first, which is adopted', async () => {
    const commands: ((chat: Chat) => Promise<Parameters<typeof expectProblem>[0]>)[] = [
      (chat) => running.api.patch(chat.path, { friendlyName: 'x' }, 409),
      (chat) => running.api.post(`${chat.path}/participants`, addressPair(), 409),
      (chat) => running.api.patch(`${chat.path}/participants/${chat.bob.id}`, { attributes: {} }, 409),
      (chat) => running.api.delete(`${chat.path}/participants/${chat.bob.id}`, 409),
      (chat) =>
        running.api.post(
          `${chat.path}/transfer`,
          { from: chat.ada.id, to: { kind: 'agent', externalId: 'agent-late' } },
          409,
        ),
    ];
    for (const command of commands) {
      const chat = await provision(running.api);
      await running.sandbox.write('POST', `/v1/Conversations/${chat.twilioSid}`, [['State', 'closed']]);
      expectProblem(await command(chat), 'conversation_closed');
      const { body } = await running.api.get(chat.path, 200);
      expect(body.state).toBe('closed');
      expect(body.participants).toEqual(chat.participants);
    }
  });
});

describe('An inactive conversation', () => {
  it('is active again when somebody spoke from a browser', async () => {
    const chat = await provision(running.api);
    await running.api.patch(chat.path, { state: 'inactive' }, 200);
    await running.sandbox.write('POST', `/v1/Conversations/${chat.twilioSid}/Messages`, [['Body', 'hi']]);
    expect((await running.api.get(chat.path, 200)).body.state).toBe('active');
  });
});

describe('On a conversation that is being provisioned', () => {
  it('a change queues; 409 conversation_failed when it fails, and from then on', async () => {
    for (const [more, status] of [
      [[], 200],
      [[{ address: '+15005550001', proxyAddress: '+15559990000' }], 409],
    ] as const) {
      await running.sandbox.fault(
        { method: 'POST', path: '/Participants$', times: 2 },
        { type: 'delay', ms: 400, applied: 'before' },
      );
      const { participants, ...body } = supportChat();
      const wanted = { ...body, participants: [...participants, ...more] };
      const headers = { prefer: 'respond-async' };
      const { body: chat } = await running.api.post('/v1/conversations', wanted, 202, { headers });
      const path = `/v1/conversations/${chat.id}`;
      for (let round = 0; round < 2; round += 1) {
        const response = await running.api.patch(path, { friendlyName: 'changed' }, status);
        if (status === 200) expect(response.body).toMatchObject({ friendlyName: 'changed', state: 'active' });
        else expectProblem(response, 'conversation_failed');
      }
      await running.sandbox.clearFaults();
    }
  });
});

describe('Scopes and chat services', () => {
  it('403 without conversations:write, 404 for a caller of another chat service', async () => {
    const chat = await provision(running.api);
    const reader = await callerWith(running.api, 'conversations:read', 'messages:write');
    const { admin } = await otherService(running.api);
    const body = { friendlyName: 'x' };
    expectProblem(await reader.patch(chat.path, body, 403), 'missing_scope');
    for (const name of [chat.id, chat.twilioSid]) {
      expectProblem(await admin.patch(`/v1/conversations/${name}`, body, 404), 'not_found');
    }
    expect(await upstream(chat)).toMatchObject({ friendly_name: 'Order 4711' });
  });
});
