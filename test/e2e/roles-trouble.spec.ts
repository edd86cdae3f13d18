import { afterEach, describe, expect, it } from 'vitest';
import type { RoleResponse } from '../../src/roles/role.dto.js';
import { unique, useApp } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import { FAULTS } from '../support/faults.js';
import { expectProblem } from '../support/problems.js';

const CALL_TIMEOUT_MS = 500;
// Short times, so that what waits for them is seen within the test.
const running = useApp({ TWILIO_CALL_TIMEOUT_MS: String(CALL_TIMEOUT_MS), LEASE_MS: '1500' });
const { sandbox } = running;

afterEach(() => sandbox.clearFaults());

interface TwilioRole {
  sid: string;
  friendly_name: string;
  permissions: string[];
}

const path = '/v1/roles';
const body = () => ({
  friendlyName: unique('moderator'),
  type: 'conversation',
  permissions: ['sendMessage', 'editAnyMessage'],
});
const make = async () => (await running.api.post<RoleResponse>(path, body(), 201)).body;
const named = async (friendlyName: string) =>
  (await sandbox.twilio<{ roles: TwilioRole[] }>('/v1/Roles?PageSize=50')).roles.filter(
    ({ friendly_name }) => friendly_name.split(' cvk_')[0] === friendlyName,
  );
const permissionsOf = async (sid: string | null) =>
  (await sandbox.twilio<TwilioRole>(`/v1/Roles/${sid}`)).permissions;

/** Nothing is left to do, nor to be looked at once more. */
const settled = () =>
  eventually(async () => {
    expect(await running.sql('select id from chat_services where due_at is not null')).toEqual([]);
  });

const made: RoleResponse[] = [];

describe.each(Object.entries(FAULTS))('When %s', (_, fault) => {
  it('a role that is made is there once', async () => {
    await sandbox.fault({ method: 'POST', path: '/Roles$' }, fault);
    const role = await make();
    made.push(role);
    expect(await permissionsOf(role.twilioSid)).toEqual(role.permissions);
  });

  it('a role that is changed is as it was wished', async () => {
    const { id, twilioSid } = await make();
    await sandbox.fault({ method: 'POST', path: `/Roles/${twilioSid}$` }, fault);
    const permissions = ['leaveConversation'];
    const { body: changed } = await running.api.patch(`${path}/${id}`, { permissions }, 200);
    expect(changed.permissions).toEqual(permissions);
    expect(await permissionsOf(twilioSid)).toEqual(permissions);
  });

  it('a role that is deleted is gone', async () => {
    const { id, twilioSid, friendlyName } = await make();
    await sandbox.fault({ method: 'DELETE', path: `/Roles/${twilioSid}$` }, fault);
    await running.api.delete(`${path}/${id}`, 204);
    expect(await named(friendlyName)).toEqual([]);
  });

  it('a preset that is missing is made again once', async () => {
    const { body: before } = await running.api.get(`${path}/drift`, 200);
    await sandbox.write('DELETE', `/v1/Roles/${before.presets[0].twilioSid}`);
    await sandbox.fault({ method: 'POST', path: '/Roles$' }, fault);
    const { body: after } = await running.api.post(`${path}/repair`, {}, 200);
    expect(after.presets[0].problems).not.toContain('missing');
  });
});

describe('After all that', () => {
  it('each role is there once, once what may have landed late has been looked for', async () => {
    await settled();
    for (const { friendlyName, twilioSid } of made)
      expect((await named(friendlyName)).map(({ sid }) => sid)).toEqual([twilioSid]);
    const { body: drift } = await running.api.get(`${path}/drift`, 200);
    expect(drift).toMatchObject({ inSync: true });
  });
});

describe('What lands late', () => {
  it('a role that was deleted meanwhile does not come back', async () => {
    await sandbox.fault(
      { method: 'POST', path: '/Roles$', times: 1 },
      { type: 'delay', ms: 3 * CALL_TIMEOUT_MS },
    );
    const { id, friendlyName } = await make();
    await running.api.delete(`${path}/${id}`, 204);
    await eventually(async () => expect(await named(friendlyName)).toHaveLength(1));
    await settled();
    expect(await named(friendlyName)).toEqual([]);
  });

  it('a change that lands after a later one is undone: the last one counts', async () => {
    const { id, twilioSid } = await make();
    await sandbox.fault(
      { method: 'POST', path: `/Roles/${twilioSid}$`, times: 1 },
      { type: 'delay', ms: 3 * CALL_TIMEOUT_MS },
    );
    await running.api.patch(`${path}/${id}`, { permissions: ['sendMessage'] }, 200);
    await running.api.patch(`${path}/${id}`, { permissions: ['leaveConversation'] }, 200);
    await eventually(async () => expect(await permissionsOf(twilioSid)).toEqual(['sendMessage']));
    await eventually(async () => expect(await permissionsOf(twilioSid)).toEqual(['leaveConversation']));
  });
});

describe('A process that was killed', () => {
  /** As it stands when the process is gone: the wish is open, the lease has run out. */
  async function reopen(kind: string): Promise<void> {
    const [wish] = (await running.sql(
      `update wishes set status = null, answer = null, settled_at = null
      where id = (select id from wishes where kind = $1 order by id desc limit 1) returning aggregate_id`,
      [kind],
    )) as [[{ aggregate_id: string }]];
    await running.sql(
      `update chat_services set due_at = now(), unsettled_since = now(), version = version + 1 where id = $1`,
      [wish[0].aggregate_id],
    );
  }

  it('after it had made the role, and before it had written that down: another one finds it', async () => {
    const role = await make();
    await running.sql('update custom_roles set twilio_sid = null where id = $1', [role.id]);
    await reopen('create_role');
    await settled();
    expect((await named(role.friendlyName)).map(({ sid }) => sid)).toEqual([role.twilioSid]);
    expect((await running.api.get(`${path}/${role.id}`, 200)).body).toEqual(role);
  });

  it('after it had deleted the role: the deletion is done', async () => {
    const { id, twilioSid } = await make();
    await running.api.delete(`${path}/${id}`, 204);
    await running.sql('update custom_roles set deleted_at = null where id = $1', [id]);
    await reopen('delete_role');
    await settled();
    expectProblem(await running.api.get(`${path}/${twilioSid}`, 404), 'not_found');
    expectProblem(await running.api.get(`${path}/${id}`, 404), 'not_found');
  });
});

describe('When Twilio does not get on', () => {
  it('502: bad credentials are answered at once, and the role is made when they are mended', async () => {
    const fault = { type: 'status', status: 401, code: 20003 };
    await sandbox.fault({ method: 'POST', path: '/Roles$', times: 1000 }, fault);
    const given = body();
    expectProblem(await running.api.post(path, given, 502), 'upstream_auth_failed');
    await sandbox.clearFaults();
    await eventually(async () => expect(await named(given.friendlyName)).toHaveLength(1), 20_000);
    await settled();
  });

  it('a code that nobody knows holds up the role that it is about, and no other', async () => {
    const { id, friendlyName, twilioSid } = await make();
    const fault = { type: 'status', status: 409, code: 59999 };
    await sandbox.fault({ method: 'DELETE', path: `/Roles/${twilioSid}$`, times: 1000 }, fault);
    const headers = { prefer: 'wait=1' };
    await running.api.delete(`${path}/${id}`, 202, { headers });
    await running.api.post(path, body(), 201);
    await sandbox.clearFaults();
    await eventually(async () => expect(await named(friendlyName)).toEqual([]), 30_000);
  });

  it('a wish of a kind that this release does not know is left to a newer one', async () => {
    const { id } = await make();
    await running.sql(
      `insert into wishes (id, service_id, aggregate, aggregate_id, kind, request_id, instance)
      select gen_random_uuid(), service_id, 'chat_service', service_id, 'rename_role', 'r', '/v1/roles'
      from custom_roles where id = $1`,
      [id],
    );
    await running.sql('update chat_services set due_at = now(), unsettled_since = now()');
    await eventually(async () => {
      const [row] = (await running.sql('select last_error from chat_services')) as [{ last_error: string }];
      expect(row.last_error).toBe('internal_error');
    });
    const open = `select kind from wishes where status is null`;
    expect(await running.sql(open)).toEqual([{ kind: 'rename_role' }]);
    await running.sql(`delete from wishes where kind = 'rename_role'`);
    await settled();
  });
});
