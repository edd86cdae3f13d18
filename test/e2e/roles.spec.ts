import { afterEach, describe, expect, it } from 'vitest';
import type { RoleDriftResponse, RoleResponse } from '../../src/roles/role.dto.js';
import { callerWith, otherService } from '../support/access.js';
import type { ApiClient } from '../support/api-client.js';
import { unique, useApp } from '../support/app.js';
import { supportChat } from '../support/chats.js';
import { expectInvalid, expectProblem } from '../support/problems.js';
import { NOBODYS_ID } from '../support/routes.js';

const running = useApp();
const { sandbox } = running;

afterEach(() => sandbox.clearFaults());

const path = '/v1/roles';
const NOBODYS_SID = `RL${'0'.repeat(32)}`;

interface TwilioRole {
  sid: string;
  friendly_name: string;
  type: string;
  permissions: string[];
}

interface Page {
  data: RoleResponse[];
  nextCursor: string | null;
}

const body = (more: object = {}) => ({
  friendlyName: unique('moderator'),
  type: 'conversation',
  permissions: ['sendMessage', 'editAnyMessage'],
  ...more,
});
const make = async (more: object = {}, api: ApiClient = running.api) =>
  (await api.post<RoleResponse>(path, body(more), 201)).body;
const atTwilio = (sid: string | null) => sandbox.twilio<TwilioRole>(`/v1/Roles/${sid}`);
const all = async () => (await running.api.get<Page>(`${path}?limit=100`, 200)).body.data;
const preset = async (name: string) => {
  const found = (await all()).find((role) => role.preset === name);
  if (!found) throw new Error(`Nothing is the preset ${name}.`);
  return found;
};

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
    const given = body({ friendlyName: unique('Größe 😀') });
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
    const given = body();
    const first = await running.api.post(path, given, 201, { headers });
    const again = await running.api.post(path, given, 201, { headers });
    expect(again.text).toBe(first.text);
    expect(again.headers).toMatchObject({
      'idempotent-replayed': 'true',
      location: first.headers['location'],
    });
    expectProblem(await running.api.post(path, body(), 422, { headers }), 'idempotency_key_reused');
    expect((await all()).filter((role) => role.friendlyName === given.friendlyName)).toHaveLength(1);
  });

  it('202: who does not wait gets the role as it is, and finds it where Location says', async () => {
    const headers = { prefer: 'respond-async' };
    const response = await running.api.post<RoleResponse>(path, body(), 202, { headers });
    expect(response.body.twilioSid).toBeNull();
    const location = response.headers['location'] as string;
    expect(location).toBe(`${path}/${response.body.id}`);
    const { body: role } = await running.api.get<RoleResponse>(location, 200);
    expect(role).toMatchObject({ id: response.body.id, friendlyName: response.body.friendlyName });
  });

  it('400: an unknown permission is refused with the list of those that exist for the type', async () => {
    const permissions = ['sendMessage', 'fly'];
    const problem = expectInvalid(await running.api.post(path, body({ permissions }), 400), 'permissions.1');
    expect(problem.errors?.[0]?.message).toContain('sendMediaMessage');
    expect(problem.errors?.[0]?.message).not.toContain('joinConversation');
    const service = await running.api.post(
      path,
      body({ type: 'service', permissions: ['sendMessage'] }),
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
    expectInvalid(await running.api.post(path, body(more), 400), field);
  });

  it('201: a name of 200 characters', async () => {
    expect((await make({ friendlyName: '名'.repeat(200) })).friendlyName).toHaveLength(200);
  });

  it('401, 403: writing asks for roles:write', async () => {
    expectProblem(await running.api.post(path, body(), 401, { key: null }), 'unauthorized');
    const others = await callerWith(running.api, 'conversations:write', 'identities:write');
    expectProblem(await others.post(path, body(), 403), 'missing_scope');
  });

  it('422: what Twilio refuses is not made, and does not stay', async () => {
    const fault = { type: 'status', status: 400, code: 50104 };
    await sandbox.fault({ method: 'POST', path: '/Roles$', times: 1 }, fault);
    const given = body();
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

describe('PATCH /v1/roles/{sid}', () => {
  it('200: Twilio has the new list, and no other', async () => {
    const role = await make();
    const permissions = ['leaveConversation', 'sendMessage'];
    const response = await running.api.patch<RoleResponse>(`${path}/${role.twilioSid}`, { permissions }, 200);
    expect(response.body).toMatchObject({ id: role.id, friendlyName: role.friendlyName, permissions });
    expect((await atTwilio(role.twilioSid)).permissions).toEqual(permissions);
  });

  it('200: a key left out stays', async () => {
    const role = await make();
    expect((await running.api.patch(`${path}/${role.id}`, {}, 200)).body).toEqual(role);
  });

  it('200: also of a role that did not come through Convoke', async () => {
    const theirs = (await all()).find(({ friendlyName }) => friendlyName === 'channel user');
    const permissions = ['sendMessage'];
    const { body: changed } = await running.api.patch(`${path}/${theirs?.twilioSid}`, { permissions }, 200);
    expect(changed).toMatchObject({ id: null, friendlyName: 'channel user', permissions });
  });

  it('200: whoever speaks by the role is held to its new permissions at once', async () => {
    const role = await make({ permissions: ['leaveConversation'] });
    const externalId = unique('ada');
    const participants = [{ kind: 'agent', externalId, role: role.friendlyName }];
    const { body: chat } = await running.api.post('/v1/conversations', { participants }, 201);
    const say = (status: number) =>
      running.api.post(`/v1/conversations/${chat.id}/messages`, { author: externalId, body: 'Hi' }, status);
    expectProblem(await say(403), 'role_forbids');
    await running.api.patch(`${path}/${role.twilioSid}`, { permissions: ['sendMessage'] }, 200);
    await say(201);
    await running.api.patch(`${path}/${role.twilioSid}`, { permissions: ['leaveConversation'] }, 200);
    expectProblem(await say(403), 'role_forbids');
  });

  it.each([
    ['permissions.0', { permissions: ['fly'] }],
    ['permissions.0', { permissions: ['joinConversation'] }],
    ['permissions', { permissions: [] }],
    ['permissions', { permissions: null }],
    ['friendlyName', { friendlyName: 'Twilio cannot rename one' }],
    ['type', { type: 'service' }],
  ])('400: refuses %s as in %j', async (field, change) => {
    const { twilioSid } = await make();
    expectInvalid(await running.api.patch(`${path}/${twilioSid}`, change, 400), field);
  });

  it('400: If-Match, as Twilio holds roles', async () => {
    const { twilioSid } = await make();
    const headers = { 'if-match': '*' };
    const response = await running.api.patch(`${path}/${twilioSid}`, {}, 400, { headers });
    expectInvalid(response, 'If-Match');
  });

  it('403: without roles:write; 404: nobody’s, and another chat service’s', async () => {
    const { twilioSid } = await make();
    const change = { permissions: ['sendMessage'] };
    const reader = await callerWith(running.api, 'conversations:read');
    expectProblem(await reader.patch(`${path}/${twilioSid}`, change, 403), 'missing_scope');
    expectProblem(await running.api.patch(`${path}/${NOBODYS_SID}`, change, 404), 'not_found');
    const { admin } = await otherService(running.api);
    expectProblem(await admin.patch(`${path}/${twilioSid}`, change, 404), 'not_found');
  });

  it('404: one that goes while the change is under way', async () => {
    const { id, twilioSid } = await make();
    const gone = { type: 'status', status: 404, code: 50100 };
    await sandbox.fault({ method: 'POST', path: `/Roles/${twilioSid}$`, times: 1 }, gone);
    const change = { permissions: ['sendMessage'] };
    expectProblem(await running.api.patch(`${path}/${id}`, change, 404), 'not_found');
  });

  it('409: a preset is not changed', async () => {
    const agent = await preset('agent');
    const change = { permissions: ['sendMessage'] };
    expectProblem(await running.api.patch(`${path}/${agent.twilioSid}`, change, 409), 'role_is_preset');
    expectProblem(await running.api.patch(`${path}/${agent.id}`, change, 409), 'role_is_preset');
    expect((await atTwilio(agent.twilioSid)).permissions).toEqual(agent.permissions);
  });

  it('422: what Twilio refuses is told, and changes nothing', async () => {
    const { twilioSid, permissions } = await make();
    const fault = { type: 'status', status: 400, code: 50104 };
    await sandbox.fault({ method: 'POST', path: `/Roles/${twilioSid}$`, times: 1 }, fault);
    const change = { permissions: ['leaveConversation'] };
    const refused = await running.api.patch(`${path}/${twilioSid}`, change, 422);
    expect(expectProblem(refused, 'upstream_refused').twilio).toMatchObject({ code: 50104 });
    expect((await atTwilio(twilioSid)).permissions).toEqual(permissions);
  });
});

describe('DELETE /v1/roles/{sid}', () => {
  it('204, then 404: it is gone from Twilio, for reads and for a second deletion', async () => {
    const { id, twilioSid } = await make();
    await running.api.delete(`${path}/${twilioSid}`, 204);
    await expect(atTwilio(twilioSid)).rejects.toThrow('404');
    for (const name of [id, twilioSid]) {
      expectProblem(await running.api.get(`${path}/${name}`, 404), 'not_found');
      expectProblem(await running.api.delete(`${path}/${name}`, 404), 'not_found');
    }
  });

  it('422: one that Twilio needs is not deleted, in its words', async () => {
    const theirs = (await all()).find(({ friendlyName }) => friendlyName === 'channel admin');
    const refused = await running.api.delete(`${path}/${theirs?.twilioSid}`, 422);
    const problem = expectProblem(refused, 'upstream_refused');
    expect(problem.twilio).toMatchObject({ code: 20001, status: 400 });
    expect(problem.detail).toContain('cannot be deleted');
    expect((await atTwilio(theirs?.twilioSid ?? null)).friendly_name).toBe('channel admin');
  });

  it('400: If-Match; 403: without roles:write; 404: another chat service’s; 409: a preset', async () => {
    const { twilioSid } = await make();
    const headers = { 'if-match': '*' };
    expectInvalid(await running.api.delete(`${path}/${twilioSid}`, 400, { headers }), 'If-Match');
    const reader = await callerWith(running.api, 'conversations:write');
    expectProblem(await reader.delete(`${path}/${twilioSid}`, 403), 'missing_scope');
    const { admin } = await otherService(running.api);
    expectProblem(await admin.delete(`${path}/${twilioSid}`, 404), 'not_found');
    const bot = await preset('bot');
    expectProblem(await running.api.delete(`${path}/${bot.twilioSid}`, 409), 'role_is_preset');
    expect((await atTwilio(twilioSid)).sid).toBe(twilioSid);
    expect((await atTwilio(bot.twilioSid)).sid).toBe(bot.twilioSid);
  });
});

describe('GET /v1/roles/drift and POST /v1/roles/repair', () => {
  const drift = async () => (await running.api.get<RoleDriftResponse>(`${path}/drift`, 200)).body;
  const of = ({ presets }: RoleDriftResponse, name: string) => presets.find((one) => one.preset === name);
  const repair = (options = {}) => running.api.post<RoleDriftResponse>(`${path}/repair`, {}, 200, options);

  it('200: nothing drifts from what was just made, to any key', async () => {
    const anybody = await callerWith(running.api, 'webhooks:admin');
    const { body: report } = await anybody.get<RoleDriftResponse>(`${path}/drift`, 200);
    expect(report.inSync).toBe(true);
    expect(report.presets.map((one) => one.preset)).toEqual(['agent', 'bot', 'customer', 'supervisor']);
    expect(report.presets.flatMap(({ problems }) => problems)).toEqual([]);
  });

  it('200: a preset that is missing is made again, under a new sid that conversations use at once', async () => {
    const { twilioSid } = await preset('agent');
    await sandbox.write('DELETE', `/v1/Roles/${twilioSid}`);
    const found = await drift();
    expect(found.inSync).toBe(false);
    expect(of(found, 'agent')).toMatchObject({ twilioSid, problems: ['missing'] });
    const { body: mended } = await repair();
    expect(mended.inSync).toBe(true);
    const sid = of(mended, 'agent')?.twilioSid;
    expect(sid).not.toBe(twilioSid);
    expect(await drift()).toEqual(mended);
    const participants = [{ kind: 'agent', externalId: unique('ada') }];
    const { body: chat } = await running.api.post('/v1/conversations', { participants }, 201);
    const at = `/v1/Conversations/${chat.twilioSid}/Participants`;
    const { participants: there } = await sandbox.twilio<{ participants: { role_sid: string }[] }>(at);
    expect(there.map(({ role_sid }) => role_sid)).toEqual([sid]);
  });

  it('200: other permissions are named, and put right', async () => {
    const { twilioSid, permissions } = await preset('customer');
    await sandbox.write('POST', `/v1/Roles/${twilioSid}`, [
      ['Permission', 'sendMessage'],
      ['Permission', 'deleteConversation'],
    ]);
    expect(of(await drift(), 'customer')).toMatchObject({
      problems: ['permissions'],
      lacks: permissions.filter((name) => name !== 'sendMessage'),
      exceeds: ['deleteConversation'],
    });
    expect((await repair()).body.inSync).toBe(true);
    expect((await atTwilio(twilioSid)).permissions.sort()).toEqual([...permissions].sort());
  });

  it('200: a twin is named, and removed', async () => {
    const { id, twilioSid } = await preset('supervisor');
    const twin = await sandbox.write<TwilioRole>('POST', '/v1/Roles', [
      ['FriendlyName', `supervisor cvk_${id}`],
      ['Type', 'conversation'],
      ['Permission', 'sendMessage'],
    ]);
    expect(of(await drift(), 'supervisor')).toMatchObject({ problems: ['twin'], twins: [twin.sid] });
    expect((await repair()).body.inSync).toBe(true);
    await expect(atTwilio(twin.sid)).rejects.toThrow('404');
    expect((await atTwilio(twilioSid)).sid).toBe(twilioSid);
  });

  it('200: what callers have made is left as it is, and a repair where nothing drifts changes nothing', async () => {
    const role = await make();
    const before = await all();
    const headers = { 'idempotency-key': unique('key') };
    const first = await repair({ headers });
    expect((await repair({ headers })).text).toBe(first.text);
    expect(await all()).toEqual(before);
    expect((await running.api.get(`${path}/${role.twilioSid}`, 200)).body).toEqual(role);
  });

  it('202: who does not wait is told where to look', async () => {
    const headers = { prefer: 'respond-async' };
    const response = await running.api.post(`${path}/repair`, {}, 202, { headers });
    expect(response.body).toEqual({ inSync: null, presets: [] });
    expect(response.headers['location']).toBe(`${path}/drift`);
  });

  it('400: If-Match; 403: repair asks for roles:write', async () => {
    const headers = { 'if-match': '*' };
    expectInvalid(await running.api.get(`${path}/drift`, 400, { headers }), 'If-Match');
    expectInvalid(await running.api.post(`${path}/repair`, {}, 400, { headers }), 'If-Match');
    const reader = await callerWith(running.api, 'conversations:write');
    expectProblem(await reader.post(`${path}/repair`, {}, 403), 'missing_scope');
  });

  it('422: a twin that Twilio does not let go is told, and stays for the next repair', async () => {
    const { id } = await preset('bot');
    const twin = await sandbox.write<TwilioRole>('POST', '/v1/Roles', [
      ['FriendlyName', `bot cvk_${id}`],
      ['Type', 'conversation'],
      ['Permission', 'sendMessage'],
    ]);
    const fault = { type: 'status', status: 400, code: 20001 };
    await sandbox.fault({ method: 'DELETE', path: `/Roles/${twin.sid}$`, times: 1 }, fault);
    const refused = await running.api.post(`${path}/repair`, {}, 422);
    expectProblem(refused, 'upstream_refused');
    expect((await repair()).body.inSync).toBe(true);
  });
});
