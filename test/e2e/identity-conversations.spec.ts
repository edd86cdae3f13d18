import { describe, expect, it } from 'vitest';
import type { ConversationResponse } from '../../src/conversations/conversation.dto.js';
import type { IdentityResponse } from '../../src/identities/identity.dto.js';
import { otherService } from '../support/access.js';
import { unique, useApp } from '../support/app.js';
import { expectInvalid, expectProblem } from '../support/problems.js';
import { NOBODYS_ID } from '../support/routes.js';

const running = useApp();

interface List {
  data: ConversationResponse[];
  nextCursor: string | null;
}

const make = async () =>
  (
    await running.api.post<IdentityResponse>(
      '/v1/identities',
      { kind: 'customer', externalId: unique('cust') },
      201,
    )
  ).body;

const chatWith = async (identity: IdentityResponse) => {
  const participants = [{ kind: 'agent', externalId: unique('agent') }, { identityId: identity.id }];
  return (await running.api.post<ConversationResponse>('/v1/conversations', { participants }, 201)).body;
};

const list = async (path: string, query = '') =>
  (await running.api.get<List>(`/v1/identities/${path}/conversations${query}`, 200)).body;

describe('GET /v1/identities/{identity}/conversations', () => {
  it('200: those that the person is in, newest first, as a list of conversations shows them', async () => {
    const [person, other] = [await make(), await make()];
    const [older, newer] = [await chatWith(person), await chatWith(person)];
    await chatWith(other);
    expect(await list(person.id)).toEqual({ data: [newer, older], nextCursor: null });
    const { body } = await running.api.get<List>(`/v1/conversations?identityId=${person.id}`, 200);
    expect(await list(person.id)).toEqual(body);
  });

  it('200: by US… too', async () => {
    const person = await make();
    const chat = await chatWith(person);
    const { body } = await running.api.get<IdentityResponse>(`/v1/identities/${person.id}`, 200);
    expect(body.twilioSid).toMatch(/^US/);
    expect((await list(body.twilioSid ?? '')).data).toEqual([chat]);
  });

  it('200: pages, without one missing or twice', async () => {
    const person = await make();
    const chats = [await chatWith(person), await chatWith(person), await chatWith(person)];
    const first = await list(person.id, '?limit=2');
    const second = await list(person.id, `?limit=2&cursor=${first.nextCursor}`);
    expect([...first.data, ...second.data].map(({ id }) => id)).toEqual(chats.map(({ id }) => id).reverse());
    expect(second.nextCursor).toBeNull();
  });

  it('200: in one state alone, when asked for', async () => {
    const person = await make();
    const [open, closed] = [await chatWith(person), await chatWith(person)];
    await running.api.post(`/v1/conversations/${closed.id}/close`, {}, 200);
    expect((await list(person.id, '?state=active')).data.map(({ id }) => id)).toEqual([open.id]);
    expect((await list(person.id, '?state=closed')).data.map(({ id }) => id)).toEqual([closed.id]);
  });

  it('200: neither one that the person has left, nor one that was deleted', async () => {
    const person = await make();
    const [left, deleted] = [await chatWith(person), await chatWith(person)];
    await running.api.delete(`/v1/conversations/${left.id}/participants/${person.externalId}`, 204);
    await running.api.delete(`/v1/conversations/${deleted.id}`, 204);
    expect(await list(person.id)).toEqual({ data: [], nextCursor: null });
  });

  it('200: what lies behind those that were deleted, a page at a time', async () => {
    const person = await make();
    const chats: ConversationResponse[] = [];
    for (let n = 0; n < 6; n += 1) chats.unshift(await chatWith(person));
    for (const { id } of chats.slice(1, 5)) await running.api.delete(`/v1/conversations/${id}`, 204);
    const first = await list(person.id, '?limit=1');
    expect(first.data.map(({ id }) => id)).toEqual([chats[0]?.id]);
    const second = await list(person.id, `?limit=1&cursor=${first.nextCursor}`);
    expect(second).toEqual({ data: [chats[5]], nextCursor: null });
  });

  it('400: a query that no list of this kind takes', async () => {
    const { id } = await make();
    const get = (query: string) => running.api.get(`/v1/identities/${id}/conversations?${query}`, 400);
    expectInvalid(await get('limit=0'), 'limit');
    expectInvalid(await get('cursor=x'), 'cursor');
    expectInvalid(await get('state=gone'), 'state');
    expectInvalid(await get('externalId=x'), 'externalId');
  });

  it("404: somebody who is not known, or is another chat service's", async () => {
    const { id } = await make();
    const { admin } = await otherService(running.api);
    for (const path of [NOBODYS_ID, 'nobody']) {
      expectProblem(await running.api.get(`/v1/identities/${path}/conversations`, 404), 'not_found');
    }
    expectProblem(await admin.get(`/v1/identities/${id}/conversations`, 404), 'not_found');
  });
});
