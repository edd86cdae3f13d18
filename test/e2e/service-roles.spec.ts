import { randomUUID } from 'node:crypto';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { unique, useApp } from '../support/app.js';
import { supportChat } from '../support/chats.js';
import { eventually } from '../support/eventually.js';
import { expectProblem } from '../support/problems.js';

const running = useApp({ TWILIO_CALL_TIMEOUT_MS: '500', LEASE_MS: '1500' });

const roles = new Map<string, string>();
const user = (identity: string) =>
  running.sandbox.twilio<{ sid: string; role_sid: string }>(`/v1/Users/${identity}`);
const person = (more: object = {}) => ({ kind: 'agent', externalId: unique('agent'), ...more });

beforeAll(async () => {
  await running.api.post('/v1/conversations', supportChat(), 201);
  const list = await running.sandbox.twilio<{ roles: { sid: string; friendly_name: string }[] }>(
    '/v1/Roles?PageSize=50',
  );
  for (const { sid, friendly_name } of list.roles) roles.set(friendly_name, sid);
});
afterEach(() => running.sandbox.clearFaults());

it('a wish of a kind that only a newer release knows is left to it, and changes nothing', async () => {
  const { body } = await running.api.post('/v1/identities', person(), 201);
  await running.sql(
    `with due as (update identities set due_at = now(), unsettled_since = now() where id = $1 returning service_id)
    insert into wishes (id, service_id, aggregate, aggregate_id, kind, request_id, instance)
    select gen_random_uuid(), service_id, 'identity', $1, 'promote', 'x', 'x' from due`,
    [body.id],
  );
  await eventually(async () => {
    const { body: behind } = await running.api.get('/v1/reconciliation', 200);
    expect(behind.data).toMatchObject([
      { id: body.id, reason: 'internal_error', wishes: [{ kind: 'promote' }] },
    ]);
  });
  await expect(user(body.twilioIdentity)).rejects.toThrow('404');
  await running.sql('delete from wishes where aggregate_id = $1', [body.id]);
  await eventually(async () =>
    expect(await running.sql('select id from identities where due_at is not null')).toEqual([]),
  );
});

describe('POST /v1/identities with serviceRole', () => {
  it('201: the User is there with the role, and a repeat makes nothing', async () => {
    const headers = { 'idempotency-key': randomUUID() };
    const body = person({ serviceRole: 'service admin' });
    const first = await running.api.post('/v1/identities', body, 201, { headers });
    const { sid, role_sid } = await user(first.body.twilioIdentity);
    expect(role_sid).toBe(roles.get('service admin'));
    expect(first.body).toMatchObject({ serviceRole: 'service admin', twilioSid: sid });
    const again = await running.api.post('/v1/identities', body, 201, { headers });
    expect(again.text).toBe(first.text);
  });

  it.each([
    ['its answer is lost', { type: 'reset-after' }],
    ['it is cut before', { type: 'reset-before' }],
    ['it hangs', { type: 'hang', applied: true }],
  ])('201 once, although %s', async (_, fault) => {
    await running.sandbox.fault({ method: 'POST', path: '/Users$' }, fault);
    const { body } = await running.api.post('/v1/identities', person({ serviceRole: 'service admin' }), 201);
    expect((await user(body.twilioIdentity)).role_sid).toBe(roles.get('service admin'));
    await eventually(async () => {
      expect(await running.sql('select id from identities where due_at is not null')).toEqual([]);
    });
  });

  it('400: a role that is not there, or is a conversation role; nobody is made known', async () => {
    for (const serviceRole of ['boss', 'channel user']) {
      const body = person({ serviceRole });
      const { body: problem } = await running.api.post('/v1/identities', body, 400);
      expect(problem.errors[0].field).toBe('serviceRole');
      const { body: list } = await running.api.get(`/v1/identities?externalId=${body.externalId}`, 200);
      expect(list.data).toEqual([]);
    }
  });

  it('403: a role reaches over the whole chat service, and needs roles:write', async () => {
    const { body: key } = await running.api.post(
      '/v1/api-keys',
      { name: 'crm', scopes: ['identities:write'] },
      201,
    );
    const api = running.api.with(key.key as string);
    await api.post('/v1/identities', person({ serviceRole: 'service admin' }), 403);
    await api.post('/v1/identities', person(), 201);
  });

  it('422: what Twilio refuses, with its code', async () => {
    const fault = { type: 'status', status: 400, code: 50504 };
    await running.sandbox.fault({ method: 'POST', path: '/Users$' }, fault);
    const body = person({ serviceRole: 'service admin' });
    const refused = await running.api.post('/v1/identities', body, 422);
    expect(expectProblem(refused, 'upstream_refused')).toMatchObject({ twilio: { code: 50504 } });
  });

  it('409: a known externalId', async () => {
    const body = person();
    await running.api.post('/v1/identities', body, 201);
    await running.api.post('/v1/identities', { ...body, serviceRole: 'service admin' }, 409);
  });
});

describe('PUT /v1/identities/{identity}/service-role', () => {
  it('200: changes the role of a User that a conversation has made', async () => {
    const { body: chat } = await running.api.post('/v1/conversations', supportChat(), 201);
    const { id, twilioIdentity } = chat.participants[0].identity;
    const { body } = await running.api.put(
      `/v1/identities/${id}/service-role`,
      { role: 'service admin' },
      200,
    );
    expect(body).toMatchObject({ id, serviceRole: 'service admin' });
    expect((await user(twilioIdentity)).role_sid).toBe(roles.get('service admin'));
    await running.api.put(`/v1/identities/${id}/service-role`, { role: 'service user' }, 200);
    expect((await user(twilioIdentity)).role_sid).toBe(roles.get('service user'));
  });

  it('400: a role that is not there', async () => {
    const { body: identity } = await running.api.post('/v1/identities', person(), 201);
    const { body } = await running.api.put(
      `/v1/identities/${identity.id}/service-role`,
      { role: 'boss' },
      400,
    );
    expect(body.errors[0].field).toBe('role');
  });

  it('422: a role that Twilio refuses leaves the one that was', async () => {
    const { body: identity } = await running.api.post(
      '/v1/identities',
      person({ serviceRole: 'service user' }),
      201,
    );
    await running.sandbox.fault(
      { method: 'POST', path: '/Users/' },
      { type: 'status', status: 400, code: 50205 },
    );
    await running.api.put(`/v1/identities/${identity.id}/service-role`, { role: 'service admin' }, 422);
    const { body: read } = await running.api.get(`/v1/identities/${identity.id}`, 200);
    expect(read.serviceRole).toBe('service user');
  });
});
