import { describe, expect, it } from 'vitest';
import { unique, useApp } from '../support/app.js';
import { contentsOf, provision, type Chat } from '../support/chats.js';
import { eventually } from '../support/eventually.js';

const CALL_TIMEOUT_MS = 500;
const test = useApp({ LEASE_MS: '1500', TWILIO_CALL_TIMEOUT_MS: String(CALL_TIMEOUT_MS) });
const { sandbox } = test;

/** The change is made when the caller has long given up. */
async function landsLate(path: string): Promise<void> {
  await sandbox.fault({ method: 'POST', path, times: 1 }, { type: 'delay', ms: 3 * CALL_TIMEOUT_MS });
}

describe('What landed late is undone also where nobody could look for hours', () => {
  /** As if all replicas had stopped after the chat was settled, and started three hours later. */
  const threeHoursLater = async ({ id }: Chat) => {
    for (const table of ['participants', 'messages'])
      await test.sql(
        `update ${table} set updated_at = updated_at - interval '3 hours' where conversation_id = $1`,
        [id],
      );
    const settled = `update wishes set settled_at = settled_at - interval '3 hours' where aggregate_id = $1`;
    await test.sql(settled, [id]);
    const due = `update conversations set verify_after = verify_after - interval '3 hours', due_at = now() where id = $1`;
    await test.sql(due, [id]);
  };
  const untilLooked = ({ id }: Chat) =>
    eventually(async () => {
      const due = await test.sql('select 1 from conversations where id = $1 and due_at is not null', [id]);
      expect(due).toEqual([]);
    });
  const lookLater = ({ id }: Chat) =>
    test.sql(
      `update conversations set verify_after = now() + interval '10 minutes', due_at = now() + interval '10 minutes'
      where id = $1 and due_at is not null`,
      [id],
    );

  it('who was removed is out', async () => {
    const chat = await provision(test.api);
    await landsLate('/Participants$');
    const grace = { kind: 'customer', externalId: unique('grace') };
    const { body } = await test.api.post(`${chat.path}/participants`, grace, 201);
    await test.api.delete(`${chat.path}/participants/${body.id}`, 204);
    await lookLater(chat);
    const people = async () => (await contentsOf(sandbox, chat.twilioSid)).participants.length;
    await eventually(async () => expect(await people()).toBe(3));
    await threeHoursLater(chat);
    await untilLooked(chat);
    expect(await people()).toBe(2);
  });

  it('the last change counts', async () => {
    const chat = await provision(test.api);
    const path = `/v1/Conversations/${chat.twilioSid}`;
    const nameAtTwilio = async () => (await sandbox.twilio<{ friendly_name: string }>(path)).friendly_name;
    await landsLate(`/Conversations/${chat.twilioSid}$`);
    await test.api.patch(chat.path, { friendlyName: 'first' }, 200);
    await test.api.patch(chat.path, { friendlyName: 'second' }, 200);
    await lookLater(chat);
    await eventually(async () => expect(await nameAtTwilio()).toBe('first'));
    await threeHoursLater(chat);
    await untilLooked(chat);
    expect(await nameAtTwilio()).toBe('second');
  });

  it('a message is there once', async () => {
    const chat = await provision(test.api);
    const { body } = await test.api.post(`${chat.path}/system-messages`, { body: 'Once.' }, 201);
    const write = (fields: [string, string][]) =>
      sandbox.write('POST', `/v1/Conversations/${chat.twilioSid}/Messages`, [
        ['DateCreated', new Date(Date.now() - 10_000_000).toISOString()],
        ...fields,
      ]);
    await write([
      ['Body', 'Once.'],
      ['Attributes', JSON.stringify({ convoke: { id: body.id } })],
    ]);
    for (let n = 0; n < 110; n += 10)
      await Promise.all(Array.from({ length: 10 }, (_, k) => write([['Body', `#${n + k}`]])));
    await test.sql('update conversations set verify_after = now(), due_at = now() where id = $1', [chat.id]);
    await threeHoursLater(chat);
    await untilLooked(chat);
    const path = `/v1/Conversations/${chat.twilioSid}/Messages?PageSize=100`;
    const { messages } = await sandbox.twilio<{ messages: { body: string }[] }>(path);
    expect(messages.filter(({ body: text }) => text === 'Once.')).toHaveLength(1);
  });
});
