import { expect, it } from 'vitest';
import { useApp } from '../support/app.js';
import { contentsOf, provision } from '../support/chats.js';
import { eventually } from '../support/eventually.js';

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
