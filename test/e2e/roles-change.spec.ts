import { afterEach, describe, expect, it } from 'vitest';
import type { RoleResponse } from '../../src/roles/role.dto.js';
import { callerWith, otherService } from '../support/access.js';
import { unique, useApp } from '../support/app.js';
import { expectInvalid, expectProblem } from '../support/problems.js';
import { rolesOf } from '../support/roles.js';

const running = useApp();
const { sandbox } = running;

afterEach(() => sandbox.clearFaults());

const { path, make, atTwilio, all, preset } = rolesOf(running);
const NOBODYS_SID = `RL${'0'.repeat(32)}`;

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
