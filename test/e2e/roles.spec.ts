import { afterEach, describe, expect, it } from 'vitest';
import type { RoleResponse } from '../../src/roles/role.dto.js';
import { callerWith, otherService } from '../support/access.js';
import { unique, useApp } from '../support/app.js';
import { supportChat } from '../support/chats.js';
import { expectInvalid, expectProblem } from '../support/problems.js';
import { roleBody, rolesOf } from '../support/roles.js';
import { NOBODYS_ID } from '../support/routes.js';

const running = useApp();
const { sandbox } = running;

afterEach(() => sandbox.clearFaults());

const { path, make, atTwilio, all } = rolesOf(running);
const NOBODYS_SID = `RL${'0'.repeat(32)}`;

interface Page {
  data: RoleResponse[];
  nextCursor: string | null;
}

describe('GET /v1/roles', () => {
  it('200: shows presets and custom roles of both types, by their names without our ending, to any key', async () => {
    const made = await make({ type: 'service', permissions: ['createConversation'] });
    const anybody = await callerWith(running.api, 'webhooks:admin');
    const { data } = (await anybody.get<Page>(`${path}?limit=100`, 200)).body;
    expect(data.filter((role) => role.preset !== null).map((role) => role.friendlyName)).toEqual(
      expect.arrayContaining(['agent', 'bot', 'customer', 'supervisor']),
    );
    expect(data).toContainEqual(made);
    const names = data.map(({ friendlyName, type }) => `${type}: ${friendlyName}`);
    expect(names).toEqual(expect.arrayContaining(['service: service admin', 'conversation: channel user']));
    expect(data.find(({ friendlyName }) => friendlyName === 'service admin')?.id).toBeNull();
    expect(JSON.stringify(data)).not.toContain(' cvk_');
  });

  it('200: in pages, newest first, each role once, while others are made', async () => {
    const before = await all();
    const seen: RoleResponse[] = [];
    for (let cursor: string | null = ''; cursor !== null;) {
      const { data, nextCursor }: Page = (
        await running.api.get<Page>(`${path}?limit=3${cursor && `&cursor=${cursor}`}`, 200)
      ).body;
      expect(data.length).toBeLessThanOrEqual(3);
      seen.push(...data);
      cursor = nextCursor;
      if (seen.length === 3) await make();
    }
    const sids = seen.map(({ twilioSid }) => twilioSid);
    expect(new Set(sids).size).toBe(sids.length);
    // Twilio tells seconds alone: one that is made in the second of another may come after it.
    const known = new Set(before.map(({ twilioSid }) => twilioSid));
    expect(sids.filter((sid) => known.has(sid))).toEqual([...known]);
    const times = seen.map(({ createdAt }) => createdAt);
    expect(times).toEqual([...times].sort().reverse());
  });

  it.each(['limit=0', 'limit=101', 'cursor=x', 'type=service'])('400: refuses ?%s', async (query) => {
    expectInvalid(await running.api.get(`${path}?${query}`, 400), query.split('=')[0]!);
  });

  it('502, 503: Twilio’s troubles are answered as ours', async () => {
    await sandbox.fault(
      { method: 'GET', path: '/Roles$', times: 9 },
      { type: 'status', status: 403, code: 20403 },
    );
    expectProblem(await running.api.get(path, 502), 'upstream_auth_failed');
    await sandbox.clearFaults();
    await sandbox.fault(
      { method: 'GET', path: '/Roles$', times: 9 },
      { type: 'status', status: 429, code: 20429 },
    );
    const limited = await running.api.get(path, 503);
    expectProblem(limited, 'upstream_rate_limited');
    expect(limited.headers['retry-after']).toMatch(/^\d+$/);
    await sandbox.clearFaults();
    await sandbox.fault({ method: 'GET', path: '/Roles$', times: 1 }, { type: 'status', status: 500 });
    expectProblem(await running.api.get(path, 502), 'upstream_unavailable');
  });
});

describe('POST /v1/roles', () => {
  it('201: Twilio has it under its name with our id, and answers name it without', async () => {
    const given = roleBody({ friendlyName: unique('Größe 😀') });
    const response = await running.api.post<RoleResponse>(path, given, 201);
    expect(response.body).toEqual({
      ...given,
      id: expect.any(String) as string,
      twilioSid: expect.stringMatching(/^RL[0-9a-f]{32}$/) as string,
      preset: null,
      createdAt: expect.any(String) as string,
      updatedAt: expect.any(String) as string,
    });
    const { id, twilioSid, friendlyName, type, permissions } = response.body;
    expect(response.headers['location']).toBe(`${path}/${id}`);
    expect(await atTwilio(twilioSid)).toMatchObject({
      friendly_name: `${friendlyName} cvk_${id}`,
      type,
      permissions,
    });
  });

  it('201: a participant bears it by its name, and a User by the name of a service role', async () => {
    const role = await make();
    const chat = supportChat();
    const participants = [{ kind: 'agent', externalId: unique('ada'), role: role.friendlyName }];
    const { body: made } = await running.api.post('/v1/conversations', { ...chat, participants }, 201);
    expect(made.participants[0].role).toBe(role.friendlyName);
    const service = await make({ type: 'service', permissions: ['joinConversation'] });
    const person = { kind: 'agent', externalId: unique('agent'), serviceRole: service.friendlyName };
    const { body: identity } = await running.api.post('/v1/identities', person, 201);
    expect(identity.serviceRole).toBe(service.friendlyName);
  });

  it('201: two may bear one name; which is meant is then asked', async () => {
    const friendlyName = unique('twice');
    const [one, other] = [await make({ friendlyName }), await make({ friendlyName })];
    expect(one.twilioSid).not.toBe(other.twilioSid);
    const participants = [{ kind: 'agent', externalId: unique('a'), role: friendlyName }];
    const refused = await running.api.post('/v1/conversations', { participants }, 400);
    expectInvalid(refused, 'participants.0.role');
  });

  it('201 again, the same bytes, for the same Idempotency-Key; 422 for another body', async () => {
    const headers = { 'idempotency-key': unique('key') };
    const given = roleBody();
    const first = await running.api.post(path, given, 201, { headers });
    const again = await running.api.post(path, given, 201, { headers });
    expect(again.text).toBe(first.text);
    expect(again.headers).toMatchObject({
      'idempotent-replayed': 'true',
      location: first.headers['location'],
    });
    expectProblem(await running.api.post(path, roleBody(), 422, { headers }), 'idempotency_key_reused');
    expect((await all()).filter((role) => role.friendlyName === given.friendlyName)).toHaveLength(1);
  });

  it('202: who does not wait gets the role as it is, and finds it where Location says', async () => {
    const headers = { prefer: 'respond-async' };
    const response = await running.api.post<RoleResponse>(path, roleBody(), 202, { headers });
    expect(response.body.twilioSid).toBeNull();
    const location = response.headers['location'] as string;
    expect(location).toBe(`${path}/${response.body.id}`);
    const { body: role } = await running.api.get<RoleResponse>(location, 200);
    expect(role).toMatchObject({ id: response.body.id, friendlyName: response.body.friendlyName });
  });

  it('400: an unknown permission is refused with the list of those that exist for the type', async () => {
    const permissions = ['sendMessage', 'fly'];
    const problem = expectInvalid(
      await running.api.post(path, roleBody({ permissions }), 400),
      'permissions.1',
    );
    expect(problem.errors?.[0]?.message).toContain('sendMediaMessage');
    expect(problem.errors?.[0]?.message).not.toContain('joinConversation');
    const service = await running.api.post(
      path,
      roleBody({ type: 'service', permissions: ['sendMessage'] }),
      400,
    );
    expect(expectInvalid(service, 'permissions.0').errors?.[0]?.message).toContain('joinConversation');
  });

  it.each([
    ['friendlyName', { friendlyName: '' }],
    ['friendlyName', { friendlyName: 'x'.repeat(201) }],
    ['friendlyName', { friendlyName: 'agent' }],
    ['friendlyName', { friendlyName: NOBODYS_SID }],
    ['type', { type: 'channel' }],
    ['permissions', { permissions: [] }],
    ['permissions', { permissions: 'sendMessage' }],
    ['permissions', { permissions: [1] }],
    ['permissions', { permissions: ['sendMessage', 'sendMessage'] }],
    ['preset', { preset: 'agent' }],
  ])('400: %s may not be as in %j', async (field, more) => {
    expectInvalid(await running.api.post(path, roleBody(more), 400), field);
  });

  it('201: a name of 200 characters', async () => {
    expect((await make({ friendlyName: '名'.repeat(200) })).friendlyName).toHaveLength(200);
  });

  it('401, 403: writing asks for roles:write', async () => {
    expectProblem(await running.api.post(path, roleBody(), 401, { key: null }), 'unauthorized');
    const others = await callerWith(running.api, 'conversations:write', 'identities:write');
    expectProblem(await others.post(path, roleBody(), 403), 'missing_scope');
  });

  it('422: what Twilio refuses is not made, and does not stay', async () => {
    const fault = { type: 'status', status: 400, code: 50104 };
    await sandbox.fault({ method: 'POST', path: '/Roles$', times: 1 }, fault);
    const given = roleBody();
    const headers = { 'idempotency-key': unique('key') };
    const refused = await running.api.post(path, given, 422, { headers });
    expect(expectProblem(refused, 'upstream_refused').twilio).toMatchObject({ code: 50104, status: 400 });
    expect((await running.api.post(path, given, 422, { headers })).text).toBe(refused.text);
    expect((await all()).map(({ friendlyName }) => friendlyName)).not.toContain(given.friendlyName);
    expect((await make(given)).friendlyName).toBe(given.friendlyName);
  });
});

describe('GET /v1/roles/{sid}', () => {
  it('200: by its RL… and by our id, to any key', async () => {
    const role = await make();
    const anybody = await callerWith(running.api, 'webhooks:admin');
    expect((await anybody.get(`${path}/${role.twilioSid}`, 200)).body).toEqual(role);
    expect((await anybody.get(`${path}/${role.id}`, 200)).body).toEqual(role);
  });

  it('404: nobody’s, no sid, and another chat service’s', async () => {
    const { admin } = await otherService(running.api);
    const { id, twilioSid } = await make();
    for (const name of [NOBODYS_SID, NOBODYS_ID, 'agent', '..%2F..', id, twilioSid])
      expectProblem(await admin.get(`${path}/${name}`, 404), 'not_found');
  });

  it('414: a parameter that is too long; 400: If-Match, as Twilio holds roles', async () => {
    expectProblem(await running.api.get(`${path}/${'x'.repeat(256)}`, 414), 'uri_too_long');
    const { twilioSid } = await make();
    const headers = { 'if-match': '*' };
    expectInvalid(await running.api.get(`${path}/${twilioSid}`, 400, { headers }), 'If-Match');
  });
});
