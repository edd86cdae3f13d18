import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { unique, useApp } from '../support/app.js';
import { drift, findings, whenAtRest } from '../support/drift.js';
import { eventually } from '../support/eventually.js';

const test = useApp({ LEASE_MS: '3000', TWILIO_CALL_TIMEOUT_MS: '1500' });
const { sandbox } = test;

interface Identity {
  id: string;
  twilioIdentity: string;
  twilioSid: string | null;
  serviceRole: string | null;
}

const ROLE = unique('guide');
let ada: Identity;

const userPath = (): string => `/v1/Users/${ada.twilioSid}`;
const read = async (): Promise<Identity> =>
  (await test.api.get<Identity>(`/v1/identities/${ada.id}`, 200)).body;
const row = async (): Promise<unknown> =>
  (await test.sql('select twilio_sid, service_role from identities where id = $1', [ada.id]))[0];

async function serviceRole(FriendlyName: string): Promise<string> {
  const form = Object.entries({ FriendlyName, Type: 'service', Permission: 'joinConversation' });
  return (await sandbox.write<{ sid: string }>('POST', '/v1/Roles', form)).sid;
}

const userAtTwilio = () =>
  sandbox.twilio<{ sid: string; role_sid: string }>(`/v1/Users/${ada.twilioIdentity}`);

let roleSid = '';
beforeAll(async () => {
  await eventually(() => test.api.get('/v1/drift', 200));
  roleSid = await serviceRole(ROLE);
});
beforeEach(async () => {
  const body = { kind: 'agent', externalId: unique('ada'), serviceRole: ROLE };
  ({ body: ada } = await test.api.post<Identity>('/v1/identities', body, 201));
  expect(await findings(test.api)).toEqual([]);
});

describe('a User at Twilio', () => {
  it('that has another service role gets ours again', async () => {
    const other = unique('root');
    await sandbox.write('POST', userPath(), [['RoleSid', await serviceRole(other)]]);
    const found = {
      kind: 'identity_service_role',
      identity: { id: ada.id, twilioSid: ada.twilioSid },
      ours: ROLE,
      twilio: other,
      repair: 'update',
    };
    expect(await findings(test.api)).toMatchObject([found]);
    expect(await findings(test.api, { repair: {} })).toMatchObject([{ ...found, outcome: 'repaired' }]);
    expect(await userAtTwilio()).toMatchObject({ sid: ada.twilioSid, role_sid: roleSid });
    expect(await findings(test.api)).toEqual([]);
  });

  it('that is gone is not made again: that is adopted', async () => {
    await sandbox.write('DELETE', userPath());
    const found = { kind: 'identity_user_missing', ours: ada.twilioSid, twilio: null, repair: 'adopt' };
    expect(await findings(test.api)).toMatchObject([found]);
    expect(await row()).toEqual({ twilio_sid: ada.twilioSid, service_role: ROLE });
    expect(await findings(test.api, { repair: {} })).toMatchObject([{ ...found, outcome: 'repaired' }]);
    expect(await row()).toEqual({ twilio_sid: null, service_role: null });
    expect(await findings(test.api)).toEqual([]);
    await expect(userAtTwilio()).rejects.toThrow('404');
  });

  it('that is gone is made again with its role, when that is asked for', async () => {
    await sandbox.write('DELETE', userPath());
    expect(await findings(test.api, { repair: { readd: true } })).toMatchObject([{ outcome: 'repaired' }]);
    const user = await userAtTwilio();
    expect(user.role_sid).toBe(roleSid);
    expect(await read()).toMatchObject({ twilioSid: user.sid, serviceRole: ROLE });
    expect(await findings(test.api)).toEqual([]);
  });

  it('that was made anew is adopted, and gets the role', async () => {
    await sandbox.write('DELETE', userPath());
    const { sid } = await sandbox.write<{ sid: string }>('POST', '/v1/Users', [
      ['Identity', ada.twilioIdentity],
    ]);
    expect(await findings(test.api)).toMatchObject([
      { kind: 'identity_user_replaced', ours: ada.twilioSid, twilio: sid, repair: 'adopt' },
      { kind: 'identity_service_role', ours: ROLE, repair: 'update' },
    ]);
    const repaired = await findings(test.api, { repair: {} });
    expect(repaired.map(({ outcome }) => outcome)).toEqual(['repaired', 'repaired']);
    expect(await read()).toMatchObject({ twilioSid: sid, serviceRole: ROLE });
    expect((await userAtTwilio()).role_sid).toBe(roleSid);
    expect(await findings(test.api)).toEqual([]);
  });

  it('whose role is gone at Twilio is left as it is', async () => {
    const gone = unique('gone');
    const sid = await serviceRole(gone);
    await test.api.put(`/v1/identities/${ada.id}/service-role`, { role: gone }, 200);
    await sandbox.write('POST', userPath(), [['RoleSid', roleSid]]);
    await sandbox.write('DELETE', `/v1/Roles/${sid}`);
    const left = { kind: 'identity_service_role', ours: gone, twilio: ROLE, repair: 'none' };
    expect(await findings(test.api)).toMatchObject([left]);
    expect(await findings(test.api, { repair: {} })).toMatchObject([{ ...left, outcome: 'left' }]);
    await test.api.put(`/v1/identities/${ada.id}/service-role`, { role: ROLE }, 200);
  });

  it('is not asked for where we know of none', async () => {
    for (let n = 0; n < 30; n += 1)
      await test.api.post('/v1/identities', { kind: 'customer', externalId: unique('cust') }, 201);
    const since = await sandbox.last();
    const pages = (await drift(test.api, { limit: 2 })).filter(({ part }) => part === 'identities');
    const known = await test.sql('select 1 from identities where service_role is not null');
    expect(pages.reduce((sum, { checked }) => sum + checked, 0)).toBe(known.length);
    const asked = (await sandbox.requests(since)).filter(({ path }) => path.includes('/Users/'));
    expect(asked).toHaveLength(known.length);
  });
});

describe('the name of a User at Twilio', () => {
  const named = (FriendlyName: string) => sandbox.write('POST', userPath(), [['FriendlyName', FriendlyName]]);
  const nameAtTwilio = async () =>
    (await sandbox.twilio<{ friendly_name: string | null }>(userPath())).friendly_name;
  const share = async (shareDisplayNames: boolean) => {
    const { body } = await test.api.get<{ data: { id: string }[] }>('/v1/services', 200);
    await test.api.patch(`/v1/services/${body.data[0]?.id}`, { shareDisplayNames }, 200);
  };

  it('is told again where the chat service shares names, and is another', async () => {
    await share(true);
    await test.api.patch(`/v1/identities/${ada.id}`, { displayName: 'Ada' }, 200);
    await eventually(async () => expect(await nameAtTwilio()).toBe('Ada'));
    expect(await whenAtRest(test.api)).toEqual([]);
    await named('Mallory');
    const identity = { id: ada.id, twilioSid: ada.twilioSid };
    const found = { kind: 'identity_name', identity, ours: 'Ada', twilio: 'Mallory', repair: 'update' };
    expect(await findings(test.api)).toMatchObject([found]);
    expect(await nameAtTwilio()).toBe('Mallory');
    expect(await findings(test.api, { repair: {} })).toMatchObject([{ ...found, outcome: 'repaired' }]);
    expect(await nameAtTwilio()).toBe('Ada');
    expect(await whenAtRest(test.api)).toEqual([]);
    await share(false);
    await eventually(async () => expect(await nameAtTwilio()).toBe(ada.twilioIdentity));
    expect(await whenAtRest(test.api)).toEqual([]);
  });

  it('that Twilio refuses stays as it is there, and is said to be left', async () => {
    await share(true);
    await sandbox.fault(
      { method: 'POST', path: `/Users/${ada.twilioIdentity}$` },
      { type: 'status', status: 400, code: 20001 },
    );
    await test.api.patch(`/v1/identities/${ada.id}`, { displayName: 'Ada' }, 200);
    const left = await eventually(async () => {
      const found = await whenAtRest(test.api);
      expect(found).toMatchObject([{ kind: 'identity_name', ours: 'Ada', twilio: null }]);
      return found;
    });
    await sandbox.fault(
      { method: 'POST', path: `/Users/${ada.twilioIdentity}$` },
      { type: 'status', status: 400, code: 20001 },
    );
    const repaired = await findings(test.api, { repair: {} });
    expect(repaired).toMatchObject(left.map(({ kind }) => ({ kind, outcome: 'left' })));
    expect(await findings(test.api, { repair: {} })).toMatchObject([{ outcome: 'repaired' }]);
    expect(await nameAtTwilio()).toBe('Ada');
    await share(false);
    await eventually(async () => expect(await nameAtTwilio()).toBe(ada.twilioIdentity));
  });

  it('is taken back where the chat service shares none, also one that nobody knows to have been told', async () => {
    await named('Ada');
    const found = { kind: 'identity_name', ours: null, twilio: 'Ada', repair: 'update' };
    expect(await findings(test.api)).toMatchObject([found]);
    expect(await findings(test.api, { repair: {} })).toMatchObject([{ ...found, outcome: 'repaired' }]);
    expect(await nameAtTwilio()).toBe(ada.twilioIdentity);
    expect(await whenAtRest(test.api)).toEqual([]);
  });

  it('is repaired beside its role, and each is told by itself', async () => {
    await named('Ada');
    const other = unique('root');
    await sandbox.write('POST', userPath(), [['RoleSid', await serviceRole(other)]]);
    expect(await findings(test.api, { repair: {} })).toMatchObject([
      { kind: 'identity_service_role', outcome: 'repaired' },
      { kind: 'identity_name', outcome: 'repaired' },
    ]);
    expect(await nameAtTwilio()).toBe(ada.twilioIdentity);
    expect((await userAtTwilio()).role_sid).toBe(roleSid);
  });
});
