import { afterEach, describe, expect, it } from 'vitest';
import type { IdentityResponse } from '../../src/identities/identity.dto.js';
import { otherService } from '../support/access.js';
import type { ApiClient } from '../support/api-client.js';
import { unique, useApp } from '../support/app.js';
import { eventually } from '../support/eventually.js';

const CALL_TIMEOUT_MS = 500;
// Short times, so that what waits for them is seen within the test.
const running = useApp({ TWILIO_CALL_TIMEOUT_MS: String(CALL_TIMEOUT_MS), LEASE_MS: '1500' });
const { sandbox } = running;

afterEach(() => sandbox.clearFaults());

interface TwilioUser {
  sid: string;
  identity: string;
  friendly_name: string | null;
}

/** A chat service of its own, with its setting and its people. */
async function service(shareDisplayNames: boolean) {
  const { id, admin } = await otherService(running.api);
  const { body } = await running.api.get<{ twilioSid: string }>(`/v1/services/${id}`, 200);
  const users = `/v1/Services/${body.twilioSid}/Users`;
  const share = (on: boolean) => admin.patch(`/v1/services/${id}`, { shareDisplayNames: on }, 200);
  if (shareDisplayNames) await share(true);
  return {
    id,
    admin,
    users,
    share,
    nameOf: async (identity: string) =>
      (await sandbox.twilio<TwilioUser>(`${users}/${identity}`)).friendly_name,
    names: async () =>
      (await sandbox.twilio<{ users: TwilioUser[] }>(`${users}?PageSize=50`)).users.map(
        ({ friendly_name }) => friendly_name,
      ),
  };
}

const person = async (admin: ApiClient, displayName: string | null) =>
  (
    await admin.post<IdentityResponse>(
      '/v1/identities',
      { kind: 'customer', externalId: unique('cust'), displayName },
      201,
    )
  ).body;

const joins = async (admin: ApiClient, displayName: string) => {
  const participants = [{ kind: 'customer', externalId: unique('cust'), displayName }];
  const { body } = await admin.post('/v1/conversations', { participants }, 201);
  return body.participants[0].identity as { id: string; twilioIdentity: string };
};

/** Nothing is left to do, nor to be looked at once more. */
const settled = (serviceId: string) =>
  eventually(async () => {
    const rows = await running.sql('select id from identities where service_id = $1 and due_at is not null', [
      serviceId,
    ]);
    expect(rows).toEqual([]);
  });

describe('shareDisplayNames: false', () => {
  it('Twilio is told no name', async () => {
    const { admin, nameOf } = await service(false);
    const { twilioIdentity } = await joins(admin, 'Bob');
    // The sweep has been by, as it has told somebody else's name.
    const sharing = await service(true);
    const ada = await person(sharing.admin, 'Ada');
    await eventually(async () => expect(await sharing.nameOf(ada.twilioIdentity)).toBe('Ada'));
    expect(await nameOf(twilioIdentity)).toBeNull();
  });
});

describe('shareDisplayNames: true', () => {
  it('the names of those who are known already are told, whether or not they have joined', async () => {
    const { admin, share, nameOf } = await service(false);
    const bob = await joins(admin, 'Bob');
    const eve = await person(admin, 'Eve');
    await share(true);
    await eventually(async () => {
      expect(await nameOf(bob.twilioIdentity)).toBe('Bob');
      expect(await nameOf(eve.twilioIdentity)).toBe('Eve');
    });
  });

  it('and of those who come later, off the path that provisions', async () => {
    const { admin, nameOf } = await service(true);
    const since = await sandbox.last();
    const { twilioIdentity } = await joins(admin, 'Bob');
    const provisioning = (await sandbox.requests(since)).filter(({ path }) => path.includes('/Participants'));
    expect(provisioning).toHaveLength(1);
    await eventually(async () => expect(await nameOf(twilioIdentity)).toBe('Bob'));
  });

  it('the User at Twilio is seen in the identity, and nobody is changed by that', async () => {
    const { admin } = await service(true);
    const made = await person(admin, 'Bob');
    await eventually(async () => {
      const { body } = await admin.get<IdentityResponse>(`/v1/identities/${made.id}`, 200);
      expect(body).toEqual({ ...made, twilioSid: expect.stringMatching(/^US/) as string });
    });
  });

  it('a name that is changed follows; one that is cleared leaves what Twilio knows the person by', async () => {
    const { admin, nameOf } = await service(true);
    const { id, twilioIdentity } = await person(admin, 'Bob');
    await eventually(async () => expect(await nameOf(twilioIdentity)).toBe('Bob'));
    await admin.patch(`/v1/identities/${id}`, { displayName: 'Robert' }, 200);
    await eventually(async () => expect(await nameOf(twilioIdentity)).toBe('Robert'));
    await admin.patch(`/v1/identities/${id}`, { displayName: null }, 200);
    await eventually(async () => expect(await nameOf(twilioIdentity)).toBe(twilioIdentity));
  });

  it('whoever has no name is left alone', async () => {
    const { id, admin, names } = await service(true);
    await person(admin, null);
    const bob = await person(admin, 'Bob');
    await eventually(async () => expect(await names()).toContain('Bob'));
    await settled(id);
    expect(await names()).toEqual(['Bob']);
    expect(bob.displayName).toBe('Bob');
  });

  it('of whoever is erased nothing stays, neither at Twilio nor of what it was told', async () => {
    const { id: serviceId, admin, names } = await service(true);
    const { id } = await joins(admin, 'Bob');
    await eventually(async () => expect(await names()).toEqual(['Bob']));
    await admin.post(`/v1/identities/${id}/erase`, {}, 200);
    await eventually(async () => {
      const told = 'select id from identities where service_id = $1 and shared_name_hash is not null';
      expect(await running.sql(told, [serviceId])).toEqual([]);
    });
    await settled(serviceId);
    expect(await names()).toEqual([]);
  });

  it('many names are told in batches, each once, while the setting was answered at once', async () => {
    const { id, admin, share, names, users } = await service(false);
    await running.sql(
      `insert into identities (id, service_id, kind, external_id, display_name, twilio_identity)
      select gen_random_uuid(), $1, 'customer', 'many-' || n, 'Name ' || n, 'cvk_' || gen_random_uuid()
      from generate_series(1, 45) n`,
      [id],
    );
    const since = await sandbox.last();
    await share(true);
    const { body: behind } = await admin.get('/v1/reconciliation', 200);
    expect(behind.data.length).toBeLessThanOrEqual(50);
    await eventually(async () => expect((await names()).length).toBe(45), 20_000);
    await settled(id);
    expect((await names()).sort()).toEqual(Array.from({ length: 45 }, (_, n) => `Name ${n + 1}`).sort());
    const made = (await sandbox.requests(since)).filter(
      ({ method, path, status }) => method === 'POST' && path.endsWith(users) && status === 201,
    );
    expect(made).toHaveLength(45);
  });
});

describe('shareDisplayNames: false, after it was true', () => {
  it('names are taken back from Twilio, and no longer told', async () => {
    const { admin, share, nameOf } = await service(true);
    const bob = await joins(admin, 'Bob');
    await eventually(async () => expect(await nameOf(bob.twilioIdentity)).toBe('Bob'));
    await share(false);
    await eventually(async () => expect(await nameOf(bob.twilioIdentity)).toBe(bob.twilioIdentity));
    await eventually(async () => {
      expect(await running.sql('select id from chat_services where names_stale')).toEqual([]);
    });
    await admin.patch(`/v1/identities/${bob.id}`, { displayName: 'Robert' }, 200);
    await share(true);
    await eventually(async () => expect(await nameOf(bob.twilioIdentity)).toBe('Robert'));
  });

  it('also one that was under way when it was turned off', async () => {
    const { id, admin, share, nameOf, users } = await service(true);
    await sandbox.fault(
      { method: 'POST', path: `${users}$`, times: 1 },
      { type: 'delay', ms: 300, applied: 'after' },
    );
    const { twilioIdentity } = await person(admin, 'Bob');
    await eventually(async () => expect(await nameOf(twilioIdentity)).toBe('Bob'));
    await share(false);
    await eventually(async () => expect(await nameOf(twilioIdentity)).toBe(twilioIdentity));
    await settled(id);
    expect(await nameOf(twilioIdentity)).toBe(twilioIdentity);
  });
});

describe('When Twilio does not get on', () => {
  it.each([
    ['its answer is lost', { type: 'reset-after' }],
    ['it answers 500', { type: 'status', status: 500 }],
    ['it limits the rate', { type: 'status', status: 429, code: 20429 }],
    ['it hangs', { type: 'hang', applied: true }],
  ])('a name is told although %s', async (_, fault) => {
    const { id, admin, nameOf, users } = await service(true);
    await sandbox.fault({ method: 'POST', path: `${users}(/|$)`, times: 2 }, fault);
    const { twilioIdentity } = await person(admin, 'Bob');
    await eventually(async () => expect(await nameOf(twilioIdentity)).toBe('Bob'));
    await settled(id);
  });

  it('a name that it refuses is not sent again until it is another one', async () => {
    const { id, admin, nameOf, users } = await service(true);
    await sandbox.fault(
      { method: 'POST', path: `${users}$`, times: 1 },
      { type: 'status', status: 400, code: 20001 },
    );
    const bob = await person(admin, 'Bob');
    const kinds = () =>
      running.sql('select kind, status from wishes where aggregate_id = $1 order by position', [bob.id]);
    await eventually(async () => expect(await kinds()).toEqual([{ kind: 'display_name', status: 422 }]));
    // The sweep has been by once more, as it has told somebody else's name.
    const eve = await person(admin, 'Eve');
    await eventually(async () => expect(await nameOf(eve.twilioIdentity)).toBe('Eve'));
    await settled(id);
    expect(await kinds()).toHaveLength(1);
    await admin.patch(`/v1/identities/${bob.id}`, { displayName: 'Robert' }, 200);
    await eventually(async () => expect(await nameOf(bob.twilioIdentity)).toBe('Robert'));
  });

  it('a name that lands late, after a later one, is undone', async () => {
    const { admin, nameOf, users } = await service(true);
    const { id, twilioIdentity } = await person(admin, 'Bob');
    await eventually(async () => expect(await nameOf(twilioIdentity)).toBe('Bob'));
    await sandbox.fault(
      { method: 'POST', path: `${users}/${twilioIdentity}$`, times: 1 },
      { type: 'delay', ms: 3 * CALL_TIMEOUT_MS },
    );
    await admin.patch(`/v1/identities/${id}`, { displayName: 'first' }, 200);
    await eventually(async () => {
      const sent = (await sandbox.requests()).filter(
        ({ parameters }) => parameters['FriendlyName'] === 'first',
      );
      expect(sent).not.toHaveLength(0);
    });
    await admin.patch(`/v1/identities/${id}`, { displayName: 'second' }, 200);
    await eventually(async () => expect(await nameOf(twilioIdentity)).toBe('second'));
    await eventually(async () => expect(await nameOf(twilioIdentity)).toBe('first'));
    await eventually(async () => expect(await nameOf(twilioIdentity)).toBe('second'));
  });

  it('what a killed process had begun is finished by another one', async () => {
    const { id, admin, nameOf } = await service(true);
    const bob = await person(admin, 'Bob');
    await eventually(async () => expect(await nameOf(bob.twilioIdentity)).toBe('Bob'));
    await settled(id);
    // As it stands when it was killed after Twilio had the name, and before that was written down; then it is turned off.
    await running.sql(
      `update wishes set status = null, answer = null, settled_at = null where aggregate_id = $1`,
      [bob.id],
    );
    await running.sql(
      'update chat_services set share_display_names = false, names_stale = true where id = $1',
      [id],
    );
    await running.sql(
      `update identities set shared_name_hash = null, due_at = now(), unsettled_since = now(), version = version + 1
      where id = $1`,
      [bob.id],
    );
    await eventually(async () => expect(await nameOf(bob.twilioIdentity)).toBe(bob.twilioIdentity));
    await settled(id);
  });
});
