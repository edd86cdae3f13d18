import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { useApp } from '../support/app.js';
import { supportChat } from '../support/chats.js';
import { eventually } from '../support/eventually.js';

const running = useApp();

beforeAll(async () => {
  await running.api.post('/v1/conversations', supportChat(), 201);
});
afterEach(() => running.sandbox.clearFaults());

/** A chat that Twilio answers 500 for, until it has given it up for the while. */
async function stuckChat(): Promise<string> {
  const { body } = await running.api.post('/v1/conversations', supportChat(), 202, {
    headers: { prefer: 'wait=0' },
  });
  return body.id as string;
}

describe('GET /v1/reconciliation', () => {
  it('200: says what is behind, since when and why, the oldest first, and nothing once it is done', async () => {
    const { body: before } = await running.api.get('/v1/reconciliation', 200);
    expect(before).toEqual({ data: [], nextCursor: null });
    await running.sandbox.fault(
      { method: 'POST', path: '/Conversations$', times: 1000 },
      { type: 'status', status: 500 },
    );
    const ids = [await stuckChat(), await stuckChat(), await stuckChat()];
    await eventually(async () => {
      const { body } = await running.api.get('/v1/reconciliation', 200);
      expect(body.data.map(({ id }: { id: string }) => id)).toEqual(ids);
      for (const row of body.data) {
        expect(row).toMatchObject({ resource: 'conversation', reason: 'twilio_unknown_20500' });
        expect(row.wishes).toMatchObject([{ kind: 'provision' }]);
      }
    });
    const { body: first } = await running.api.get('/v1/reconciliation?limit=2', 200);
    const { body: second } = await running.api.get(
      `/v1/reconciliation?limit=2&cursor=${first.nextCursor}`,
      200,
    );
    expect([...first.data, ...second.data].map(({ id }: { id: string }) => id)).toEqual(ids);
    expect(second.nextCursor).toBeNull();
    await running.sandbox.clearFaults();
    await eventually(async () => {
      const { body } = await running.api.get('/v1/reconciliation', 200);
      expect(body.data).toEqual([]);
    }, 20_000);
  });

  it('400: a cursor that is none', async () => {
    await running.api.get('/v1/reconciliation?cursor=x', 400);
  });

  it('200: shows nothing of another chat service', async () => {
    const { body: service } = await running.api.post('/v1/services', { friendlyName: 'Other' }, 201);
    const key = { name: 'other', scopes: ['admin'], serviceId: service.id };
    const { body: other } = await running.api.post('/v1/api-keys', key, 201);
    await running.sandbox.fault(
      { method: 'POST', path: '/Conversations$', times: 1000 },
      { type: 'status', status: 500 },
    );
    await stuckChat();
    const { body } = await running.api.with(other.key as string).get('/v1/reconciliation', 200);
    expect(body.data).toEqual([]);
  });
});

describe('POST /v1/conversations/{conversation}/reconcile', () => {
  it('200: has tried now what would have been tried later', async () => {
    const busy = { type: 'status', status: 429, code: 20429, retryAfterSeconds: 3600 };
    await running.sandbox.fault({ method: 'POST', path: '/Conversations$' }, busy);
    const id = await stuckChat();
    await eventually(async () => {
      const { body: list } = await running.api.get('/v1/reconciliation', 200);
      const row = list.data.find((one: { id: string }) => one.id === id);
      expect(Date.parse(row.nextTryAt as string) - Date.now()).toBeGreaterThan(3_000_000);
    });
    const { body } = await running.api.post(`/v1/conversations/${id}/reconcile`, undefined, 200);
    expect(body).toMatchObject({ id, state: 'active' });
  });

  it('200: where nothing is left to do', async () => {
    const { body: chat } = await running.api.post('/v1/conversations', supportChat(), 201);
    const { body } = await running.api.post(`/v1/conversations/${chat.id}/reconcile`, undefined, 200);
    expect(body).toEqual(chat);
  });

  it('202: where trying is not enough', async () => {
    await running.sandbox.fault(
      { method: 'POST', path: '/Conversations$', times: 1000 },
      { type: 'status', status: 500 },
    );
    const id = await stuckChat();
    const options = { headers: { prefer: 'wait=1' } };
    const { body } = await running.api.post(`/v1/conversations/${id}/reconcile`, undefined, 202, options);
    expect(body).toMatchObject({ id, state: 'provisioning' });
  });
});
