import { randomUUID } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { callerWith, otherService } from '../support/access.js';
import { unique, useApp } from '../support/app.js';
import { provision, supportChat, type Chat } from '../support/chats.js';
import { eventually } from '../support/eventually.js';
import { expectProblem } from '../support/problems.js';
import { NOBODYS_ID } from '../support/routes.js';

const running = useApp();

afterEach(() => running.sandbox.clearFaults());

const async = { headers: { prefer: 'respond-async' } };
const DOWN = { type: 'status', status: 500 };
const SLOW = { type: 'delay', ms: 1500, applied: 'before' };

/** Twilio does not get on with deletions, until the faults are cleared. */
const holdDeletions = () => running.sandbox.fault({ method: 'DELETE', path: '/CH\\w+$', times: 1000 }, DOWN);

async function namesAtTwilio(): Promise<string[]> {
  const path = '/v1/Conversations?PageSize=100';
  const { conversations } = await running.sandbox.twilio<{ conversations: { unique_name: string }[] }>(path);
  return conversations.map(({ unique_name }) => unique_name);
}

const expectGone = async ({ id }: { id: string }): Promise<void> =>
  expect(await namesAtTwilio()).not.toContain(`cvk_${id}`);

describe('DELETE /v1/conversations/{conversation}', () => {
  it.each(['id', 'twilioSid'] as const)('204: it is gone here and at Twilio, by its %s', async (name) => {
    const chat = await provision(running.api);
    const { text, headers } = await running.api.delete(`/v1/conversations/${chat[name]}`, 204);
    expect(text).toBe('');
    expect(headers['location']).toBeUndefined();
    await expectGone(chat);
    const answers = [
      await running.api.get(chat.path, 404),
      await running.api.get(`/v1/conversations/${chat.twilioSid}`, 404),
      await running.api.delete(chat.path, 404),
      await running.api.patch(chat.path, {}, 404),
      await running.api.post(`${chat.path}/close`, {}, 404),
      await running.api.get(`${chat.path}/participants`, 404),
      await running.api.get(`${chat.path}/messages`, 404),
      await running.api.post(`${chat.path}/system-messages`, { body: 'x' }, 404),
    ];
    for (const answer of answers) expectProblem(answer, 'not_found');
    const { body: list } = await running.api.get(`/v1/conversations?externalRef=${chat.externalRef}`, 200);
    expect(list.data).toEqual([]);
  });

  it('204: a closed one, a failed one, and one that Twilio has deleted already', async () => {
    const [closed, deleted] = [await provision(running.api), await provision(running.api)];
    await running.api.post(`${closed.path}/close`, {}, 200);
    await running.sandbox.write('DELETE', `/v1/Conversations/${deleted.twilioSid}`);
    const refused = { ...supportChat(), participants: [{ address: '+15005550001' }] };
    const { body: problem } = await running.api.post('/v1/conversations', refused, 422);
    const failed = { id: problem.conversation.id };
    for (const { id } of [closed, deleted, failed]) {
      await running.api.delete(`/v1/conversations/${id}`, 204);
      await running.api.get(`/v1/conversations/${id}`, 404);
      await expectGone({ id });
    }
  });

  it('202 with neither body nor Location when Twilio does not confirm; gone for reads at once', async () => {
    const chat = await provision(running.api);
    await holdDeletions();
    const { text, headers } = await running.api.delete(chat.path, 202, async);
    expect(text).toBe('');
    expect(headers['location']).toBeUndefined();
    expect(headers['content-type']).toBeUndefined();
    expect(await namesAtTwilio()).toContain(`cvk_${chat.id}`);
    await running.api.get(chat.path, 404);
    const { body: list } = await running.api.get(`/v1/conversations?externalRef=${chat.externalRef}`, 200);
    expect(list.data).toEqual([]);
    await running.sandbox.clearFaults();
    await eventually(() => expectGone(chat));
  });

  it('204 for who asks again: he waits for the same deletion; 404 once it is settled', async () => {
    const chat = await provision(running.api);
    await running.sandbox.fault({ method: 'DELETE', path: chat.twilioSid }, SLOW);
    await running.api.delete(chat.path, 202, async);
    await running.api.delete(chat.path, 202, async);
    await running.api.delete(chat.path, 204);
    await expectGone(chat);
    await running.api.delete(chat.path, 404);
  });

  it('204 for all of five at once', async () => {
    const chat = await provision(running.api);
    await running.sandbox.fault({ method: 'DELETE', path: chat.twilioSid }, SLOW);
    await Promise.all(Array.from({ length: 5 }, () => running.api.delete(chat.path, 204)));
    await running.api.delete(chat.path, 404);
  });

  it('502 at once for bad credentials; it is deleted when they are mended', async () => {
    const chat = await provision(running.api);
    const refused = { type: 'status', status: 401, code: 20003 };
    await running.sandbox.fault({ method: 'DELETE', path: '/CH\\w+$', times: 1000 }, refused);
    expectProblem(await running.api.delete(chat.path, 502), 'upstream_auth_failed');
    await running.api.get(chat.path, 404);
    await running.sandbox.clearFaults();
    await eventually(() => expectGone(chat));
  });

  it('404: no such conversation', async () => {
    for (const name of [NOBODYS_ID, `CH${'0'.repeat(32)}`, 'x']) {
      expectProblem(await running.api.delete(`/v1/conversations/${name}`, 404), 'not_found');
    }
  });

  it('403 without conversations:write, 404 for a caller of another chat service', async () => {
    const chat = await provision(running.api);
    const caller = await callerWith(running.api, 'conversations:read', 'messages:write');
    expectProblem(await caller.delete(chat.path, 403), 'missing_scope');
    const { admin } = await otherService(running.api);
    for (const name of [chat.id, chat.twilioSid]) {
      expectProblem(await admin.delete(`/v1/conversations/${name}`, 404), 'not_found');
    }
    await running.api.get(chat.path, 200);
  });
});

describe('Whoever waits while a conversation is deleted', () => {
  it('409 conversation_deleted, for open commands of every kind, and nothing of them is done later', async () => {
    const chat = await provision(running.api);
    const bot = { kind: 'bot', externalId: unique('bot') };
    const { headers } = await running.api.post(`${chat.path}/participants`, bot, 201);
    await running.sandbox.fault({ method: 'POST', path: chat.twilioSid, times: 1000 }, DOWN);
    const bob = `${chat.path}/participants/${chat.bob.id}`;
    const [one, to] = [1, 2].map(() => ({ kind: 'agent', externalId: unique('agent') }));
    const waiting = Promise.all([
      running.api.patch(chat.path, { friendlyName: 'x' }, 409),
      running.api.post(`${chat.path}/close`, {}, 409),
      running.api.post(`${chat.path}/participants`, one, 409),
      running.api.patch(headers['location']!, { attributes: {} }, 409),
      running.api.delete(bob, 409),
      running.api.post(`${chat.path}/transfer`, { from: chat.ada.id, to }, 409),
      running.api.post(`${chat.path}/system-messages`, { body: 'x' }, 409),
      running.api.post(`${chat.path}/messages`, { author: chat.ada.id, body: 'x' }, 409),
    ]);
    await eventually(async () => {
      const open = await running.sql('select id from wishes where aggregate_id = $1 and status is null', [
        chat.id,
      ]);
      expect(open).toHaveLength(8);
    });
    await running.api.delete(chat.path, 204);
    for (const answer of await waiting) expectProblem(answer, 'conversation_deleted');
    await expectGone(chat);
  });

  it('409 conversation_deleted for the provisioning itself, by POST, by PUT, and who is joining', async () => {
    await running.sandbox.fault({ method: 'POST', path: '/Participants$', times: 1000 }, DOWN);
    const body = supportChat();
    const { body: chat } = await running.api.post('/v1/conversations', body, 202, async);
    const path = `/v1/conversations/${chat.id}`;
    const again = { externalId: body.participants[1]?.externalId };
    const waiting = Promise.all([
      running.api.put(`/v1/conversations/by-ref/${body.externalRef}`, body, 409),
      running.api.post(`${path}/participants`, again, 409),
    ]);
    const key = { headers: { 'idempotency-key': randomUUID() } };
    const own = running.api.post('/v1/conversations', supportChat(), 409, key);
    await eventually(async () => {
      const watched = await running.sql('select id from wishes where status is null and watched');
      expect(watched).toHaveLength(1);
      expect(await running.sql(`select id from conversations where state = 'provisioning'`)).toHaveLength(2);
    });
    const chats = (await running.api.get('/v1/conversations?state=provisioning', 200)).body.data as Chat[];
    for (const { id } of chats) await running.api.delete(`/v1/conversations/${id}`, 204);
    for (const { body } of [...(await waiting), await own]) expect(body.code).toBe('conversation_deleted');
    for (const one of chats) await expectGone(one);
  });
});

describe('The externalRef of a deleted conversation', () => {
  it('409 external_ref_taken with Retry-After until Twilio has confirmed, then it is free', async () => {
    const body = supportChat();
    const chat = await provision(running.api, body);
    await holdDeletions();
    await running.api.delete(chat.path, 202, async);
    const put = `/v1/conversations/by-ref/${chat.externalRef}`;
    for (const answer of [
      await running.api.post('/v1/conversations', body, 409),
      await running.api.put(put, body, 409),
    ]) {
      expectProblem(answer, 'external_ref_taken');
      expect(answer.headers['retry-after']).toMatch(/^[1-9]\d*$/);
    }
    await running.sandbox.clearFaults();
    await running.api.delete(chat.path, 204);
    const { body: next } = await running.api.put(put, body, 201);
    expect(next.id).not.toBe(chat.id);
  });
});
