import { describe, expect, it } from 'vitest';
import { callerWith } from '../support/access.js';
import { unique, useApp } from '../support/app.js';
import { addressPair, contentsOf, provision, roleAtTwilio, type Chat } from '../support/chats.js';
import { expectInvalid, expectProblem } from '../support/problems.js';

const running = useApp();
const agent = () => ({ kind: 'agent', externalId: unique('agent'), displayName: 'Grace' });

const participantPath = (chat: Chat, { id }: { id: string }) => `${chat.path}/participants/${id}`;
const upstream = (chat: Chat, { twilioSid }: { twilioSid: string }) =>
  running.sandbox.twilio<{ role_sid: string; attributes: string }>(
    `/v1/Conversations/${chat.twilioSid}/Participants/${twilioSid}`,
  );

describe('PATCH /v1/conversations/{conversation}/participants/{participant}', () => {
  it('200: gives another role, by preset, name or sid, here and at Twilio', async () => {
    const chat = await provision(running.api);
    const name = unique('guest');
    const sid = await roleAtTwilio(running.sandbox, name, ['sendMessage']);
    const path = participantPath(chat, chat.bob);
    const adasRole = (await upstream(chat, chat.ada)).role_sid;
    for (const [role, shown, wanted] of [
      [name, name, sid],
      ['agent', 'agent', adasRole],
      [sid, name, sid],
      [adasRole, 'agent', adasRole],
    ] as const) {
      const { body } = await running.api.patch(path, { role }, 200);
      expect(body).toEqual({ ...chat.bob, role: shown });
      expect((await upstream(chat, chat.bob)).role_sid).toBe(wanted);
      expect((await running.api.get(path, 200)).body).toEqual(body);
    }
  });

  it('200: replaces attributes whole, null clears them, and what is left out stays', async () => {
    const chat = await provision(running.api);
    const path = participantPath(chat, chat.bob);
    await running.api.patch(path, { attributes: { a: 1, b: 2 } }, 200);
    const { body: replaced } = await running.api.patch(path, { attributes: { c: 3 } }, 200);
    expect(replaced.attributes).toEqual({ c: 3 });
    const { body: other } = await running.api.patch(path, { role: 'supervisor' }, 200);
    expect(other).toMatchObject({ role: 'supervisor', attributes: { c: 3 } });
    expect(JSON.parse((await upstream(chat, chat.bob)).attributes)).toEqual({ c: 3 });
    const { body: cleared } = await running.api.patch(path, { attributes: null }, 200);
    expect(cleared).toMatchObject({ role: 'supervisor', attributes: {} });
    expect((await upstream(chat, chat.bob)).attributes).toBe('{}');
  });

  it('200: nothing asked for changes nothing, and Twilio is not called', async () => {
    const chat = await provision(running.api);
    const since = await running.sandbox.last();
    const { body } = await running.api.patch(participantPath(chat, chat.bob), {}, 200);
    expect(body).toEqual(chat.bob);
    expect(await running.sandbox.requestsBesideRoles(since)).toEqual([]);
  });

  it('412: If-Match of an earlier version changes nothing; 200 with that of the present one', async () => {
    const chat = await provision(running.api);
    const path = participantPath(chat, chat.bob);
    const { etag } = (await running.api.get(path, 200)).headers;
    const headers = { 'if-match': etag! };
    await running.api.patch(path, { attributes: { a: 1 } }, 200, { headers });
    const late = await running.api.patch(path, { attributes: { a: 2 } }, 412, { headers });
    expectProblem(late, 'precondition_failed');
    expect((await running.api.get(path, 200)).body.attributes).toEqual({ a: 1 });
  });

  it.each([
    ['an unknown role', { role: 'queen' }, 'role'],
    ['no role', { role: null }, 'role'],
    ['attributes over 4,096 bytes', { attributes: { a: 'x'.repeat(4096) } }, 'attributes'],
    ['attributes that are no object', { attributes: 'x' }, 'attributes'],
    ['what cannot be changed', { kind: 'agent' }, 'kind'],
  ])('400: %s', async (_, body, field) => {
    const chat = await provision(running.api);
    expectInvalid(await running.api.patch(participantPath(chat, chat.bob), body, 400), field);
  });

  it('400: a role for an address', async () => {
    const chat = await provision(running.api);
    const { body: sms } = await running.api.post(`${chat.path}/participants`, addressPair(), 201);
    const path = participantPath(chat, sms);
    expectInvalid(await running.api.patch(path, { role: 'agent' }, 400), 'role');
    const { body } = await running.api.patch(path, { attributes: { a: 1 } }, 200);
    expect(body).toEqual({ ...sms, attributes: { a: 1 } });
  });

  it('422: what Twilio refuses stays as it was', async () => {
    const chat = await provision(running.api);
    const path = participantPath(chat, chat.bob);
    const fault = { type: 'status', status: 400, code: 50504 };
    await running.sandbox.fault({ method: 'POST', path: '/Participants/MB' }, fault);
    const refused = await running.api.patch(path, { role: 'agent' }, 422);
    expect(expectProblem(refused, 'upstream_refused')).toMatchObject({ twilio: { code: 50504 } });
    expect((await running.api.get(path, 200)).body).toEqual(chat.bob);
  });

  it('404: whom somebody else has taken out at Twilio has left', async () => {
    const chat = await provision(running.api);
    await running.sandbox.write(
      'DELETE',
      `/v1/Conversations/${chat.twilioSid}/Participants/${chat.bob.twilioSid}`,
    );
    const path = participantPath(chat, chat.bob);
    expectProblem(await running.api.patch(path, { attributes: { a: 1 } }, 404), 'participant_not_found');
    expect((await running.api.get(chat.path, 200)).body.participants).toHaveLength(1);
    await running.api.get(path, 404);
  });

  it('202: with Location and the participant as it is, then as it was wished', async () => {
    const chat = await provision(running.api);
    const path = participantPath(chat, chat.bob);
    const headers = { prefer: 'wait=0' };
    const { body, headers: got } = await running.api.patch(path, { role: 'agent' }, 202, { headers });
    expect(body).toEqual(chat.bob);
    expect(got['location']).toBe(path);
    const { body: after } = await running.api.patch(path, { attributes: { a: 1 } }, 200);
    expect(after).toMatchObject({ role: 'agent', attributes: { a: 1 } });
  });

  it('403 without conversations:write', async () => {
    const chat = await provision(running.api);
    const reader = await callerWith(running.api, 'conversations:read');
    const response = await reader.patch(participantPath(chat, chat.bob), { role: 'agent' }, 403);
    expectProblem(response, 'missing_scope');
  });
});

describe('DELETE /v1/conversations/{conversation}/participants/{participant}', () => {
  it('204: he is out here and at Twilio, and 404 from then on', async () => {
    const chat = await provision(running.api);
    const path = participantPath(chat, chat.bob);
    const { text } = await running.api.delete(path, 204);
    expect(text).toBe('');
    expectProblem(await running.api.get(path, 404), 'not_found');
    expectProblem(await running.api.delete(path, 404), 'not_found');
    const { participants } = await contentsOf(running.sandbox, chat.twilioSid);
    expect(participants.map(({ sid }) => sid)).toEqual([chat.ada.twilioSid]);
    const { body } = await running.api.get(chat.path, 200);
    expect(body.participants).toEqual([chat.ada]);
  });

  it('204: whom Twilio does not have any more is out', async () => {
    const chat = await provision(running.api);
    await running.sandbox.write(
      'DELETE',
      `/v1/Conversations/${chat.twilioSid}/Participants/${chat.bob.twilioSid}`,
    );
    await running.api.delete(participantPath(chat, chat.bob), 204);
  });

  it('409: the last agent stays in an active conversation; 204 with force', async () => {
    const chat = await provision(running.api);
    const path = participantPath(chat, chat.ada);
    expectProblem(await running.api.delete(path, 409), 'last_agent');
    expectProblem(await running.api.delete(`${path}?force=false`, 409), 'last_agent');
    expect((await running.api.get(path, 200)).body.state).toBe('joined');
    await running.api.delete(`${path}?force=true`, 204);
    expect((await contentsOf(running.sandbox, chat.twilioSid)).participants).toHaveLength(1);
  });

  it('204: an agent may leave while another stays, but not both at once', async () => {
    const chat = await provision(running.api);
    const { body: grace } = await running.api.post(`${chat.path}/participants`, agent(), 201);
    const statuses = await Promise.all(
      [chat.ada, grace].map(async (one) => {
        const origin = await running.baseUrl();
        const response = await fetch(`${origin}${participantPath(chat, one)}`, {
          method: 'DELETE',
          headers: { authorization: `Bearer ${running.api.key}` },
        });
        return response.status;
      }),
    );
    expect(statuses.sort()).toEqual([204, 409]);
    const { body } = await running.api.get(chat.path, 200);
    expect(body.participants.filter(({ kind }: { kind: string }) => kind === 'agent')).toHaveLength(1);
  });

  it('204: the last agent of an inactive conversation', async () => {
    const chat = await provision(running.api);
    await running.api.patch(chat.path, { state: 'inactive' }, 200);
    await running.api.delete(participantPath(chat, chat.ada), 204);
  });

  it('202, then 204 for who asks again: both mean the same removal', async () => {
    const chat = await provision(running.api);
    const path = participantPath(chat, chat.bob);
    await running.sandbox.fault(
      { method: 'DELETE', path: '/Participants/', times: 1 },
      { type: 'delay', ms: 1000, applied: 'before' },
    );
    const headers = { prefer: 'respond-async' };
    const first = await running.api.delete(path, 202, { headers });
    expect(first.body).toMatchObject({ id: chat.bob.id, state: 'removing' });
    expect(first.headers['location']).toBe(path);
    const second = await running.api.delete(path, 202, { headers });
    expect(second.headers['location']).toBe(path);
    const since = await running.sandbox.last();
    await running.api.delete(path, 204);
    const removals = (await running.sandbox.requests(since)).filter(({ method }) => method === 'DELETE');
    expect(removals).toEqual([]);
    await running.sandbox.clearFaults();
  });

  it('400: force is true or false', async () => {
    const chat = await provision(running.api);
    const path = `${participantPath(chat, chat.ada)}?force=yes`;
    expectInvalid(await running.api.delete(path, 400), 'force');
  });
});

describe('A conversation holds', () => {
  it('400: 1,000 participants and no more', async () => {
    const chat = await provision(running.api);
    await running.sql(
      `insert into participants (id, conversation_id, kind, role, state, twilio_sid)
      select gen_random_uuid(), $1, 'bot', 'bot', 'joined', 'MB' || md5(n::text) from generate_series(1, 998) n`,
      [chat.id],
    );
    const since = await running.sandbox.last();
    const response = await running.api.post(`${chat.path}/participants`, agent(), 400);
    expect(expectProblem(response, 'validation_failed').detail).toContain('1,000');
    expect(await running.sandbox.requestsBesideRoles(since)).toEqual([]);
  });

  it('400: 50 of them by address and no more', async () => {
    const participants = Array.from({ length: 50 }, () => addressPair());
    const chat = await provision(running.api, { participants });
    const response = await running.api.post(`${chat.path}/participants`, addressPair(), 400);
    expectInvalid(response, 'address');
    await running.api.post(`${chat.path}/participants`, agent(), 201);
  });
});
