import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Answer } from '../support/api-client.js';
import { unique, useApp } from '../support/app.js';
import { addressPair, provision, supportChat } from '../support/chats.js';

const running = useApp();

/** The answer has the ETag that a reading of `path` gives, and that a change of it accepts. */
async function expectCurrent(answer: Answer<unknown>, path: string, change: object): Promise<void> {
  const read = await running.api.get(path, 200);
  expect(answer.body).toEqual(read.body);
  expect(answer.headers['etag']).toMatch(/^"[\w-]{43}"$/);
  expect(answer.headers['etag']).toBe(read.headers['etag']);
  await running.api.patch(path, change, 200, { headers: { 'if-match': answer.headers['etag']! } });
}

const rename = { friendlyName: 'renamed' };

describe('The answer of a command has the ETag of what it shows', () => {
  it('a conversation that was provisioned, by POST and by PUT, new or there', async () => {
    const made = await running.api.post('/v1/conversations', supportChat({ byAddress: true }), 201);
    await expectCurrent(made, `/v1/conversations/${made.body.id}`, rename);
    const { externalRef, ...body } = supportChat();
    for (const status of [201, 200]) {
      const put = await running.api.put(`/v1/conversations/by-ref/${externalRef}`, body, status);
      await expectCurrent(put, `/v1/conversations/${put.body.id}`, rename);
    }
  });

  it('one that was changed, handed over, and closed', async () => {
    const chat = await provision(running.api);
    const changed = await running.api.patch(chat.path, { attributes: { a: 1 } }, 200);
    await expectCurrent(changed, chat.path, rename);
    const to = { kind: 'agent', externalId: unique('agent') };
    const handed = await running.api.post(`${chat.path}/transfer`, { from: chat.ada.id, to }, 200);
    await expectCurrent(handed, chat.path, rename);
    const closed = await running.api.post(`${chat.path}/close`, {}, 200);
    expect(closed.headers['etag']).toBe((await running.api.get(chat.path, 200)).headers['etag']);
  });

  it('a participant who was added, who was in already, and who was changed', async () => {
    const chat = await provision(running.api);
    const path = `${chat.path}/participants`;
    const pair = addressPair();
    for (const status of [201, 200]) {
      const added = await running.api.post(path, pair, status);
      await expectCurrent(added, `${path}/${added.body.id}`, { attributes: {} });
    }
    const changed = await running.api.patch(`${path}/${chat.bob.id}`, { role: 'supervisor' }, 200);
    await expectCurrent(changed, `${path}/${chat.bob.id}`, { attributes: {} });
  });

  it('an identity and a chat service that were made', async () => {
    const body = { kind: 'agent', externalId: unique('agent') };
    const made = await running.api.post('/v1/identities', body, 201);
    await expectCurrent(made, `/v1/identities/${made.body.id}`, { displayName: 'Ada' });
    const service = await running.api.post('/v1/services', { friendlyName: unique('service') }, 201);
    await expectCurrent(service, `/v1/services/${service.body.id}`, { shareDisplayNames: false });
  });

  it('a repeat has the one of the answer that it repeats', async () => {
    const headers = { 'idempotency-key': randomUUID() };
    const body = supportChat();
    const made = await running.api.post('/v1/conversations', body, 201, { headers });
    await running.api.patch(`/v1/conversations/${made.body.id}`, rename, 200);
    const again = await running.api.post('/v1/conversations', body, 201, { headers });
    expect(again.text).toBe(made.text);
    expect(again.headers['etag']).toBe(made.headers['etag']);
  });

  it('but neither what is still under way, nor messages, which Twilio holds', async () => {
    const chat = await provision(running.api);
    const headers = { prefer: 'wait=0' };
    const waiting = await running.api.patch(chat.path, rename, 202, { headers });
    expect(waiting.headers['etag']).toBeUndefined();
    const said = await running.api.post(`${chat.path}/system-messages`, { body: 'hi' }, 201);
    expect(said.headers['etag']).toBeUndefined();
  });
});
