import { randomUUID } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { callerWith, otherService } from '../support/access.js';
import { unique, useApp, useReplica } from '../support/app.js';
import { addressPair, provision, supportChat, type Chat } from '../support/chats.js';
import { eventually } from '../support/eventually.js';
import { importAll } from '../support/import-client.js';
import { expectProblem } from '../support/problems.js';
import { NOBODYS_ID } from '../support/routes.js';
import { newPerson, openSession, refresh } from '../support/token-sessions.js';
import { inTurn, writersOf } from '../support/writers.js';

const running = useApp();
const replica = useReplica(running);

afterEach(() => running.sandbox.clearFaults());

const async = { headers: { prefer: 'respond-async' } };
const pathOf = (id: string) => `/v1/identities/${id}`;

/** Bob's identity, once the chat that he was in is closed. */
async function parted(chat?: Chat) {
  chat ??= await provision(running.api);
  await running.api.post(`${chat.path}/close`, {}, 200);
  const { body } = await running.api.get(pathOf(chat.bob.identity!.id), 200);
  return { ...(body as { id: string; twilioSid: string; externalId: string; twilioIdentity: string }), chat };
}

const userOf = (twilioIdentity: string) => running.sandbox.twilio(`/v1/Users/${twilioIdentity}`);

/** Twilio does not get on with deletions of Users, until the faults are cleared. */
const holdDeletions = () =>
  running.sandbox.fault(
    { method: 'DELETE', path: '/Users/US', times: 1000 },
    { type: 'status', status: 500 },
  );

describe('DELETE /v1/identities/{identity}', () => {
  it.each(['id', 'twilioSid'] as const)('204: gone here and at Twilio, by its %s', async (name) => {
    const bob = await parted();
    const { text, headers } = await running.api.delete(pathOf(bob[name]), 204);
    expect(text).toBe('');
    expect(headers['location']).toBeUndefined();
    await expect(userOf(bob.twilioIdentity)).rejects.toThrow('404');
    const { body: list } = await running.api.get(`/v1/identities?externalId=${bob.externalId}`, 200);
    expect(list.data).toEqual([]);
    const { body: all } = await running.api.get<{ data: { id: string }[] }>('/v1/identities?limit=100', 200);
    expect(all.data.map(({ id }) => id)).not.toContain(bob.id);
    for (const gone of [bob.id, bob.twilioSid].map(pathOf)) {
      const answers = [
        await running.api.delete(gone, 404),
        await running.api.get(gone, 404),
        await running.api.patch(gone, { displayName: 'x' }, 404),
        await running.api.post(`${gone}/suspend`, undefined, 404),
        await running.api.post(`${gone}/reinstate`, undefined, 404),
        await running.api.get(`${gone}/conversations`, 404),
        await running.api.get(`${gone}/token-sessions`, 404),
      ];
      for (const answer of answers) expectProblem(answer, 'not_found');
    }
    expectProblem(await running.api.post('/v1/tokens', { identityId: bob.id }, 404), 'not_found');
    const asked = { participants: [{ identityId: bob.id }] };
    expectProblem(await running.api.post('/v1/conversations', asked, 400), 'validation_failed');
  });

  it('204 for who never chatted, was suspended, has left, or is in what failed or was deleted', async () => {
    const [left, deleted] = [await provision(running.api), await provision(running.api)];
    await running.api.delete(`${left.path}/participants/${left.bob.id}`, 204);
    await running.api.delete(deleted.path, 204);
    const suspended = await newPerson(running);
    await running.api.post(`${pathOf(suspended)}/suspend`, undefined, 200);
    const externalId = unique('cust');
    const refused = { participants: [{ kind: 'customer', externalId, address: '+15005550001' }] };
    await running.api.post('/v1/conversations', refused, 422);
    const { body: failed } = await running.api.get(`/v1/identities?externalId=${externalId}`, 200);
    const people = [left.bob.identity!.id, deleted.bob.identity!.id, suspended, failed.data[0].id as string];
    for (const id of [...people, await newPerson(running)]) {
      await running.api.delete(pathOf(id), 204);
      await running.api.get(pathOf(id), 404);
    }
  });

  it('204 for who is erased: he is listed no longer, and his receipt is given again all the same', async () => {
    const { id } = await parted();
    const key = { headers: { 'idempotency-key': randomUUID() } };
    const erase = (options?: object) => running.api.post(`${pathOf(id)}/erase`, {}, 200, options);
    const { text: receipt } = await erase(key);
    await running.api.delete(pathOf(id), 204);
    await running.api.get(pathOf(id), 404);
    for (const options of [undefined, key]) expect((await erase(options)).text).toBe(receipt);
  });

  it('409 identity_in_use while in an open conversation, by browser or by address; nothing is done', async () => {
    const active = await provision(running.api, supportChat({ byAddress: true }));
    const inactive = await provision(running.api);
    await running.api.patch(inactive.path, { state: 'inactive' }, 200);
    const people = [...active.participants, inactive.bob].map(({ identity }) => identity!.id);
    expect(people).toHaveLength(4);
    for (const id of people) {
      const { text: before } = await running.api.get(pathOf(id), 200);
      const { detail } = expectProblem(await running.api.delete(pathOf(id), 409), 'identity_in_use');
      expect(detail).toContain(id === inactive.bob.identity!.id ? inactive.id : active.id);
      expect((await running.api.get(pathOf(id), 200)).text).toBe(before);
      await running.api.post('/v1/tokens', { identityId: id }, 201);
    }
  });

  it('409 identity_in_use while coming into a conversation, or not yet out of it', async () => {
    const leaving = await provision(running.api);
    const held = { type: 'status', status: 500 };
    await running.sandbox.fault({ method: 'POST', path: '/Participants$', times: 1000 }, held);
    await running.sandbox.fault({ method: 'DELETE', path: '/Participants/MB', times: 1000 }, held);
    const { body: coming } = await running.api.post('/v1/conversations', supportChat(), 202, async);
    await running.api.delete(`${leaving.path}/participants/${leaving.bob.id}`, 202, async);
    for (const id of [coming.participants[0].identity.id as string, leaving.bob.identity!.id])
      expectProblem(await running.api.delete(pathOf(id), 409), 'identity_in_use');
    await running.sandbox.clearFaults();
    await eventually(() => running.api.delete(pathOf(leaving.bob.identity!.id), 204));
  });

  it('202 with Location and the identity, suspended, when Twilio is slow; who asks again waits for it', async () => {
    const bob = await parted();
    await running.sandbox.fault(
      { method: 'DELETE', path: '/Users/US', times: 1 },
      { type: 'delay', ms: 1500, applied: 'before' },
    );
    const { body, headers } = await running.api.delete(pathOf(bob.id), 202, async);
    expect(body).toMatchObject({ id: bob.id, status: 'suspended', externalId: bob.externalId });
    expect(headers['location']).toBe(pathOf(bob.id));
    expect((await running.api.get(headers['location']!, 200)).body).toEqual(body);
    await Promise.all([running.api, replica.api].map((api) => api.delete(pathOf(bob.id), 204)));
    await running.api.get(pathOf(bob.id), 404);
  });

  it('403 without identities:write: to erase is another right', async () => {
    const id = await newPerson(running);
    const caller = await callerWith(running.api, 'identities:read', 'identities:erase');
    expectProblem(await caller.delete(pathOf(id), 403), 'missing_scope');
    const writer = await callerWith(running.api, 'identities:write');
    await writer.delete(pathOf(id), 204);
  });

  it('404 for nobody, and for a caller of another chat service; 414 for a name that is too long', async () => {
    const bob = await parted();
    const { admin } = await otherService(running.api);
    for (const name of [bob.id, bob.twilioSid])
      expectProblem(await admin.delete(pathOf(name), 404), 'not_found');
    for (const name of [NOBODYS_ID, `US${'0'.repeat(32)}`, bob.externalId])
      expectProblem(await running.api.delete(pathOf(name), 404), 'not_found');
    expectProblem(await running.api.delete(pathOf('x'.repeat(256)), 414), 'uri_too_long');
    await running.api.get(pathOf(bob.id), 200);
  });

  it('502 at once for bad credentials; it goes on when they are mended', async () => {
    const bob = await parted();
    const refused = { type: 'status', status: 401, code: 20003 };
    await running.sandbox.fault({ method: 'DELETE', path: '/Users/US', times: 1000 }, refused);
    expectProblem(await running.api.delete(pathOf(bob.id), 502), 'upstream_auth_failed');
    await running.sandbox.clearFaults();
    await eventually(() => running.api.get(pathOf(bob.id), 404), 20_000);
  });
});

describe('While somebody is being deleted', () => {
  it('403 identity_suspended for whatever would change him, bring him in or give him a token', async () => {
    const bob = await parted();
    const { externalId } = bob;
    const { path, ada } = await provision(running.api);
    await holdDeletions();
    await running.api.delete(pathOf(bob.id), 202, async);
    const answers = [
      await running.api.patch(pathOf(bob.id), { displayName: 'x' }, 403),
      await running.api.put(`/v1/identities/by-external-id/${externalId}`, { kind: 'customer' }, 403),
      await running.api.post(`${pathOf(bob.id)}/reinstate`, undefined, 403),
      await running.api.post(`${pathOf(bob.id)}/suspend`, undefined, 403),
      await running.api.put(`${pathOf(bob.id)}/service-role`, { role: 'service user' }, 403),
      await replica.api.post('/v1/tokens', { externalId }, 403),
      await replica.api.post('/v1/conversations', { participants: [{ externalId }] }, 403),
      await replica.api.post(`${path}/participants`, { identityId: bob.id }, 403),
      await replica.api.post(`${path}/transfer`, { from: ada.id, to: { externalId } }, 403),
    ];
    for (const answer of answers) expectProblem(answer, 'identity_suspended');
    const line = JSON.stringify({ kind: 'customer', externalId, displayName: 'x' });
    const [imported] = await importAll(await running.baseUrl(), running.api.key, line);
    expect(imported).toMatchObject({ line: 1, status: 'failed', code: 'identity_suspended' });
  });

  it('his externalId is free when it is done, and not before: 409 identity_exists with Retry-After', async () => {
    const body = { kind: 'customer', externalId: unique('cust'), displayName: 'Bob' };
    const key = { headers: { 'idempotency-key': randomUUID() } };
    const { body: made } = await running.api.post('/v1/identities', body, 201, key);
    const chat = await provision(running.api, { participants: [body, { ...body, externalId: unique('c') }] });
    await running.api.post(`${chat.path}/close`, {}, 200);
    await holdDeletions();
    await running.api.delete(pathOf(made.id), 202, async);
    const taken = await running.api.post('/v1/identities', body, 409);
    expect(expectProblem(taken, 'identity_exists')).toMatchObject({ identity: { id: made.id } });
    expect(taken.headers['retry-after']).toMatch(/^[1-9]\d*$/);
    await running.sandbox.clearFaults();
    await running.api.delete(pathOf(made.id), 204);
    const { body: next } = await running.api.post('/v1/identities', body, 201);
    expect(next.id).not.toBe(made.id);
    expect(next.twilioIdentity).not.toBe(made.twilioIdentity);
    // The answer that named the other one is given no more.
    expectProblem(await running.api.post('/v1/identities', body, 410, key), 'answer_erased');
    const again = await provision(running.api, { participants: [body] });
    expect(again.participants[0]!.identity!.id).toBe(next.id);
  });

  it('his sessions end at once, on every replica, and a new one is not opened', async () => {
    const bob = await parted();
    const { session } = await openSession(running, { identityId: bob.id });
    const { session: other } = await openSession(running, { identityId: bob.id });
    await holdDeletions();
    await running.api.delete(pathOf(bob.id), 202, async);
    const on = [running.server, replica.app.getHttpServer()];
    for (const [n, { refreshToken }] of [session, other].entries())
      expectProblem(await refresh({ server: on[n]! }, refreshToken), 'unauthorized');
    const asked = { identityId: bob.id, session: {} };
    expectProblem(await replica.api.post('/v1/tokens', asked, 403), 'identity_suspended');
    await running.sandbox.clearFaults();
    await running.api.delete(pathOf(bob.id), 204);
    expectProblem(await refresh(running, session.refreshToken), 'unauthorized');
    expect(await running.sql('select id from token_sessions where identity_id = $1', [bob.id])).toEqual([]);
  });
});

describe('Who is written into a conversation in the moment of the deletion', () => {
  /** What keeps the deletion waiting once it has seen that the person is in no conversation. */
  const SESSIONS = 'lock table token_sessions in share mode';

  it.each(writersOf(running))('%s, and first: 409 identity_in_use', async (_, prepare) => {
    const bob = await parted();
    const { write, obstacle } = await prepare(bob.externalId);
    const refused = async () =>
      expectProblem(await running.api.delete(pathOf(bob.id), 409), 'identity_in_use');
    await inTurn(running, obstacle, write, refused);
    expect((await running.api.get(pathOf(bob.id), 200)).body.status).toBe('active');
  });

  it.each(writersOf(running))('%s, and second: 403, he is in nothing', async (_, prepare) => {
    const bob = await parted();
    const { write } = await prepare(bob.externalId);
    await openSession(running, { identityId: bob.id });
    const refused = async () => expectProblem(await write(403), 'identity_suspended');
    await inTurn(running, SESSIONS, () => running.api.delete(pathOf(bob.id), 204), refused);
    const rows = await running.sql(
      `select c.state from participants p join conversations c on c.id = p.conversation_id where identity_id = $1`,
      [bob.id],
    );
    expect(rows).toEqual([{ state: 'closed' }]);
  });
});

describe('A conversation that has come to its end', () => {
  it('keeps who was in it and who said what, by name, after the deletion', async () => {
    const nameless = { kind: 'customer', externalId: unique('cust'), ...addressPair() };
    const chat = await provision(running.api, {
      participants: [...supportChat().participants, nameless],
    });
    await running.api.post(`${chat.path}/messages`, { author: chat.bob.id, body: 'Hello' }, 201);
    const bob = await parted(chat);
    const { body: before } = await running.api.get(chat.path, 200);
    const carl = chat.participants[2]!.identity!;
    await running.api.delete(pathOf(bob.id), 204);
    await running.api.delete(pathOf(carl.id), 204);
    const { body: after } = await running.api.get(chat.path, 200);
    const gone = (who: object, displayName: string) => ({ ...who, externalId: null, displayName });
    expect(after).toEqual({
      ...before,
      participants: before.participants.map((one: Chat['bob'], n: number) => {
        if (n === 0) return one;
        const name = n === 1 ? 'Bob' : nameless.externalId;
        return { ...one, identity: gone(one.identity!, name) };
      }),
    });
    const { body: said } = await running.api.get(`${chat.path}/messages`, 200);
    expect(said.data.at(-1)).toMatchObject({ body: 'Hello', author: { identity: { displayName: 'Bob' } } });
    const { text } = await running.api.get(`${chat.path}/transcript?format=text`, 200);
    expect(text).toContain('Bob (customer): Hello');
  });

  it('is reached by an erasure after the deletion: the name goes there too', async () => {
    const bob = await parted();
    await running.api.delete(pathOf(bob.id), 204);
    await running.api.post(`${pathOf(bob.id)}/erase`, {}, 200);
    const { body } = await running.api.get(bob.chat.path, 200);
    expect(body.participants[1].identity).toMatchObject({ externalId: null, displayName: null });
    await running.api.get(pathOf(bob.id), 404);
  });
});
