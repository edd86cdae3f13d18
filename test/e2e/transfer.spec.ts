import { afterEach, describe, expect, it } from 'vitest';
import { callerWith, otherService } from '../support/access.js';
import { unique, useApp } from '../support/app.js';
import {
  addressPair,
  namesIn,
  provision,
  roleAtTwilio,
  supportChat,
  textsIn,
  type Chat,
} from '../support/chats.js';
import { eventually } from '../support/eventually.js';
import { expectInvalid, expectProblem } from '../support/problems.js';
import { NOBODYS_ID } from '../support/routes.js';

const running = useApp();

afterEach(() => running.sandbox.clearFaults());

const grace = () => ({ kind: 'agent', externalId: unique('agent'), displayName: 'Grace' });
const systemMessage = { body: 'Grace takes over from Ada.' };
const REFUSED = { address: '+15005550001', proxyAddress: '+15559990000' };

/** No message waits to be sent that nobody will send. */
const expectNoneWaiting = async ({ id }: Chat) =>
  expect(
    await running.sql(`select id from messages where conversation_id = $1 and state = 'sending'`, [id]),
  ).toEqual([]);

describe('POST /v1/conversations/{conversation}/transfer', () => {
  it('200: `to` joins, then the message is said, then `from` leaves', async () => {
    const chat = await provision(running.api);
    const since = await running.sandbox.last();
    const body = { from: chat.ada.identity?.externalId, to: grace(), systemMessage };
    const { body: after, headers } = await running.api.post(`${chat.path}/transfer`, body, 200);
    expect(headers['location']).toBe(chat.path);
    expect(after).toMatchObject({
      id: chat.id,
      state: 'active',
      participants: [{ id: chat.bob.id }, { kind: 'agent', state: 'joined', role: 'agent' }],
    });
    const calls = await running.sandbox.requestsBesideRoles(since);
    expect(calls.map(({ method, path }) => `${method} ${path.split('/').slice(6).join('/')}`)).toEqual([
      'POST Participants',
      'POST Messages',
      `DELETE Participants/${chat.ada.twilioSid}`,
    ]);
    expect(await namesIn(running, chat)).toEqual(['Bob', 'Grace']);
    expect(await textsIn(running, chat)).toEqual([systemMessage.body]);
    expect((await running.api.get(chat.path, 200)).body).toEqual(after);
  });

  it('200: `from` by id, MB… or externalId; the role is his unless another is asked for', async () => {
    const role = await roleAtTwilio(running.sandbox, unique('expert'), ['sendMessage']);
    for (const name of ['id', 'twilioSid', 'externalId'] as const) {
      const chat = await provision(running.api);
      await running.api.patch(`${chat.path}/participants/${chat.ada.id}`, { role }, 200);
      const from = name === 'externalId' ? chat.ada.identity!.externalId : chat.ada[name];
      const { body } = await running.api.post(`${chat.path}/transfer`, { from, to: grace() }, 200);
      expect(body.participants[1].role).toMatch(/^expert-/);
      const to = { ...grace(), role: 'supervisor' };
      const next = await running.api.post(
        `${chat.path}/transfer`,
        { from: body.participants[1].id, to },
        200,
      );
      expect(next.body.participants[1]).toMatchObject({ role: 'supervisor', kind: 'agent' });
    }
  });

  it('200: to one who is in already, who stays as he is', async () => {
    const chat = await provision(running.api);
    const to = { ...grace(), role: 'supervisor' };
    const { body: there } = await running.api.post(`${chat.path}/participants`, to, 201);
    const body = { from: chat.ada.id, to: { externalId: to.externalId } };
    const { body: after } = await running.api.post(`${chat.path}/transfer`, body, 200);
    expect(after.participants).toEqual([chat.bob, there]);
  });

  it('200: an address may take over, and may be taken over from', async () => {
    const chat = await provision(running.api);
    const pair = addressPair();
    const first = { from: chat.bob.id, to: { ...pair, kind: 'customer' } };
    const { body: byPhone } = await running.api.post(`${chat.path}/transfer`, first, 200);
    expect(byPhone.participants[1]).toMatchObject({ address: pair.address, role: null });
    const to = { kind: 'customer', externalId: unique('cust') };
    const back = { from: byPhone.participants[1].id, to };
    const { body: after } = await running.api.post(`${chat.path}/transfer`, back, 200);
    expect(after.participants[1]).toMatchObject({ address: null, role: 'customer' });
  });

  it('200: repeated after success nothing is done, nor said', async () => {
    const chat = await provision(running.api);
    const body = { from: chat.ada.identity?.externalId, to: grace(), systemMessage };
    const { body: after } = await running.api.post(`${chat.path}/transfer`, body, 200);
    const since = await running.sandbox.last();
    expect((await running.api.post(`${chat.path}/transfer`, body, 200)).body).toEqual(after);
    expect(await running.sandbox.requestsBesideRoles(since)).toEqual([]);
  });

  it('200: of five at once one is done, and said once', async () => {
    const chat = await provision(running.api);
    const body = { from: chat.ada.id, to: grace(), systemMessage };
    await Promise.all(Array.from({ length: 5 }, () => running.api.post(`${chat.path}/transfer`, body, 200)));
    expect(await namesIn(running, chat)).toEqual(['Bob', 'Grace']);
    expect(await textsIn(running, chat)).toEqual([systemMessage.body]);
    await expectNoneWaiting(chat);
  });

  it('200: there and back again, each as a new participant', async () => {
    const chat = await provision(running.api);
    const [ada, to] = [chat.ada.identity!.externalId, grace()];
    await running.api.post(`${chat.path}/transfer`, { from: ada, to }, 200);
    const back = { from: to.externalId, to: { externalId: ada } };
    const { body } = await running.api.post(`${chat.path}/transfer`, back, 200);
    expect(await namesIn(running, chat)).toEqual(['Bob', 'Ada']);
    expect(body.participants[1].id).not.toBe(chat.ada.id);
    await running.api.post(`${chat.path}/transfer`, { from: ada, to }, 200);
    expect(await namesIn(running, chat)).toEqual(['Bob', 'Grace']);
  });

  it('202: with Location, and both are in or on their way; then it is done', async () => {
    const chat = await provision(running.api);
    const headers = { prefer: 'respond-async' };
    const body = { from: chat.ada.id, to: grace(), systemMessage };
    const response = await running.api.post(`${chat.path}/transfer`, body, 202, { headers });
    expect(response.headers['location']).toBe(chat.path);
    expect(response.body.participants).toHaveLength(3);
    await eventually(async () => expect(await namesIn(running, chat)).toEqual(['Bob', 'Grace']));
  });

  it('400: from = to, by whatever names, in or leaving', async () => {
    const chat = await provision(running.api);
    const { externalId, id } = chat.ada.identity!;
    for (const from of [externalId, chat.ada.id, chat.ada.twilioSid]) {
      for (const to of [{ externalId }, { identityId: id }]) {
        expectInvalid(await running.api.post(`${chat.path}/transfer`, { from, to }, 400), 'to');
      }
    }
    expect(await namesIn(running, chat)).toEqual(['Ada', 'Bob']);
    await running.api.post(`${chat.path}/transfer`, { from: externalId, to: grace() }, 200);
    const late = { from: externalId, to: { externalId } };
    expectInvalid(await running.api.post(`${chat.path}/transfer`, late, 400), 'to');
  });

  it.each([
    ['no `from`', { to: { externalId: 'x', kind: 'agent' } }, 'from'],
    ['no `to`', { from: 'x' }, 'to'],
    ['nobody', { from: 'x', to: {} }, 'to.externalId'],
    ['a stranger without kind', { from: 'ada', to: { externalId: 'stranger' } }, 'to.kind'],
    ['an unknown role', { from: 'x', to: { externalId: 'x', kind: 'agent', role: 'queen' } }, 'to.role'],
    [
      'an empty message',
      { from: 'x', to: { externalId: 'x' }, systemMessage: { body: '' } },
      'systemMessage.body',
    ],
    ['an unknown field', { from: 'x', to: { externalId: 'x' }, force: true }, 'force'],
  ])('400: %s', async (_, body, field) => {
    const chat = await provision(running.api);
    const named = 'from' in body && body.from === 'ada' ? { ...body, from: chat.ada.id } : body;
    expectInvalid(await running.api.post(`${chat.path}/transfer`, named, 400), field);
    expect(await namesIn(running, chat)).toEqual(['Ada', 'Bob']);
  });

  it('404: `from` was never in, or has left and `to` is not in', async () => {
    const chat = await provision(running.api);
    for (const from of ['nobody', NOBODYS_ID, `MB${'0'.repeat(32)}`]) {
      const response = await running.api.post(`${chat.path}/transfer`, { from, to: grace() }, 404);
      expectProblem(response, 'participant_not_found');
    }
    await running.api.delete(`${chat.path}/participants/${chat.bob.id}`, 204);
    const gone = { from: chat.bob.id, to: grace() };
    expectProblem(await running.api.post(`${chat.path}/transfer`, gone, 404), 'participant_not_found');
    const { body: known } = await running.api.get(`/v1/identities?externalId=${gone.to.externalId}`, 200);
    expect(known.data).toEqual([]);
  });

  it('422: `to` is refused, and `from` stays, as if nothing had been asked', async () => {
    const chat = await provision(running.api);
    const body = { from: chat.ada.id, to: REFUSED, systemMessage };
    const response = await running.api.post(`${chat.path}/transfer`, body, 422);
    expect(expectProblem(response, 'upstream_refused')).toMatchObject({ twilio: { code: 50407 } });
    expect(await namesIn(running, chat)).toEqual(['Ada', 'Bob']);
    expect(await textsIn(running, chat)).toEqual([]);
    await expectNoneWaiting(chat);
  });

  it('422: the message is refused, and both are in', async () => {
    const chat = await provision(running.api);
    const refusal = { type: 'status', status: 400, code: 50504 };
    await running.sandbox.fault({ method: 'POST', path: '/Messages$' }, refusal);
    const body = { from: chat.ada.id, to: grace(), systemMessage };
    const response = await running.api.post(`${chat.path}/transfer`, body, 422);
    expect(expectProblem(response, 'upstream_refused')).toMatchObject({ twilio: { code: 50504 } });
    expect(await namesIn(running, chat)).toEqual(['Ada', 'Bob', 'Grace']);
    await running.api.post(`${chat.path}/transfer`, body, 200);
    expect(await namesIn(running, chat)).toEqual(['Bob', 'Grace']);
    expect(await textsIn(running, chat)).toEqual([systemMessage.body]);
  });

  it('409: `to` is an address that is in use elsewhere, or of another kind; 403: suspended', async () => {
    const [chat, other, pair] = [await provision(running.api), await provision(running.api), addressPair()];
    await running.api.post(`${other.path}/participants`, pair, 201);
    const path = `${chat.path}/transfer`;
    const elsewhere = await running.api.post(path, { from: chat.bob.id, to: pair }, 409);
    expect(expectProblem(elsewhere, 'address_in_use').detail).toContain(other.twilioSid);
    const { externalId, id } = other.bob.identity!;
    const kind = await running.api.post(path, { from: chat.ada.id, to: { externalId, kind: 'agent' } }, 409);
    expectProblem(kind, 'identity_kind_mismatch');
    await running.sql(`update identities set status = 'suspended' where id = $1`, [id]);
    const suspended = await running.api.post(path, { from: chat.ada.id, to: { externalId } }, 403);
    expectProblem(suspended, 'identity_suspended');
    expect(await namesIn(running, chat)).toEqual(['Ada', 'Bob']);
  });

  it('409: the last agent does not leave the chat to customers who are in already', async () => {
    const chat = await provision(running.api);
    const body = { from: chat.ada.id, to: { externalId: chat.bob.identity!.externalId } };
    expectProblem(await running.api.post(`${chat.path}/transfer`, body, 409), 'last_agent');
    expect(await namesIn(running, chat)).toEqual(['Ada', 'Bob']);
    const robo = { kind: 'bot', externalId: unique('bot'), displayName: 'Robo' };
    await running.api.post(`${chat.path}/participants`, robo, 201);
    await running.api.post(`${chat.path}/transfer`, body, 200);
    expect((await namesIn(running, chat)).sort()).toEqual(['Bob', 'Robo']);
  });

  it('409 conversation_failed for what queued behind a provisioning that fails', async () => {
    await running.sandbox.fault(
      { method: 'POST', path: '/Participants$', times: 3 },
      { type: 'delay', ms: 1000, applied: 'before' },
    );
    const wanted = supportChat();
    const participants = [...wanted.participants, REFUSED];
    const headers = { prefer: 'respond-async' };
    const { body: chat } = await running.api.post('/v1/conversations', { ...wanted, participants }, 202, {
      headers,
    });
    const body = { from: chat.participants[0].id, to: grace(), systemMessage };
    const path = `/v1/conversations/${chat.id}/transfer`;
    expectProblem(await running.api.post(path, body, 409), 'conversation_failed');
    await expectNoneWaiting(chat);
  });

  it('403 without conversations:write, 404 for a caller of another chat service', async () => {
    const chat = await provision(running.api);
    const body = { from: chat.ada.id, to: grace() };
    const caller = await callerWith(running.api, 'conversations:read', 'messages:write');
    expectProblem(await caller.post(`${chat.path}/transfer`, body, 403), 'missing_scope');
    const { admin } = await otherService(running.api);
    expectProblem(await admin.post(`${chat.path}/transfer`, body, 404), 'not_found');
    expect(await namesIn(running, chat)).toEqual(['Ada', 'Bob']);
  });
});
