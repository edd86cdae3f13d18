import { randomUUID } from 'node:crypto';
import { Logger } from '@nestjs/common';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { unique, useApp } from '../support/app.js';
import { contentsOf, provision, type Chat, type Person } from '../support/chats.js';
import { eventually } from '../support/eventually.js';
import { FAULTS } from '../support/faults.js';
import { expectProblem } from '../support/problems.js';

// Short times, so that what waits for them is seen within the test.
const running = useApp({ TWILIO_CALL_TIMEOUT_MS: '500', LEASE_MS: '1500' });

afterEach(() => running.sandbox.clearFaults());

const agent = () => ({ kind: 'agent', externalId: unique('agent'), displayName: 'Grace' });

/** Twilio has exactly those whom we show as joined. */
async function expectExactly(chat: Chat, people: Person[]): Promise<void> {
  const { participants } = await contentsOf(running.sandbox, chat.twilioSid);
  expect(participants.map(({ sid }) => sid).sort()).toEqual(people.map(({ twilioSid }) => twilioSid).sort());
  const { body } = await running.api.get(chat.path, 200);
  expect(body.participants.map(({ id, state }: Person) => `${id} ${state}`).sort()).toEqual(
    people.map(({ id }) => `${id} joined`).sort(),
  );
}

const done: [Chat, Person[]][] = [];

describe.each(Object.entries(FAULTS))('When %s', (_, fault) => {
  it('somebody who is added is in exactly once', async () => {
    const chat = await provision(running.api);
    await running.sandbox.fault({ method: 'POST', path: '/Participants$' }, fault);
    const { body: grace } = await running.api.post(`${chat.path}/participants`, agent(), 201);
    const people = [...chat.participants, grace];
    await expectExactly(chat, people);
    done.push([chat, people]);
  });

  it('somebody who is changed is as he was wished', async () => {
    const chat = await provision(running.api);
    await running.sandbox.fault({ method: 'POST', path: '/Participants/MB' }, fault);
    const path = `${chat.path}/participants/${chat.bob.id}`;
    const { body } = await running.api.patch(path, { attributes: { a: 1 } }, 200);
    expect(body.attributes).toEqual({ a: 1 });
    const there = await running.sandbox.twilio<{ attributes: string }>(
      `/v1/Conversations/${chat.twilioSid}/Participants/${chat.bob.twilioSid}`,
    );
    expect(there.attributes).toBe('{"a":1}');
  });

  it('somebody who is removed is out', async () => {
    const chat = await provision(running.api);
    await running.sandbox.fault({ method: 'DELETE', path: '/Participants/MB' }, fault);
    await running.api.delete(`${chat.path}/participants/${chat.bob.id}`, 204);
    await expectExactly(chat, [chat.ada]);
    done.push([chat, [chat.ada]]);
  });
});

describe('After all that', () => {
  it('everybody is as he was, once what may have landed late has been looked for', async () => {
    await eventually(async () => {
      expect(await running.sql('select id from conversations where due_at is not null')).toEqual([]);
    });
    for (const [chat, people] of done) await expectExactly(chat, people);
  });
});

describe('Somebody who was removed', () => {
  it('does not come back by an earlier addition that lands late', async () => {
    const chat = await provision(running.api);
    await running.sandbox.fault(
      { method: 'POST', path: '/Participants$', times: 1 },
      { type: 'reset-before', applyAfterMs: 900 },
    );
    const { body: grace } = await running.api.post(`${chat.path}/participants`, agent(), 201);
    await running.api.delete(`${chat.path}/participants/${grace.id}`, 204);
    await expectExactly(chat, chat.participants);
    const late = () =>
      running.sandbox.twilio<{ participants: unknown[] }>(`/v1/Conversations/${chat.twilioSid}/Participants`);
    await eventually(async () => expect((await late()).participants).toHaveLength(3));
    await eventually(() => expectExactly(chat, chat.participants));
  });

  it('is out, although Twilio had taken him in before anybody knew', async () => {
    const chat = await provision(running.api);
    const path = `${chat.path}/participants`;
    await running.sandbox.fault({ method: 'POST', path: '/Participants$' }, { type: 'hang', applied: true });
    // The look-up gives the row up for a moment: whoever takes it up again has only the rows to go by.
    await running.sandbox.fault(
      { method: 'GET', path: '/Participants$' },
      { type: 'status', status: 503, retryAfterSeconds: 4 },
    );
    const { body: grace } = await running.api.post(path, agent(), 202, { headers: { prefer: 'wait=1' } });
    await running.api.delete(`${path}/${grace.id}`, 204);
    await expectExactly(chat, chat.participants);
  });
});

describe('Who is removed from a conversation that is being provisioned', () => {
  it('is out, although Twilio had taken him in before anybody knew', async () => {
    await running.sandbox.fault(
      { method: 'POST', path: '/Participants$', times: 2 },
      { type: 'hang', applied: true },
    );
    await running.sandbox.fault(
      { method: 'GET', path: '/Participants$' },
      { type: 'status', status: 503, retryAfterSeconds: 4 },
    );
    const participants = [agent(), { kind: 'customer', externalId: unique('cust') }];
    const headers = { prefer: 'wait=1' };
    const { body: chat } = await running.api.post('/v1/conversations', { participants }, 202, { headers });
    const path = `/v1/conversations/${chat.id}`;
    await running.api.delete(`${path}/participants/${chat.participants[1].id}`, 204);
    const { body: read } = await running.api.get(path, 200);
    await expectExactly({ ...read, path }, [read.participants[0]]);
  });

  it('comes in again by what is asked for after that', async () => {
    await running.sandbox.fault(
      { method: 'POST', path: '/Participants$', times: 2 },
      { type: 'delay', ms: 400, applied: 'before' },
    );
    await running.sandbox.fault({ method: 'DELETE' }, { type: 'delay', ms: 400, applied: 'before' });
    const bob = { kind: 'customer', externalId: unique('cust') };
    const headers = { prefer: 'respond-async' };
    const body = { participants: [agent(), bob] };
    const { body: chat } = await running.api.post('/v1/conversations', body, 202, { headers });
    const path = `/v1/conversations/${chat.id}`;
    await running.api.delete(`${path}/participants/${chat.participants[1].id}`, 202, { headers });
    await eventually(async () => expect((await running.api.get(path, 200)).body.state).toBe('active'));
    const { body: again } = await running.api.post(`${path}/participants`, bob, 201);
    expect(again.id).not.toBe(chat.participants[1].id);
    const { body: read } = await running.api.get(path, 200);
    await expectExactly({ ...read, path }, [read.participants[0], again]);
  });
});

describe('On a conversation that is being provisioned', () => {
  async function provisioning(fault: object, changes: object = {}) {
    await running.sandbox.fault({ method: 'POST', path: '/Participants$', times: 4 }, fault);
    const body = { participants: [agent(), { kind: 'customer', externalId: unique('cust') }], ...changes };
    const headers = { prefer: 'respond-async' };
    const { body: chat } = await running.api.post('/v1/conversations', body, 202, { headers });
    expect(chat.state).toBe('provisioning');
    return { chat, path: `/v1/conversations/${chat.id}/participants` };
  }

  it('commands queue, and are done in their order once it stands', async () => {
    const { chat, path } = await provisioning({ type: 'delay', ms: 400, applied: 'before' });
    const [ada, bob] = chat.participants;
    const [added, changed, removed] = await Promise.all([
      running.api.post(path, agent(), 201),
      running.api.patch(`${path}/${ada.id}`, { role: 'supervisor' }, 200),
      running.api.delete(`${path}/${bob.id}`, 204),
    ]);
    expect(added.body.state).toBe('joined');
    expect(changed.body.role).toBe('supervisor');
    expect(removed.text).toBe('');
    const { body: read } = await running.api.get(`/v1/conversations/${chat.id}`, 200);
    await expectExactly({ ...read, path: `/v1/conversations/${chat.id}` }, [changed.body, added.body]);
  });

  it('what queued while it could not be made is done at once when it stands, without an error of our own', async () => {
    const failed = vi.spyOn(Logger.prototype, 'error');
    // Taken up again by whoever has only the rows to go by, and sees the whole queue.
    const away = { type: 'status', status: 503, retryAfterSeconds: 4 };
    await running.sandbox.fault({ method: 'POST', path: '/Conversations$' }, away);
    const headers = { prefer: 'respond-async' };
    const { body: chat } = await running.api.post('/v1/conversations', { participants: [agent()] }, 202, {
      headers,
    });
    const path = `/v1/conversations/${chat.id}`;
    await running.api.post(`${path}/system-messages`, { body: 'queued' }, 202, { headers });
    await running.api.patch(path, { friendlyName: 'queued' }, 202, { headers });
    await eventually(async () => {
      expect((await running.api.get(path, 200)).body).toMatchObject({
        state: 'active',
        friendlyName: 'queued',
      });
    });
    const { body: said } = await running.api.get(`${path}/messages`, 200);
    expect(said.data.map(({ body }: { body: string }) => body)).toEqual(['queued']);
    expect(failed.mock.calls).toEqual([]);
    failed.mockRestore();
  });

  it('201 for the conversation, when one who was added since is refused: 422 is his alone', async () => {
    // Taken up again by whoever has only the rows to go by.
    const away = { type: 'status', status: 503, retryAfterSeconds: 4 };
    await running.sandbox.fault({ method: 'POST', path: '/Conversations$' }, away);
    const whole = running.api.post('/v1/conversations', { participants: [agent()] }, 201);
    const path = await eventually(async () => {
      const { body: list } = await running.api.get('/v1/conversations?state=provisioning', 200);
      return `/v1/conversations/${list.data[0].id}/participants`;
    });
    const refused = { address: '+15005550001', proxyAddress: '+15559990000' };
    expectProblem(await running.api.post(path, refused, 422), 'upstream_refused');
    const { body: chat } = await whole;
    await expectExactly({ ...chat, path: `/v1/conversations/${chat.id}` }, chat.participants.slice(0, 1));
  });

  it('200 for who is being added with it, once it stands', async () => {
    const { chat, path } = await provisioning({ type: 'delay', ms: 400, applied: 'before' });
    const { externalId } = chat.participants[1].identity;
    const async = await running.api.post(path, { externalId }, 202, { headers: { prefer: 'wait=0' } });
    expect(async.headers['location']).toBe(`${path}/${chat.participants[1].id}`);
    const { body } = await running.api.post(path, { externalId }, 200);
    expect(body).toMatchObject({ id: chat.participants[1].id, state: 'joined' });
  });

  it('409 conversation_failed for all that waits, when it fails', async () => {
    const refused = [agent(), agent(), { address: '+15005550001', proxyAddress: '+15559990000' }];
    const { chat, path } = await provisioning(
      { type: 'delay', ms: 400, applied: 'before' },
      { participants: refused },
    );
    const [ada, grace] = chat.participants;
    const answers = await Promise.all([
      running.api.post(path, agent(), 409),
      running.api.post(path, { externalId: ada.identity.externalId }, 409),
      running.api.patch(`${path}/${ada.id}`, { role: 'supervisor' }, 409),
      running.api.delete(`${path}/${grace.id}`, 409),
    ]);
    for (const answer of answers) expectProblem(answer, 'conversation_failed');
    expectProblem(await running.api.post(path, agent(), 409), 'conversation_failed');
  });
});

describe('Idempotency-Key of POST /v1/conversations/{conversation}/participants', () => {
  it('gives the same bytes again, also when he has left since, and does nothing', async () => {
    const chat = await provision(running.api);
    const path = `${chat.path}/participants`;
    const headers = { 'idempotency-key': randomUUID() };
    const wanted = agent();
    const first = await running.api.post(path, wanted, 201, { headers });
    await running.api.delete(`${path}/${first.body.id}`, 204);
    const again = await running.api.post(path, wanted, 201, { headers });
    expect(again.text).toBe(first.text);
    expect(again.headers['idempotent-replayed']).toBe('true');
    expect(again.headers['location']).toBe(first.headers['location']);
    await expectExactly(chat, chat.participants);
  });

  it('keeps a refusal, and a 200', async () => {
    const chat = await provision(running.api);
    const path = `${chat.path}/participants`;
    for (const [wanted, status] of [
      [{ address: '+15005550001', proxyAddress: '+15559990000' }, 422],
      [{ externalId: chat.bob.identity?.externalId }, 200],
    ] as const) {
      const headers = { 'idempotency-key': randomUUID() };
      const first = await running.api.post(path, wanted, status, { headers });
      const again = await running.api.post(path, wanted, status, { headers });
      expect(again.text).toBe(first.text);
      expect(again.headers['location']).toBe(first.headers['location']);
      expect(again.headers['idempotent-replayed']).toBe('true');
    }
  });

  it('422 with another body', async () => {
    const chat = await provision(running.api);
    const path = `${chat.path}/participants`;
    const headers = { 'idempotency-key': randomUUID() };
    await running.api.post(path, agent(), 201, { headers });
    expectProblem(await running.api.post(path, agent(), 422, { headers }), 'idempotency_key_reused');
  });
});
