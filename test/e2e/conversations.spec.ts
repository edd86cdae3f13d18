import { describe, expect, it } from 'vitest';
import { unique, useApp } from '../support/app.js';
import { contentsOf, supportChat } from '../support/chats.js';
import { eventually } from '../support/eventually.js';

const running = useApp();

describe('POST /v1/conversations', () => {
  it('201: makes one private conversation with everybody in it, each with the right role, and the greeting', async () => {
    const body = supportChat({ byAddress: true });
    const response = await running.api.post('/v1/conversations', body, 201);
    const chat = response.body;
    expect(response.headers['location']).toBe(`/v1/conversations/${chat.id}`);
    expect(chat).toMatchObject({
      externalRef: body.externalRef,
      friendlyName: 'Order 4711',
      state: 'active',
      attributes: { crm: 'hubspot' },
      timers: { inactive: 'PT1H', closed: 'P1D' },
      failure: null,
      systemMessage: { body: 'Ada will be with you shortly.' },
    });
    expect(chat.participants).toMatchObject([
      { kind: 'agent', role: 'agent', state: 'joined', identity: { displayName: 'Ada' }, address: null },
      { kind: 'customer', role: 'customer', state: 'joined', identity: { displayName: 'Bob' } },
      { kind: 'customer', role: null, state: 'joined', address: body.participants[2]?.address },
    ]);
    const { participants, messages } = await contentsOf(running.sandbox, chat.twilioSid);
    expect(participants).toHaveLength(3);
    expect(new Set(participants.flatMap(({ role_sid }) => role_sid ?? [])).size).toBe(2);
    expect(messages).toMatchObject([{ author: 'system', body: 'Ada will be with you shortly.' }]);
  });

  it('201: needs neither a reference nor a name, timers or greeting', async () => {
    const body = { participants: [{ kind: 'bot', externalId: unique('bot') }] };
    const { body: chat } = await running.api.post('/v1/conversations', body, 201);
    expect(chat).toMatchObject({
      externalRef: null,
      friendlyName: null,
      systemMessage: null,
      timers: { inactive: null, closed: null },
      participants: [{ kind: 'bot', role: 'bot' }],
    });
  });

  it('201: uses a known identity as it is, whoever names it and by whatever name', async () => {
    const externalId = unique('cust');
    const { body: identity } = await running.api.post(
      '/v1/identities',
      { kind: 'customer', externalId, displayName: 'Bob' },
      201,
    );
    const participants = [{ identityId: identity.id }, { kind: 'agent', externalId: unique('agent') }];
    const { body: byId } = await running.api.post('/v1/conversations', { participants }, 201);
    const { body: byExternalId } = await running.api.post(
      '/v1/conversations',
      { participants: [{ externalId, displayName: 'Robert' }] },
      201,
    );
    expect(byId.participants[0].identity).toMatchObject({ id: identity.id, displayName: 'Bob' });
    expect(byExternalId.participants[0].identity).toMatchObject({ id: identity.id, displayName: 'Bob' });
  });

  it('201: gives a role by its friendly name or sid, and shows a preset by its name', async () => {
    const { api, sandbox } = running;
    const { roles } = await sandbox.twilio<{ roles: { sid: string; friendly_name: string; type: string }[] }>(
      '/v1/Roles?PageSize=50',
    );
    const channelUser = roles.find(({ friendly_name }) => friendly_name === 'channel user');
    const supervisor = roles.find(({ friendly_name }) => friendly_name.startsWith('supervisor cvk_'));
    const participants = [
      { kind: 'agent', externalId: unique('agent'), role: 'channel user' },
      { kind: 'agent', externalId: unique('agent'), role: supervisor?.sid },
    ];
    const { body: chat } = await api.post('/v1/conversations', { participants }, 201);
    expect(chat.participants.map((one: { role: string }) => one.role)).toEqual([
      'channel user',
      'supervisor',
    ]);
    const inside = await contentsOf(sandbox, chat.twilioSid);
    expect(inside.participants.map(({ role_sid }) => role_sid).sort()).toEqual(
      [channelUser?.sid, supervisor?.sid].sort(),
    );
  });

  it('201: gives the timers of the chat service where none are asked for', async () => {
    const { body: services } = await running.api.get('/v1/services', 200);
    const path = `/v1/services/${services.data[0].id}`;
    await running.api.patch(path, { defaultTimers: { inactive: 'PT2H' } }, 200);
    const participants = [{ kind: 'agent', externalId: unique('agent') }];
    const { body: chat } = await running.api.post('/v1/conversations', { participants }, 201);
    expect(chat.timers).toEqual({ inactive: 'PT2H', closed: null });
    const { body: own } = await running.api.post(
      '/v1/conversations',
      { participants, timers: { closed: 'P1D' } },
      201,
    );
    expect(own.timers).toEqual({ inactive: null, closed: 'P1D' });
    await running.api.patch(path, { defaultTimers: null }, 200);
  });

  it('202: respond-async answers at once, and the work goes on by itself', async () => {
    const response = await running.api.post('/v1/conversations', supportChat(), 202, {
      headers: { prefer: 'respond-async' },
    });
    // As it is: the work may be done before it is shown.
    expect(response.body.state).toMatch(/^(provisioning|active)$/);
    const location = response.headers['location'] ?? '';
    await eventually(async () => {
      const { body: chat } = await running.api.get(location, 200);
      expect(chat.state).toBe('active');
    });
  });

  const agent = { kind: 'agent', externalId: 'agent-400' };
  const sms = { address: '+15551230000', proxyAddress: '+15559990000' };
  it.each([
    ['no participants', { participants: [] }, 'participants'],
    [
      '51 participants',
      { participants: Array.from({ length: 51 }, (_, n) => ({ ...agent, externalId: `a-${n}` })) },
      'participants',
    ],
    ['an unknown field', { participants: [agent], colour: 'red' }, 'colour'],
    [
      'an unknown field of a participant',
      { participants: [{ ...agent, colour: 'red' }] },
      'participants.0.colour',
    ],
    ['nobody named', { participants: [{ kind: 'agent' }] }, 'participants.0.externalId'],
    [
      'somebody named twice over',
      { participants: [{ ...agent, identityId: '01a20098-5364-703d-8bc8-cea672e8acf7' }] },
      'participants.0.externalId',
    ],
    [
      'an unknown identity',
      { participants: [{ identityId: '01a20098-5364-703d-8bc8-cea672e8acf7' }] },
      'participants.0.identityId',
    ],
    ['no kind for a new identity', { participants: [{ externalId: 'nobody-knows' }] }, 'participants.0.kind'],
    ['one person twice', { participants: [agent, agent] }, 'participants.1'],
    [
      'one address pair twice',
      { participants: [sms, { ...sms, externalId: 'c-1', kind: 'customer' }] },
      'participants.1',
    ],
    ['an unknown role', { participants: [{ ...agent, role: 'boss' }] }, 'participants.0.role'],
    ['a role for an address', { participants: [{ ...sms, role: 'customer' }] }, 'participants.0.role'],
    ['a malformed address', { participants: [{ address: '0555' }] }, 'participants.0.address'],
    [
      'a proxy without an address',
      { participants: [{ ...agent, proxyAddress: '+15559990000' }] },
      'participants.0.proxyAddress',
    ],
    [
      'an externalId like a sid',
      { participants: [{ kind: 'agent', externalId: `US${'0'.repeat(32)}` }] },
      'participants.0.externalId',
    ],
    ['an externalRef of dots', { participants: [agent], externalRef: '..' }, 'externalRef'],
    [
      'an externalRef of 256 characters',
      { participants: [agent], externalRef: 'x'.repeat(256) },
      'externalRef',
    ],
    ['attributes that are no object', { participants: [agent], attributes: [1] }, 'attributes'],
    [
      'attributes over 16,384 bytes',
      { participants: [agent], attributes: { text: 'é'.repeat(8192) } },
      'attributes',
    ],
    [
      'participant attributes over 4,096 bytes',
      { participants: [{ ...agent, attributes: { text: 'x'.repeat(4096) } }] },
      'participants.0.attributes',
    ],
    [
      'the key that is ours',
      { participants: [agent], systemMessage: { body: 'hi', attributes: { convoke: 1 } } },
      'systemMessage.attributes',
    ],
    [
      'a greeting over 32,768 bytes',
      { participants: [agent], systemMessage: { body: 'x'.repeat(32_769) } },
      'systemMessage.body',
    ],
    [
      'a greeting too long for SMS',
      { participants: [agent, sms], systemMessage: { body: 'x'.repeat(1601) } },
      'systemMessage.body',
    ],
    ['a timer in months', { participants: [agent], timers: { inactive: 'P1M' } }, 'timers.inactive'],
    ['a timer below its least', { participants: [agent], timers: { closed: 'PT9M' } }, 'timers.closed'],
  ])('400: %s is refused, and the field named', async (_, body, field) => {
    const before = await running.sandbox.state();
    const { body: problem } = await running.api.post('/v1/conversations', body, 400);
    expect(problem.code).toBe('validation_failed');
    expect(problem.errors.map((error: { field: string }) => error.field)).toContain(field);
    expect(await running.sandbox.state()).toEqual(before);
  });

  it('400: a friendly name that two roles bear is refused', async () => {
    const name = unique('twin');
    for (const _ of [1, 2]) await makeRole(name);
    const participants = [{ kind: 'agent', externalId: unique('agent'), role: name }];
    const { body: problem } = await running.api.post('/v1/conversations', { participants }, 400);
    expect(problem.errors[0]).toMatchObject({ field: 'participants.0.role', message: /several roles/ });
  });

  it('403: a suspended identity comes into no conversation', async () => {
    const externalId = unique('cust');
    await running.api.post('/v1/identities', { kind: 'customer', externalId }, 201);
    await running.sql(`update identities set status = 'suspended' where external_id = $1`, [externalId]);
    const { body: problem } = await running.api.post(
      '/v1/conversations',
      { participants: [{ externalId }] },
      403,
    );
    expect(problem.code).toBe('identity_suspended');
  });

  it('409: an externalRef names one conversation, which the answer tells', async () => {
    const body = supportChat();
    const { body: chat } = await running.api.post('/v1/conversations', body, 201);
    const { body: problem } = await running.api.post('/v1/conversations', body, 409);
    expect(problem).toMatchObject({
      code: 'external_ref_taken',
      conversation: { id: chat.id, twilioSid: chat.twilioSid },
    });
  });

  it('409: an identity keeps its kind, and a refused call makes nobody known', async () => {
    const [known, fresh] = [unique('cust'), unique('agent')];
    await running.api.post('/v1/identities', { kind: 'customer', externalId: known }, 201);
    const participants = [
      { kind: 'agent', externalId: fresh },
      { kind: 'agent', externalId: known },
    ];
    const { body: problem } = await running.api.post('/v1/conversations', { participants }, 409);
    expect(problem.code).toBe('identity_kind_mismatch');
    const { body: list } = await running.api.get(`/v1/identities?externalId=${fresh}`, 200);
    expect(list.data).toEqual([]);
  });

  it('409: an address pair that is in use elsewhere is told, and everything is taken back', async () => {
    const body = supportChat({ byAddress: true });
    const { body: first } = await running.api.post('/v1/conversations', body, 201);
    const before = await running.sandbox.state();
    const second = { ...body, externalRef: unique('case') };
    const { body: problem } = await running.api.post('/v1/conversations', second, 409);
    expect(problem).toMatchObject({ code: 'address_in_use', twilio: { code: 50416 } });
    expect(problem.detail).toContain(first.twilioSid);
    expect(await running.sandbox.state()).toMatchObject({
      conversations: before['conversations'],
      participants: before['participants'],
      messages: before['messages'],
    });
    const { body: failed } = await running.api.get(`/v1/conversations/${problem.conversation.id}`, 200);
    expect(failed).toMatchObject({ state: 'failed', failure: { code: 'address_in_use' } });
  });

  it('422: what Twilio refuses is taken back, told with its code, and leaves the externalRef free', async () => {
    const body = supportChat();
    const refused = {
      ...body,
      participants: [...body.participants, { address: '+15005550001', proxyAddress: '+15559990000' }],
    };
    const before = await running.sandbox.state();
    const { body: problem } = await running.api.post('/v1/conversations', refused, 422);
    expect(problem).toMatchObject({ code: 'provisioning_failed', twilio: { code: 50407, status: 400 } });
    expect(await running.sandbox.state()).toMatchObject({
      conversations: before['conversations'],
      participants: before['participants'],
    });
    const { body: failed } = await running.api.get(`/v1/conversations/${problem.conversation.id}`, 200);
    expect(failed.state).toBe('failed');
    expect(failed.participants).toHaveLength(3);
    expect(failed.participants[2]).toMatchObject({ state: 'failed', failure: { twilio: { code: 50407 } } });
    const { body: chat } = await running.api.post('/v1/conversations', body, 201);
    expect(chat.id).not.toBe(failed.id);
  });
});

/** A conversation role of this name, made at Twilio by somebody else. */
async function makeRole(friendlyName: string): Promise<void> {
  const { accountSid, authToken } = running.sandbox.config;
  const response = await fetch(`${running.sandbox.baseUrl}/v1/Roles`, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(`${accountSid}:${authToken}`).toString('base64')}` },
    body: new URLSearchParams({
      FriendlyName: friendlyName,
      Type: 'conversation',
      Permission: 'sendMessage',
    }),
  });
  expect(response.status).toBe(201);
}
