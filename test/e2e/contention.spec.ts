import { describe, expect, it } from 'vitest';
import { unique, useApp } from '../support/app.js';
import { supportChat } from '../support/chats.js';

// Fewer connections than callers: whoever took a second one within a transaction would wait for himself.
describe.each(['2', '5'])(
  'with %s connections to Postgres, twelve callers at once on one conversation',
  (size) => {
    const running = useApp({ DATABASE_POOL_SIZE: size });
    const twelve = <T>(call: (n: number) => Promise<T>) =>
      Promise.all(Array.from({ length: 12 }, (_, n) => call(n)));

    it('are all answered, and no wish stays open', async () => {
      const { body: chat } = await running.api.post('/v1/conversations', supportChat(), 201);
      const path = `/v1/conversations/${chat.id}`;
      for (let round = 0; round < 3; round += 1) {
        await twelve((n) => running.api.post(`${path}/system-messages`, { body: `${round}.${n}` }, 201));
      }
      expect(await running.sql('select id from wishes where status is null')).toEqual([]);
      await twelve((n) =>
        running.api.patch(path, { friendlyName: `${n}` }, 412, { headers: { 'if-match': '"another"' } }),
      );
      await twelve((n) => running.api.patch(path, { friendlyName: `${n}` }, 200));
      const [ada, bob] = chat.participants;
      const [from, to] = [ada.id, { externalId: bob.identity.externalId }];
      await twelve(() => running.api.patch(`${path}/participants/${bob.id}`, {}, 200));
      await twelve(() => running.api.post(`${path}/participants`, to, 200));
      const grace = { kind: 'agent', externalId: unique('agent') };
      await running.api.post(`${path}/participants`, grace, 201);
      await twelve(() => running.api.post(`${path}/transfer`, { from, to: grace }, 200));
      await twelve(() => running.api.post(`${path}/close`, {}, 200));
    });
  },
);
