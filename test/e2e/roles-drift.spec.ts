import { afterEach, describe, expect, it } from 'vitest';
import type { RoleDriftResponse } from '../../src/roles/role.dto.js';
import { callerWith } from '../support/access.js';
import { unique, useApp } from '../support/app.js';
import { expectInvalid, expectProblem } from '../support/problems.js';
import { rolesOf, type TwilioRole } from '../support/roles.js';

const running = useApp();
const { sandbox } = running;
const { path, make, atTwilio, all, preset } = rolesOf(running);

afterEach(() => sandbox.clearFaults());

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
