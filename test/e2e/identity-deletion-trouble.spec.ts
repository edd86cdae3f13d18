import { afterEach, describe, expect, it } from 'vitest';
import { otherService } from '../support/access.js';
import { unique, useApp } from '../support/app.js';
import { provision } from '../support/chats.js';
import { findings, whenAtRest } from '../support/drift.js';
import { eventually } from '../support/eventually.js';
import { FAULTS } from '../support/faults.js';

// Short times, so that what waits for them is seen within the test.
const running = useApp({ TWILIO_CALL_TIMEOUT_MS: '500', LEASE_MS: '1500' });
const { sandbox } = running;
const PATIENT = { headers: { prefer: 'wait=30' } };

afterEach(() => sandbox.clearFaults());

interface Known {
  id: string;
  externalId: string;
  twilioIdentity: string;
}

/** Somebody whose only chat is closed. */
async function parted(): Promise<Known> {
  const chat = await provision(running.api);
  await running.api.post(`${chat.path}/close`, {}, 200);
  return chat.bob.identity!;
}

const remove = ({ id }: Known) => running.api.delete(`/v1/identities/${id}`, 204, PATIENT);
const userOf = ({ twilioIdentity }: Known) => sandbox.twilio(`/v1/Users/${twilioIdentity}`);
const expectNoUser = (who: Known) => expect(userOf(who)).rejects.toThrow('404');

const settled = () =>
  eventually(async () => {
    for (const table of ['conversations', 'identities'])
      expect(await running.sql(`select id from ${table} where due_at is not null`)).toEqual([]);
  }, 20_000);

describe.each(Object.entries(FAULTS))('When %s', (_, fault) => {
  it.each([
    ['DELETE', '/Users/US'],
    ['GET', '/Users/cvk_'],
  ])('a deletion goes on at %s %s: here and at Twilio nobody is left', async (method, path) => {
    const who = await parted();
    await sandbox.fault({ method, path }, fault);
    await remove(who);
    await running.api.get(`/v1/identities/${who.id}`, 404);
    await expectNoUser(who);
    await running.api.post('/v1/identities', { kind: 'agent', externalId: who.externalId }, 201);
  });
});

describe('A User of who is deleted does not stay behind', () => {
  it('by a call that lands late: the one that gave a service role', async () => {
    await sandbox.fault(
      { method: 'POST', path: '/Users$', times: 1 },
      { type: 'reset-before', applyAfterMs: 1200 },
    );
    const body = { kind: 'agent', externalId: unique('agent'), serviceRole: 'service user' };
    const { body: who } = await running.api.post<Known>('/v1/identities', body, 201);
    await remove(who);
    await eventually(() => userOf(who));
    await eventually(() => expectNoUser(who), 20_000);
  });

  it('by a call that lands late: the one that added him to a conversation', async () => {
    const chat = await provision(running.api);
    await sandbox.fault(
      { method: 'POST', path: '/Participants$', times: 1 },
      { type: 'reset-before', applyAfterMs: 1500 },
    );
    const asked = { kind: 'customer', externalId: unique('cust') };
    const { body: added } = await running.api.post(`${chat.path}/participants`, asked, 201);
    await running.api.delete(`${chat.path}/participants/${added.id}`, 204);
    const who = added.identity as Known;
    await remove(who);
    await eventually(() => userOf(who));
    await eventually(() => expectNoUser(who), 20_000);
  });

  it('by his name, which the chat service shares, and tells nobody any more', async () => {
    const { id: serviceId, admin } = await otherService(running.api);
    const share = (shareDisplayNames: boolean) =>
      admin.patch(`/v1/services/${serviceId}`, { shareDisplayNames }, 200);
    await share(true);
    const chat = await provision(admin);
    await admin.post(`${chat.path}/close`, {}, 200);
    const { body: service } = await admin.get(`/v1/services/${serviceId}`, 200);
    const users = `/v1/Services/${service.twilioSid}/Users`;
    const names = async () =>
      (await sandbox.twilio<{ users: { friendly_name: string }[] }>(`${users}?PageSize=50`)).users.map(
        ({ friendly_name }) => friendly_name,
      );
    await eventually(async () => expect((await names()).sort()).toEqual(['Ada', 'Bob']));
    await admin.delete(`/v1/identities/${chat.bob.identity!.id}`, 204, PATIENT);
    for (const [n, on] of [true, false, true].entries()) {
      // Nothing keeps the sweep from looking at him.
      await settled();
      await share(on);
      // The sweep has been by, as it has told somebody else's name.
      const body = { kind: 'agent', externalId: unique('eve'), displayName: `Eve ${n}` };
      await admin.post('/v1/identities', body, 201);
      const told = on ? ['Ada', 'Eve 0', ...(n > 0 ? ['Eve 1', 'Eve 2'] : [])] : [];
      await eventually(async () => {
        const named = (await names()).filter((name) => !name.startsWith('cvk_'));
        expect(named.sort()).toEqual(told);
      }, 20_000);
    }
    const told = await running.sql(`select kind from wishes where aggregate_id = $1 order by position`, [
      chat.bob.identity!.id,
    ]);
    expect(told.at(-1)).toEqual({ kind: 'delete' });
  });
});

it('who waits for an answer yet, and sent no key, is not told that it has been erased', async () => {
  const who = await parted();
  await running.api.put(`/v1/identities/${who.id}/service-role`, { role: 'service user' }, 200);
  await remove(who);
  const rows = await running.sql(
    `select kind, answer is null as erased from wishes where aggregate_id = $1 order by position`,
    [who.id],
  );
  expect(rows).toEqual([
    { kind: 'service_role', erased: false },
    { kind: 'delete', erased: false },
  ]);
});

describe('Drift', () => {
  it('finds nothing about who has been deleted, nor in the closed chat that he was in', async () => {
    const who = await parted();
    const hold = { type: 'status', status: 500 };
    await sandbox.fault({ method: 'DELETE', path: '/Users/US', times: 1000 }, hold);
    await running.api.delete(`/v1/identities/${who.id}`, 202, { headers: { prefer: 'respond-async' } });
    expect(await findings(running.api)).toEqual([]);
    await sandbox.clearFaults();
    await eventually(() => running.api.get(`/v1/identities/${who.id}`, 404), 20_000);
    expect(await whenAtRest(running.api)).toEqual([]);
    await running.api.post('/v1/drift/repair', {}, 200);
    await running.api.get(`/v1/identities/${who.id}`, 404);
  });
});
