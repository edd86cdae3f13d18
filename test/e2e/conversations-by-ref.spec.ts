import { describe, expect, it } from 'vitest';
import { unique, useApp } from '../support/app.js';
import { addressPair, supportChat } from '../support/chats.js';
import { expectProblem } from '../support/problems.js';

const running = useApp();

/** A body without externalRef, which the path names. */
function withoutRef() {
  const { externalRef, ...body } = supportChat();
  return { externalRef, body };
}

describe('PUT /v1/conversations/by-ref/{externalRef}', () => {
  it('201, then 200 with the same conversation, unchanged whatever the second body says', async () => {
    const { externalRef, body } = withoutRef();
    const path = `/v1/conversations/by-ref/${externalRef}`;
    const { body: made } = await running.api.put(path, body, 201);
    const { body: found } = await running.api.put(path, { ...body, friendlyName: 'Another' }, 200);
    expect(found).toEqual(made);
  });

  it('201 for exactly one of twenty racers, and the same conversation for all', async () => {
    const { externalRef, body } = withoutRef();
    const path = `/v1/conversations/by-ref/${externalRef}`;
    const before = await running.sandbox.state();
    const answers = await Promise.all(
      Array.from({ length: 20 }, async () => {
        const call = await fetch(`${await running.baseUrl()}${path}`, {
          method: 'PUT',
          headers: { authorization: `Bearer ${running.api.key}`, 'content-type': 'application/json' },
          body: JSON.stringify(body),
        });
        return { status: call.status, id: ((await call.json()) as { id: string }).id };
      }),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([...Array<number>(19).fill(200), 201]);
    expect(new Set(answers.map(({ id }) => id)).size).toBe(1);
    const after = await running.sandbox.state();
    expect(after['conversations']).toBe((before['conversations'] ?? 0) + 1);
    expect(after['participants']).toBe((before['participants'] ?? 0) + 2);
    expect(after['messages']).toBe((before['messages'] ?? 0) + 1);
  });

  it('201, then 200 for a reference of 255 code points of four bytes each', async () => {
    const { body } = withoutRef();
    const path = `/v1/conversations/by-ref/${encodeURIComponent('🦉'.repeat(255))}`;
    const { body: made } = await running.api.put(path, body, 201);
    expect(made.externalRef).toBe('🦉'.repeat(255));
    await running.api.put(path, body, 200);
  });

  it('200 waits while the conversation is being provisioned; 202 when the wait is over first', async () => {
    const { externalRef, body } = withoutRef();
    const path = `/v1/conversations/by-ref/${externalRef}`;
    await running.sandbox.fault(
      { method: 'POST', path: '/Participants$' },
      { type: 'delay', ms: 300, applied: 'before' },
    );
    try {
      const { body: accepted } = await running.api.put(path, body, 202, { headers: { prefer: 'wait=0' } });
      const again = await running.api.put(path, body, 202, { headers: { prefer: 'respond-async' } });
      expect(again.body).toMatchObject({ id: accepted.id, state: 'provisioning' });
      expect(again.headers['location']).toBe(`/v1/conversations/${accepted.id}`);
      const { body: waited } = await running.api.put(path, body, 200);
      expect(waited).toMatchObject({ id: accepted.id, state: 'active' });
    } finally {
      await running.sandbox.clearFaults();
    }
  });

  it('403 and 409: whom a conversation cannot take keeps this one from being made', async () => {
    const known = { kind: 'customer', externalId: unique('cust') };
    const suspended = { kind: 'customer', externalId: unique('cust') };
    await running.api.post('/v1/identities', known, 201);
    const { body: person } = await running.api.post('/v1/identities', suspended, 201);
    await running.api.post(`/v1/identities/${person.id}/suspend`, undefined, 200);
    const held = addressPair();
    await running.api.post('/v1/conversations', { participants: [held] }, 201);
    for (const [participant, status, code] of [
      [suspended, 403, 'identity_suspended'],
      [{ ...known, kind: 'agent' }, 409, 'identity_kind_mismatch'],
      [held, 409, 'address_in_use'],
    ] as const) {
      const path = `/v1/conversations/by-ref/${unique('case')}`;
      expectProblem(await running.api.put(path, { participants: [participant] }, status), code);
      await running.api.put(path, withoutRef().body, 201);
    }
  });

  it('400: a reference in the body that is not the one in the path', async () => {
    const { externalRef, body } = withoutRef();
    const path = `/v1/conversations/by-ref/${externalRef}`;
    const { body: problem } = await running.api.put(path, { ...body, externalRef: 'other' }, 400);
    expect(problem.errors).toEqual([{ field: 'externalRef', message: 'must be the one in the path' }]);
  });

  it('400: a reference of control characters', async () => {
    const { body } = withoutRef();
    await running.api.put('/v1/conversations/by-ref/a%00b', body, 400);
  });

  it('201 again after the first was refused: a failed conversation frees its reference', async () => {
    const { externalRef, body } = withoutRef();
    const path = `/v1/conversations/by-ref/${externalRef}`;
    const refused = { ...body, participants: [{ address: '+15005550001', proxyAddress: '+15559990000' }] };
    const { body: problem } = await running.api.put(path, refused, 422);
    const { body: chat } = await running.api.put(path, body, 201);
    expect(chat.id).not.toBe(problem.conversation.id);
  });
});

describe('GET /v1/conversations/{conversation}', () => {
  it('200 by our id and by its CH…, with the same strong ETag', async () => {
    const { body: chat } = await running.api.post('/v1/conversations', supportChat(), 201);
    const byId = await running.api.get(`/v1/conversations/${chat.id}`, 200);
    const bySid = await running.api.get(`/v1/conversations/${chat.twilioSid}`, 200);
    expect(byId.body).toEqual(chat);
    expect(bySid.body).toEqual(chat);
    expect(byId.headers['etag']).toMatch(/^"[\w-]{43}"$/);
    expect(bySid.headers['etag']).toBe(byId.headers['etag']);
  });

  it('200 with the state that a timer brought about at Twilio', async () => {
    const { body: chat } = await running.api.post('/v1/conversations', supportChat(), 201);
    await running.sandbox.control('POST', '/sandbox/clock', { advance: 'PT2H' });
    const { body: read } = await running.api.get(`/v1/conversations/${chat.id}`, 200);
    expect(read.state).toBe('inactive');
  });

  it('200 with the rows as they are when Twilio cannot be asked', async () => {
    const { body: chat } = await running.api.post('/v1/conversations', supportChat(), 201);
    await running.sandbox.fault(
      { method: 'GET', path: chat.twilioSid, times: 5 },
      { type: 'status', status: 500 },
    );
    const { body: read } = await running.api.get(`/v1/conversations/${chat.id}`, 200);
    expect(read).toEqual(chat);
    await running.sandbox.clearFaults();
  });

  it.each(['01a20098-5364-703d-8bc8-cea672e8acf7', `CH${'0'.repeat(32)}`, 'case-4711', '..%2f'])(
    '404: %s names no conversation',
    async (path) => {
      const { body: problem } = await running.api.get(`/v1/conversations/${path}`, 404);
      expect(problem.code).toBe('not_found');
    },
  );
});

describe('GET /v1/conversations', () => {
  it('200: filters by reference, state, participant and time, and pages through without gap or repetition', async () => {
    const agent = { kind: 'agent', externalId: unique('agent') };
    const made: { id: string; externalRef: string; createdAt: string }[] = [];
    for (let n = 0; n < 5; n += 1) {
      const body = { externalRef: unique('case'), participants: [agent] };
      made.push((await running.api.post('/v1/conversations', body, 201)).body);
    }
    const ids = made.map(({ id }) => id).reverse();
    const list = async (query: string) =>
      (await running.api.get(`/v1/conversations?externalId=${agent.externalId}&${query}`, 200)).body;
    expect((await list('')).data.map((chat: { id: string }) => chat.id)).toEqual(ids);
    const first = await list('limit=2');
    const second = await list(`limit=2&cursor=${first.nextCursor}`);
    const third = await list(`limit=2&cursor=${second.nextCursor}`);
    const paged = [...first.data, ...second.data, ...third.data].map((chat: { id: string }) => chat.id);
    expect(paged).toEqual(ids);
    expect(third.nextCursor).toBeNull();
    expect((await list(`externalRef=${made[1]?.externalRef}`)).data).toHaveLength(1);
    expect((await list('state=closed')).data).toEqual([]);
    expect((await list(`createdAfter=${made[3]?.createdAt}`)).data).toHaveLength(2);
    expect((await list(`createdBefore=${made[3]?.createdAt}`)).data).toHaveLength(3);
    const { body: people } = await running.api.get(`/v1/identities?externalId=${agent.externalId}`, 200);
    const byId = await running.api.get(`/v1/conversations?identityId=${people.data[0].id}`, 200);
    expect(byId.body.data).toHaveLength(5);
  });

  it.each([
    'limit=0',
    'limit=101',
    'limit=x',
    'cursor=x',
    'state=open',
    'identityId=7',
    'createdAfter=today',
    'colour=red',
  ])('400: %s', async (query) => {
    const { body: problem } = await running.api.get(`/v1/conversations?${query}`, 400);
    expect(problem.errors[0].field).toBe(query.split('=')[0]);
  });

  it('200 shows failed ones when they are asked for', async () => {
    const body = { externalRef: unique('case'), participants: [{ address: '+15005550001' }] };
    await running.api.post('/v1/conversations', body, 422);
    const { body: list } = await running.api.get(`/v1/conversations?externalRef=${body.externalRef}`, 200);
    expect(list.data).toMatchObject([{ state: 'failed', twilioSid: null }]);
  });
});
