import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { callerWith, otherService } from '../support/access.js';
import type { Page } from '../../src/common/http/page.js';
import type { Answer } from '../support/api-client.js';
import { unique, useApp } from '../support/app.js';
import { addressPair, contentsOf, provision, roleAtTwilio, type Person } from '../support/chats.js';
import { expectInvalid, expectProblem } from '../support/problems.js';
import { NOBODYS_ID } from '../support/routes.js';

const running = useApp();
const agent = () => ({ kind: 'agent', externalId: unique('agent'), displayName: 'Grace' });
const REFUSED = { address: '+15005550001', proxyAddress: '+15559990000' };

describe('POST /v1/conversations/{conversation}/participants', () => {
  it('201: somebody comes in, with his role, and Location says where he is', async () => {
    const chat = await provision(running.api);
    const wanted = { ...agent(), role: 'supervisor', attributes: { vip: true } };
    const { body: added, headers } = await running.api.post(`${chat.path}/participants`, wanted, 201);
    expect(added).toMatchObject({
      kind: 'agent',
      role: 'supervisor',
      state: 'joined',
      attributes: { vip: true },
      identity: { externalId: wanted.externalId, displayName: 'Grace' },
      failure: null,
    });
    expect(headers['location']).toBe(`${chat.path}/participants/${added.id}`);
    const { participants } = await contentsOf(running.sandbox, chat.twilioSid);
    expect(participants.map(({ sid }) => sid)).toContain(added.twilioSid);
    const { body: read } = await running.api.get(chat.path, 200);
    expect(read.participants.at(-1)).toEqual(added);
  });

  it('201: an address is linked to an identity on our side, and Twilio gets the address alone', async () => {
    const chat = await provision(running.api);
    const wanted = { ...addressPair(), externalId: unique('sms'), kind: 'customer' };
    const { body: added } = await running.api.post(`${chat.path}/participants`, wanted, 201);
    expect(added).toMatchObject({
      role: null,
      address: wanted.address,
      identity: { externalId: wanted.externalId },
    });
    const { participants } = await contentsOf(running.sandbox, chat.twilioSid);
    expect(participants.find(({ sid }) => sid === added.twilioSid)?.identity).toBeNull();
  });

  it('201: whom somebody else has put in at Twilio is taken as he is there', async () => {
    const chat = await provision(running.api);
    const { body: known } = await running.api.post('/v1/identities', agent(), 201);
    const there = await running.sandbox.write<{ sid: string }>(
      'POST',
      `/v1/Conversations/${chat.twilioSid}/Participants`,
      [['Identity', known.twilioIdentity]],
    );
    const path = `${chat.path}/participants`;
    const { body: added } = await running.api.post(path, { identityId: known.id }, 201);
    expect(added).toMatchObject({ twilioSid: there.sid, state: 'joined' });
  });

  it('200: one who is in already is answered as he is, at his own Location, and Twilio is not called', async () => {
    const chat = await provision(running.api);
    const since = await running.sandbox.last();
    const again = { externalId: chat.bob.identity?.externalId, attributes: { vip: true }, role: 'agent' };
    const { body: bob, headers } = await running.api.post(`${chat.path}/participants`, again, 200);
    expect(bob).toEqual(chat.bob);
    expect(headers['location']).toBe(`${chat.path}/participants/${bob.id}`);
    expect(await running.sandbox.requestsBesideRoles(since)).toEqual([]);
  });

  it('201 once of ten at once, 200 for the others, and he is in once', async () => {
    const chat = await provision(running.api);
    const wanted = agent();
    const origin = await running.baseUrl();
    const answers = await Promise.all(
      Array.from({ length: 10 }, async () => {
        const response = await fetch(`${origin}${chat.path}/participants`, {
          method: 'POST',
          headers: { authorization: `Bearer ${running.api.key}`, 'content-type': 'application/json' },
          body: JSON.stringify(wanted),
        });
        return { status: response.status, body: (await response.json()) as { id: string; state: string } };
      }),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([...Array<number>(9).fill(200), 201]);
    expect(new Set(answers.map(({ body }) => `${body.id} ${body.state}`)).size).toBe(1);
    expect((await contentsOf(running.sandbox, chat.twilioSid)).participants).toHaveLength(3);
  });

  it('201: a removed person comes in again as a new participant', async () => {
    const chat = await provision(running.api);
    const externalId = chat.bob.identity?.externalId;
    await running.api.delete(`${chat.path}/participants/${chat.bob.id}`, 204);
    const { body: again } = await running.api.post(`${chat.path}/participants`, { externalId }, 201);
    expect(again.id).not.toBe(chat.bob.id);
    expect(again.twilioSid).not.toBe(chat.bob.twilioSid);
    const { body: newest } = await running.api.get(`${chat.path}/participants/${externalId}`, 200);
    expect(newest).toEqual(again);
    await running.api.get(`${chat.path}/participants/${chat.bob.id}`, 404);
  });

  it('422: whom Twilio refuses is told with its code, listed as failed, and may be tried again as another', async () => {
    const chat = await provision(running.api);
    const path = `${chat.path}/participants`;
    const refused = { ...REFUSED, externalId: unique('sms'), kind: 'customer' };
    const problem = expectProblem(await running.api.post(path, refused, 422), 'upstream_refused');
    expect(problem).toMatchObject({ twilio: { code: 50407, status: 400 }, instance: path });
    await running.api.post(path, refused, 422);
    const { body: list } = await running.api.get(path, 200);
    const failed = list.data.filter(({ state }: { state: string }) => state === 'failed');
    expect(failed).toMatchObject([
      { address: REFUSED.address, failure: { code: 'upstream_refused', twilio: { code: 50407 } } },
      { address: REFUSED.address },
    ]);
    const { body: newest } = await running.api.get(`${path}/${refused.externalId}`, 200);
    expect(newest.id).toBe(failed[1].id);
    const { body: shown } = await running.api.get(chat.path, 200);
    expect(shown).toMatchObject({
      state: 'active',
      participants: [{ state: 'joined' }, { state: 'joined' }],
    });
  });

  it('409: an address pair that is in use elsewhere names the other conversation', async () => {
    const pair = addressPair();
    const [other, chat] = [await provision(running.api), await provision(running.api)];
    await running.api.post(`${other.path}/participants`, pair, 201);
    const response = await running.api.post(`${chat.path}/participants`, pair, 409);
    const problem = expectProblem(response, 'address_in_use');
    expect(problem.detail).toContain(other.twilioSid);
    expect(problem).toMatchObject({ twilio: { code: 50416 } });
  });

  it('202: with Location and the participant as it is, when the wait is over first', async () => {
    const chat = await provision(running.api);
    const headers = { prefer: 'respond-async' };
    const path = `${chat.path}/participants`;
    const response = await running.api.post(path, agent(), 202, { headers });
    expect(response.body).toMatchObject({ state: 'pending', twilioSid: null });
    expect(response.headers['location']).toBe(`${path}/${response.body.id}`);
    const { body: waited } = await running.api.post(path, { identityId: response.body.identity.id }, 200);
    expect(waited).toMatchObject({ id: response.body.id, state: 'joined' });
  });

  it.each([
    ['nobody', {}, 'externalId'],
    ['two names', { externalId: 'a', identityId: NOBODYS_ID }, 'externalId'],
    ['a sid for a name', { kind: 'agent', externalId: `MB${'0'.repeat(32)}` }, 'externalId'],
    ['a stranger without kind', { externalId: 'stranger-400' }, 'kind'],
    ['an identity that is not known', { identityId: NOBODYS_ID }, 'identityId'],
    ['a malformed address', { address: '0155' }, 'address'],
    ['a proxy alone', { kind: 'agent', externalId: 'a', proxyAddress: '+15559990000' }, 'proxyAddress'],
    ['a role for an address', { ...addressPair(), role: 'agent' }, 'role'],
    ['an unknown role', { kind: 'agent', externalId: 'a', role: 'queen' }, 'role'],
    ['an unknown field', { kind: 'agent', externalId: 'a', colour: 'red' }, 'colour'],
    [
      'attributes over 4,096 bytes',
      { kind: 'agent', externalId: 'a', attributes: { a: 'é'.repeat(2045) } },
      'attributes',
    ],
  ])('400: %s', async (_, body, field) => {
    const chat = await provision(running.api);
    expectInvalid(await running.api.post(`${chat.path}/participants`, body, 400), field);
    expect((await running.api.get(`${chat.path}/participants`, 200)).body.data).toHaveLength(2);
  });

  it('201: attributes of exactly 4,096 bytes', async () => {
    const chat = await provision(running.api);
    const attributes = { a: 'é'.repeat(2044) };
    expect(Buffer.byteLength(JSON.stringify(attributes))).toBe(4096);
    await running.api.post(`${chat.path}/participants`, { ...agent(), attributes }, 201);
  });

  it('409 identity_kind_mismatch, 403 identity_suspended', async () => {
    const chat = await provision(running.api);
    const path = `${chat.path}/participants`;
    const { body: known } = await running.api.post('/v1/identities', agent(), 201);
    const other = { externalId: known.externalId, kind: 'customer' };
    expectProblem(await running.api.post(path, other, 409), 'identity_kind_mismatch');
    await running.sql(`update identities set status = 'suspended' where id = $1`, [known.id]);
    expectProblem(await running.api.post(path, { identityId: known.id }, 403), 'identity_suspended');
  });
});

describe('Paths of participants', () => {
  it('are our id, MB…, or the externalId, in a conversation by our id or CH…', async () => {
    const chat = await provision(running.api);
    for (const conversation of [chat.id, chat.twilioSid]) {
      for (const name of [chat.bob.id, chat.bob.id.toUpperCase(), chat.bob.twilioSid]) {
        const { body } = await running.api.get(`/v1/conversations/${conversation}/participants/${name}`, 200);
        expect(body).toEqual(chat.bob);
      }
    }
    const byName = await running.api.get(`${chat.path}/participants/${chat.bob.identity?.externalId}`, 200);
    expect(byName.body).toEqual(chat.bob);
  });

  it('take an externalId that is a UUID, or that is escaped', async () => {
    const [uuid, odd] = [randomUUID(), `${unique('Zoë 100%')}/..?#`];
    const chat = await provision(running.api);
    for (const externalId of [uuid, odd]) {
      const { body } = await running.api.post(`${chat.path}/participants`, { kind: 'bot', externalId }, 201);
      const path = `${chat.path}/participants/${encodeURIComponent(externalId)}`;
      expect((await running.api.get(path, 200)).body).toEqual(body);
    }
  });

  it('mean our id first, where somebody is called like it', async () => {
    const chat = await provision(running.api);
    const externalId = chat.bob.id;
    const added = await running.api.post(`${chat.path}/participants`, { kind: 'bot', externalId }, 201);
    expect(added.body.id).not.toBe(chat.bob.id);
    const { body: read } = await running.api.get(`${chat.path}/participants/${externalId}`, 200);
    expect(read.id).toBe(chat.bob.id);
  });

  it('404: nobody is called so; 414: over 255 code points', async () => {
    const chat = await provision(running.api);
    const path = (name: string) => `${chat.path}/participants/${encodeURIComponent(name)}`;
    for (const name of [NOBODYS_ID, `MB${'0'.repeat(32)}`, 'nobody', '🦉'.repeat(255)]) {
      expectProblem(await running.api.get(path(name), 404), 'not_found');
    }
    expectProblem(await running.api.get(path('🦉'.repeat(256)), 414), 'uri_too_long');
  });

  it('404: one of another conversation', async () => {
    const [chat, other] = [await provision(running.api), await provision(running.api)];
    await running.api.get(`${chat.path}/participants/${other.bob.id}`, 404);
  });
});

describe('GET /v1/conversations/{conversation}/participants', () => {
  it('200: pages through all of them in the order of their coming, without gap or repetition', async () => {
    const participants = Array.from({ length: 5 }, agent);
    const chat = await provision(running.api, { participants });
    const path = `${chat.path}/participants?limit=2`;
    const seen: unknown[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const page: Answer<Page<Person>> = await running.api.get(
        cursor === '' ? path : `${path}&cursor=${cursor}`,
        200,
      );
      expect(page.body.data.length).toBeLessThanOrEqual(2);
      seen.push(...page.body.data);
      cursor = page.body.nextCursor;
    }
    expect(seen).toEqual(chat.participants);
  });

  it.each(['limit=0', 'limit=101', 'cursor=x', 'colour=red'])('400: %s', async (query) => {
    const chat = await provision(running.api);
    const response = await running.api.get(`${chat.path}/participants?${query}`, 400);
    expectInvalid(response, query.split('=')[0]!);
  });
});

describe('Scopes and chat services', () => {
  it('403: reading asks for conversations:read, changing for conversations:write', async () => {
    const chat = await provision(running.api);
    const reader = await callerWith(running.api, 'conversations:read', 'messages:write');
    const writer = await callerWith(running.api, 'conversations:write');
    const path = `${chat.path}/participants`;
    await reader.get(path, 200);
    expectProblem(await reader.post(path, agent(), 403), 'missing_scope');
    expectProblem(await writer.get(path, 403), 'missing_scope');
    await writer.post(path, agent(), 201);
  });

  it('404 on every route for a caller of another chat service', async () => {
    const chat = await provision(running.api);
    const { admin } = await otherService(running.api);
    const path = `${chat.path}/participants`;
    await admin.post(path, agent(), 404);
    await admin.get(path, 404);
    await admin.get(`${path}/${chat.bob.id}`, 404);
    await admin.patch(`${path}/${chat.bob.id}`, { role: 'agent' }, 404);
    await admin.delete(`${path}/${chat.bob.id}?force=true`, 404);
    expect((await contentsOf(running.sandbox, chat.twilioSid)).participants).toHaveLength(2);
  });

  it('404: nor does a role of another chat service count, by its sid', async () => {
    const chat = await provision(running.api);
    const sid = await roleAtTwilio(running.sandbox, unique('role'), ['sendMessage']);
    const { body: made } = await running.api.post(
      `${chat.path}/participants`,
      { ...agent(), role: sid },
      201,
    );
    expect(made.role).toMatch(/^role-/);
    const { admin } = await otherService(running.api);
    const body = { participants: [{ ...agent(), role: sid }] };
    expectInvalid(await admin.post('/v1/conversations', body, 400), 'participants.0.role');
  });
});
