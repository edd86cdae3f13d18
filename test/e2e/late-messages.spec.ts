import { expect, it } from 'vitest';
import { useApp } from '../support/app.js';
import { provision, type Chat } from '../support/chats.js';
import { eventually } from '../support/eventually.js';

const LEASE_MS = 1500;
const CALL_TIMEOUT_MS = 500;
const test = useApp({ LEASE_MS: String(LEASE_MS), TWILIO_CALL_TIMEOUT_MS: String(CALL_TIMEOUT_MS) });
const { sandbox } = test;
const OLD = '2020-01-01T00:00:00Z';

/** More than a page of messages, written by somebody else. */
async function chatter({ twilioSid }: Chat, fields: [string, string][] = [], count = 130): Promise<void> {
  const write = (n: number) =>
    sandbox.write('POST', `/v1/Conversations/${twilioSid}/Messages`, [['Body', `#${n}`], ...fields]);
  for (let n = 0; n < count; n += 10) await Promise.all(Array.from({ length: 10 }, (_, k) => write(n + k)));
}

/** How often a text is in the conversation, however many there are. */
async function timesSaid({ twilioSid }: Chat, text: string): Promise<number> {
  let count = 0;
  for (let path = `/v1/Conversations/${twilioSid}/Messages?PageSize=100`; path !== '';) {
    type Page = { messages: { body: string }[]; meta: { next_page_url: string | null } };
    const { messages, meta } = await sandbox.twilio<Page>(path);
    count += messages.filter(({ body }) => body === text).length;
    const next = meta.next_page_url === null ? null : new URL(meta.next_page_url);
    path = next ? next.pathname + next.search : '';
  }
  return count;
}

/** Has a message sent whose answer is lost, and looked for only after `meanwhile`. */
async function sentOnce(chat: Chat, meanwhile: () => Promise<void>): Promise<void> {
  const path = `/Conversations/${chat.twilioSid}/Messages$`;
  await sandbox.fault({ method: 'POST', path, times: 1 }, { type: 'reset-after' });
  await sandbox.fault({ method: 'GET', path, times: 1000 }, { type: 'status', status: 503 });
  const { body: answer } = await test.api.post(`${chat.path}/system-messages`, { body: 'Once.' }, 202, {
    headers: { prefer: 'wait=0' },
  });
  await eventually(async () => expect(await timesNoted(path, 'GET')).toBeGreaterThan(0));
  await meanwhile();
  await sandbox.clearFaults();
  await eventually(async () => {
    const rows = await test.sql('select state from messages where id = $1', [answer.id]);
    expect(rows).toEqual([{ state: 'sent' }]);
  });
  expect(await timesSaid(chat, 'Once.')).toBe(1);
}

async function timesNoted(path: string, method: string): Promise<number> {
  const noted = await sandbox.requests();
  return noted.filter((one) => one.method === method && new RegExp(path).test(one.path)).length;
}

it('A message whose answer is lost is not sent again, however many came after it', async () => {
  const chat = await provision(test.api);
  await sentOnce(chat, () => chatter(chat));
});

it('nor where somebody has given an older date to what he wrote since', async () => {
  const chat = await provision(test.api);
  await sentOnce(chat, () => chatter(chat, [['DateCreated', OLD]], 10));
});

/** Has a message land a second time, and nobody look for that until `meanwhile` is over. */
async function twinGoes(chat: Chat, meanwhile: () => Promise<void>): Promise<void> {
  const path = `/Conversations/${chat.twilioSid}/Messages$`;
  await sandbox.fault(
    { method: 'POST', path, times: 1 },
    { type: 'delay', ms: 2 * CALL_TIMEOUT_MS, applied: 'after' },
  );
  await test.api.post(`${chat.path}/system-messages`, { body: 'Once.' }, 201);
  await lookIn(chat, '1 hour');
  await eventually(async () => expect(await timesSaid(chat, 'Once.')).toBe(2));
  await meanwhile();
  await eventually(async () => expect(await timesSaid(chat, 'Once.')).toBe(1));
}

const lookIn = (chat: Chat, time: string) =>
  test.sql(
    `update conversations set verify_after = now() + $2::interval, due_at = now() + $2::interval
    where id = $1 and lease_token is null`,
    [chat.id, time],
  );

it('The second copy of one that landed late goes, however many came after it', async () => {
  const chat = await provision(test.api);
  await twinGoes(chat, async () => {
    await chatter(chat);
    await lookIn(chat, '0 hours');
  });
});

it('and where an older date was given to what came after it', async () => {
  const chat = await provision(test.api);
  await twinGoes(chat, async () => {
    await chatter(chat, [['DateCreated', OLD]], 10);
    await lookIn(chat, '0 hours');
  });
});

it('What a participant has said stays, though it bears the mark of a message of ours, as of one that he forwarded', async () => {
  const chat = await provision(test.api);
  const { body: sent } = await test.api.post(`${chat.path}/system-messages`, { body: 'Ours.' }, 201);
  const path = `/v1/Conversations/${chat.twilioSid}/Messages`;
  const { attributes } = await sandbox.twilio<{ attributes: string }>(`${path}/${sent.twilioSid}`);
  await sandbox.write('POST', path, [
    ['Author', chat.bob.identity?.twilioIdentity ?? ''],
    ['Body', 'Look what they say.'],
    ['Attributes', attributes],
  ]);
  const { body: drift } = await test.api.get(`/v1/drift`, 200);
  expect(drift.data).toEqual([]);
  await test.sql('update conversations set verify_after = now(), due_at = now() where id = $1', [chat.id]);
  await eventually(async () => {
    const due = await test.sql('select 1 from conversations where id = $1 and due_at is not null', [chat.id]);
    expect(due).toEqual([]);
  });
  expect(await timesSaid(chat, 'Look what they say.')).toBe(1);
});
