import { expect, it } from 'vitest';
import { useApp } from '../support/app.js';
import { contentsOf, provision, supportChat } from '../support/chats.js';
import { eventually } from '../support/eventually.js';

const test = useApp({ LEASE_MS: '6000', TWILIO_CALL_TIMEOUT_MS: '3000' });
const { sandbox } = test;
const SLOW_MS = 1500;

it('Whoever comes back late is out before his number is forgotten, also where the look for that falls due meanwhile', async () => {
  const { participants, systemMessage } = supportChat({ byAddress: true });
  const chat = await provision(test.api, { participants, systemMessage });
  const number = chat.participants[2]!;
  await test.api.delete(`${chat.path}/participants/${number.id}`, 204);
  // As if an addition that was given up had landed now, and were to be looked for in a while.
  const { address = '', proxyAddress = '' } = participants[2]!;
  await sandbox.write('POST', `/v1/Conversations/${chat.twilioSid}/Participants`, [
    ['MessagingBinding.Address', address],
    ['MessagingBinding.ProxyAddress', proxyAddress],
  ]);
  const inAWhile = `now() + interval '2200 milliseconds'`;
  await test.sql(`update conversations set verify_after = ${inAWhile}, due_at = ${inAWhile} where id = $1`, [
    chat.id,
  ]);
  await sandbox.fault(
    { method: 'POST', path: '/Messages$', times: 2 },
    { type: 'delay', ms: SLOW_MS, applied: 'before' },
  );
  const since = await sandbox.last();
  const say = (body: string) => test.api.post(`${chat.path}/system-messages`, { body }, 201);
  const first = say('One.');
  await eventually(async () => {
    const sent = (await sandbox.requests(since)).filter(({ method }) => method === 'POST');
    expect(sent).toHaveLength(1);
  });
  const second = say('Two.');
  await eventually(async () => {
    const open = await test.sql('select 1 from wishes where aggregate_id = $1 and status is null', [chat.id]);
    expect(open).toHaveLength(2);
  });
  const id = number.identity?.id;
  const erased = test.api.post(`/v1/identities/${id}/erase`, {}, 202, { headers: { prefer: 'wait=0' } });
  await Promise.all([first, second, erased]);
  await eventually(async () => {
    const open = await test.sql('select 1 from wishes where aggregate_id = any($1) and status is null', [
      [chat.id, id],
    ]);
    expect(open).toEqual([]);
  });
  expect((await contentsOf(sandbox, chat.twilioSid)).participants).toHaveLength(2);
});
