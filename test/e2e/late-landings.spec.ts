import { describe, expect, it } from 'vitest';
import { unique, useApp } from '../support/app.js';
import { contentsOf, provision, type Chat } from '../support/chats.js';
import { eventually } from '../support/eventually.js';
import { expectProblem } from '../support/problems.js';

const CALL_TIMEOUT_MS = 500;
const test = useApp({ LEASE_MS: '1500', TWILIO_CALL_TIMEOUT_MS: String(CALL_TIMEOUT_MS) });
const { sandbox } = test;

/** The change is made when the caller has long given up. */
async function landsLate(path: string): Promise<void> {
  await sandbox.fault({ method: 'POST', path, times: 1 }, { type: 'delay', ms: 3 * CALL_TIMEOUT_MS });
}

it('A message that lands late, a second time, is gone before the conversation is closed for good', async () => {
  const chat = await provision(test.api);
  await landsLate('/Messages$');
  await test.api.post(`${chat.path}/system-messages`, { body: 'Once.' }, 201);
  await eventually(async () => {
    const { messages } = await contentsOf(sandbox, chat.twilioSid);
    expect(messages.filter(({ body }) => body === 'Once.')).toHaveLength(2);
  });
  await test.api.post(`${chat.path}/close`, {}, 200);
  const { messages } = await contentsOf(sandbox, chat.twilioSid);
  expect(messages.filter(({ body }) => body === 'Once.')).toHaveLength(1);
});

it('A change that lands late, after a later one, is undone: the last one counts', async () => {
  const chat = await provision(test.api);
  const path = `/v1/Conversations/${chat.twilioSid}`;
  const nameAtTwilio = async () => (await sandbox.twilio<{ friendly_name: string }>(path)).friendly_name;
  await landsLate(`/Conversations/${chat.twilioSid}$`);
  await test.api.patch(chat.path, { friendlyName: 'first' }, 200);
  await test.api.patch(chat.path, { friendlyName: 'second' }, 200);
  await eventually(async () => expect(await nameAtTwilio()).toBe('first'));
  await eventually(async () => expect(await nameAtTwilio()).toBe('second'));
});

it('and so it is with a change of a participant', async () => {
  const chat = await provision(test.api);
  const { path, ada } = chat;
  const attributesAtTwilio = async () =>
    (await contentsOf(sandbox, chat.twilioSid)).participants.find(({ sid }) => sid === ada.twilioSid);
  await landsLate(`/Participants/${ada.twilioSid}$`);
  await test.api.patch(`${path}/participants/${ada.id}`, { attributes: { v: 1 } }, 200);
  await test.api.patch(`${path}/participants/${ada.id}`, { attributes: { v: 2 } }, 200);
  await eventually(async () => expect(await attributesAtTwilio()).toMatchObject({ attributes: '{"v":1}' }));
  await eventually(async () => expect(await attributesAtTwilio()).toMatchObject({ attributes: '{"v":2}' }));
});

it('and with the role of a participant', async () => {
  const { path, bob, twilioSid } = await provision(test.api);
  const at = `/v1/Conversations/${twilioSid}/Participants/${bob.twilioSid}`;
  const roleAtTwilio = async () => (await sandbox.twilio<{ role_sid: string }>(at)).role_sid;
  const before = await roleAtTwilio();
  await test.api.patch(`${path}/participants/${bob.id}`, { role: 'bot' }, 200);
  const bot = await roleAtTwilio();
  await landsLate(`/Participants/${bob.twilioSid}$`);
  await test.api.patch(`${path}/participants/${bob.id}`, { role: 'customer' }, 200);
  await test.api.patch(`${path}/participants/${bob.id}`, { role: 'bot' }, 200);
  await eventually(async () => expect(await roleAtTwilio()).toBe(before));
  await eventually(async () => expect(await roleAtTwilio()).toBe(bot));
});

it('and with the body and the attributes of a message', async () => {
  const { path, twilioSid } = await provision(test.api);
  const { body } = await test.api.post(`${path}/system-messages`, { body: 'One.' }, 201);
  const message = `/Messages/${body.twilioSid}`;
  const there = async () => {
    const at = `/v1/Conversations/${twilioSid}${message}`;
    const { body: text, attributes } = await sandbox.twilio<{ body: string; attributes: string }>(at);
    const { v, convoke } = JSON.parse(attributes) as { v?: number; convoke?: object };
    expect(convoke).toMatchObject({ id: body.id });
    return { text, v };
  };
  await landsLate(`${message}$`);
  await test.api.patch(`${path}/messages/${body.id}`, { body: 'Two.', attributes: { v: 2 } }, 200);
  await test.api.patch(`${path}/messages/${body.id}`, { body: 'Three.', attributes: { v: 3 } }, 200);
  await eventually(async () => expect(await there()).toEqual({ text: 'Two.', v: 2 }));
  await eventually(async () => expect(await there()).toEqual({ text: 'Three.', v: 3 }));
});

it('and with timers, which Twilio shows by the moments at which they fire', async () => {
  const { path, twilioSid } = await provision(test.api);
  const hours = async () => {
    const at = `/v1/Conversations/${twilioSid}`;
    const { timers } = await sandbox.twilio<{ timers: { date_inactive?: string } }>(at);
    return timers.date_inactive && Math.round((Date.parse(timers.date_inactive) - Date.now()) / 3_600_000);
  };
  await landsLate(`/Conversations/${twilioSid}$`);
  await test.api.patch(path, { timers: { inactive: 'PT2H' } }, 200);
  await test.api.patch(path, { timers: { inactive: 'PT5H' } }, 200);
  await eventually(async () => expect(await hours()).toBe(2));
  await eventually(async () => expect(await hours()).toBe(5));
});

it('A chat that was put to rest, and woken, stays awake when the rest lands once more', async () => {
  const { path, twilioSid } = await provision(test.api);
  const stateAtTwilio = async () =>
    (await sandbox.twilio<{ state: string }>(`/v1/Conversations/${twilioSid}`)).state;
  await landsLate(`/Conversations/${twilioSid}$`);
  await test.api.patch(path, { state: 'inactive' }, 200);
  await test.api.post(`${path}/system-messages`, { body: 'Anybody there?' }, 201);
  await eventually(async () => expect(await stateAtTwilio()).toBe('inactive'));
  await eventually(async () => expect(await stateAtTwilio()).toBe('active'));
});

it('and one that was put to rest after a message stays at rest when the message lands once more', async () => {
  const { path, twilioSid } = await provision(test.api);
  const stateAtTwilio = async () =>
    (await sandbox.twilio<{ state: string }>(`/v1/Conversations/${twilioSid}`)).state;
  await landsLate('/Messages$');
  await test.api.post(`${path}/system-messages`, { body: 'Good night.' }, 201);
  await test.api.patch(path, { state: 'inactive' }, 200);
  await eventually(async () => expect(await stateAtTwilio()).toBe('active'));
  await eventually(async () => expect(await stateAtTwilio()).toBe('inactive'));
});

it('but not when somebody else has said something since', async () => {
  const { path, twilioSid } = await provision(test.api);
  const at = `/v1/Conversations/${twilioSid}`;
  await landsLate('/Messages$');
  await test.api.post(`${path}/system-messages`, { body: 'Good night.' }, 201);
  await test.api.patch(path, { state: 'inactive' }, 200);
  await sandbox.write('POST', `${at}/Messages`, [
    ['Author', 'bob'],
    ['Body', 'One more thing.'],
  ]);
  await eventually(async () => {
    expect(await test.sql('select id from conversations where due_at is not null')).toEqual([]);
  });
  expect((await contentsOf(sandbox, twilioSid)).messages.map(({ body }) => body).sort()).toEqual(
    ['Ada will be with you shortly.', 'Good night.', 'One more thing.'].sort(),
  );
  expect(await sandbox.twilio<{ state: string }>(at)).toMatchObject({ state: 'active' });
});

it('Before it is closed for good, whoever came back late is out, and the last change counts', async () => {
  const chat = await provision(test.api);
  const { path, twilioSid } = chat;
  await landsLate('/Participants$');
  const grace = { kind: 'customer', externalId: unique('grace') };
  const { body } = await test.api.post(`${path}/participants`, grace, 201);
  await test.api.delete(`${path}/participants/${body.id}`, 204);
  await landsLate(`/Conversations/${twilioSid}$`);
  await test.api.patch(path, { friendlyName: 'first' }, 200);
  await test.api.patch(path, { friendlyName: 'second' }, 200);
  const there = async () => {
    const { friendly_name: name } = await sandbox.twilio<{ friendly_name: string }>(
      `/v1/Conversations/${twilioSid}`,
    );
    return { name, people: (await contentsOf(sandbox, twilioSid)).participants.length };
  };
  await eventually(async () => expect(await there()).toEqual({ name: 'first', people: 3 }));
  await test.api.post(`${path}/close`, {}, 200);
  expect(await there()).toEqual({ name: 'second', people: 2 });
});

it('Who comes again is in as he was asked for then, though his first coming lands first', async () => {
  const chat = await provision(test.api);
  const { path, twilioSid } = chat;
  const grace = { kind: 'customer', externalId: unique('grace') };
  await landsLate('/Participants$');
  const { body: first } = await test.api.post(
    `${path}/participants`,
    { ...grace, attributes: { v: 1 } },
    201,
  );
  await test.api.delete(`${path}/participants/${first.id}`, 204);
  const there = async () => (await contentsOf(sandbox, twilioSid)).participants;
  await eventually(async () => expect(await there()).toHaveLength(3));
  const again = { ...grace, role: 'supervisor', attributes: { v: 2 } };
  const { body: second } = await test.api.post(`${path}/participants`, again, 201);
  const { body: ada } = await test.api.patch(
    `${path}/participants/${chat.ada.id}`,
    { role: 'supervisor' },
    200,
  );
  const people = await there();
  const roleOf = (sid: string) => people.find((one) => one.sid === sid)?.role_sid;
  expect(people.find(({ sid }) => sid === second.twilioSid)).toMatchObject({ attributes: '{"v":2}' });
  expect(roleOf(second.twilioSid)).toBe(roleOf(ada.twilioSid));
});

describe('A conversation is closed only when nothing can land in it any more', () => {
  /** The state is changed a little after it has been asked for: there is time for something to land before. */
  const closesSlowly = (chat: Chat) =>
    sandbox.fault(
      { method: 'POST', path: `/Conversations/${chat.twilioSid}$`, times: 1 },
      { type: 'delay', ms: CALL_TIMEOUT_MS - 50 },
    );

  const timesSaid = async ({ twilioSid }: Chat, text: string) =>
    (await contentsOf(sandbox, twilioSid)).messages.filter(({ body }) => body === text).length;

  it('after a message whose answer never came: it is there once', async () => {
    const chat = await provision(test.api);
    await sandbox.fault(
      { method: 'POST', path: '/Messages$', times: 1 },
      { type: 'delay', ms: 2 * CALL_TIMEOUT_MS },
    );
    await test.api.post(`${chat.path}/system-messages`, { body: 'Once.' }, 201);
    await closesSlowly(chat);
    const { body: closed } = await test.api.post(`${chat.path}/close`, {}, 200);
    expect(closed.state).toBe('closed');
    expect(await timesSaid(chat, 'Once.')).toBe(1);
  });

  it.each([
    [
      'close',
      async (chat: Chat) => test.api.post(`${chat.path}/close`, { systemMessage: { body: 'Bye.' } }, 200),
    ],
    [
      'PATCH',
      async (chat: Chat) => {
        await test.api.post(`${chat.path}/system-messages`, { body: 'Bye.' }, 201);
        return test.api.patch(chat.path, { state: 'closed' }, 200);
      },
    ],
  ])('after a last word that lands twice: %s', async (_, close) => {
    const chat = await provision(test.api);
    await sandbox.fault(
      { method: 'POST', path: '/Messages$', times: 1 },
      { type: 'delay', ms: 2 * CALL_TIMEOUT_MS },
    );
    await closesSlowly(chat);
    expect((await close(chat)).body.state).toBe('closed');
    expect(await timesSaid(chat, 'Bye.')).toBe(1);
  });

  it('whoever does not wait that long gets 202; further commands do not put it off', async () => {
    const chat = await provision(test.api);
    await sandbox.fault(
      { method: 'POST', path: '/Messages$', times: 1 },
      { type: 'delay', ms: 2 * CALL_TIMEOUT_MS },
    );
    await test.api.post(`${chat.path}/system-messages`, { body: 'Once.' }, 201);
    const begun = performance.now();
    const headers = { prefer: 'wait=1' };
    const { body: open } = await test.api.post(`${chat.path}/close`, {}, 202, { headers });
    expect(open.state).toBe('active');
    await eventually(async () => {
      await test.api.patch(chat.path, { friendlyName: 'late' }, 202, { headers: { prefer: 'wait=0' } });
    });
    const refused = await test.api.patch(chat.path, { friendlyName: 'later' }, 409);
    expectProblem(refused, 'conversation_closed');
    expect(performance.now() - begun).toBeLessThan(8000);
    expect(await timesSaid(chat, 'Once.')).toBe(1);
  });

  it('and at once where nothing is outstanding', async () => {
    const chat = await provision(test.api);
    const since = await sandbox.last();
    await test.api.post(`${chat.path}/close`, {}, 200, { headers: { prefer: 'wait=1' } });
    const calls = (await sandbox.requests(since)).filter(({ path }) => path.includes(chat.twilioSid));
    expect(calls).toHaveLength(1);
  });
});
