import { createHash, randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { callerWith, otherService } from '../support/access.js';
import { unique, useApp } from '../support/app.js';
import { addressPair, contentsOf, namesIn, provision, type Chat } from '../support/chats.js';
import { placesOf } from '../support/places.js';
import { expectInvalid, expectProblem } from '../support/problems.js';
import { NOBODYS_ID } from '../support/routes.js';

const running = useApp();

interface Receipt {
  identityId: string;
  erasedAt: string;
  items: { where: string; count: number }[];
  hash: string;
}

const erase = (id: string, messages?: string, options = {}) =>
  running.api.post<Receipt>(`/v1/identities/${id}/erase`, messages ? { messages } : {}, 200, options);
const counted = ({ items }: Receipt, where: string) => items.find((item) => item.where === where)?.count;
const say = (chat: Chat, author: string, body: string) =>
  running.api.post(`${chat.path}/messages`, { author, body }, 201);
/** Author and body of what people said, as Twilio has it. */
async function said(chat: Chat): Promise<string[]> {
  const { messages } = await contentsOf(running.sandbox, chat.twilioSid);
  return messages.filter(({ author }) => author !== 'system').map(({ author, body }) => `${author}: ${body}`);
}

/** Somebody whose name, number and externalId are found nowhere else. */
function somebody() {
  const mark = randomUUID().slice(0, 8);
  return {
    kind: 'customer',
    externalId: unique(`ext-${mark}`),
    displayName: `Zacharias ${mark}`,
    attributes: { mark: `part-${mark}` },
    ...addressPair(),
  };
}

/**
 * A person who left traces wherever Convoke puts them: in chats by browser and by SMS, open and closed, left and failed,
 * with messages, changes, and answers that are kept.
 */
async function traces() {
  const who = somebody();
  const { address, proxyAddress, externalId, displayName, attributes } = who;
  const key = () => ({ headers: { 'idempotency-key': randomUUID() } });
  const person = { kind: 'customer', externalId, displayName };
  const { body: identity } = await running.api.post('/v1/identities', { ...person, attributes }, 201, key());
  const inChat = { kind: 'customer', externalId, attributes };
  const agent = { kind: 'agent', externalId: unique('agent'), displayName: 'Ada' };
  const make = async (...participants: object[]) => {
    const body = { externalRef: unique('case'), participants: [agent, ...participants] };
    const { body: chat } = await running.api.post('/v1/conversations', body, 201, key());
    const [ada, bob] = chat.participants;
    return { ...chat, path: `/v1/conversations/${chat.id}`, ada, bob } as Chat;
  };
  const open = await make(inChat);
  await running.api.post(
    `${open.path}/messages`,
    { author: externalId, body: `I am ${displayName}` },
    201,
    key(),
  );
  await running.api.patch(
    `${open.path}/participants/${externalId}`,
    { attributes: { ...attributes, n: 1 } },
    200,
  );
  const sms = await make({ ...who });
  await running.sandbox.control('POST', '/sandbox/inbound', {
    from: address,
    to: proxyAddress,
    body: 'It is me',
  });
  await running.api.delete(`${sms.path}/participants/${sms.bob.id}`, 204);
  await running.api.post(`${sms.path}/participants`, who, 201, key());
  const closed = await make(inChat);
  await say(closed, externalId, `${displayName} was here`);
  await running.api.post(`${closed.path}/close`, {}, 200, key());
  const quiet = await make({ ...who, address: addressPair().address, proxyAddress });
  await running.api.post(`${quiet.path}/close`, {}, 200);
  const left = await make(inChat);
  await running.api.delete(`${left.path}/participants/${externalId}`, 204);
  const gone = await make(inChat);
  await running.api.delete(gone.path, 204);
  const failing = { participants: [agent, inChat, { address: '+15005550001', proxyAddress }] };
  await running.api.post('/v1/conversations', failing, 422, key());
  await running.api.post(`/v1/identities/${identity.id}/suspend`, undefined, 200, key());
  await running.api.post(`/v1/identities/${identity.id}/reinstate`, undefined, 200, key());
  await running.api.post(`${left.path}/participants`, inChat, 201, key());
  return { who, identity, open, sms, closed, quiet, left };
}

describe('POST /v1/identities/{identity}/erase', () => {
  it('delete: name, number and externalId are in no table and nowhere at Twilio any more', async () => {
    const { who, identity, closed, quiet, open } = await traces();
    const traced = [who.displayName, who.address, who.externalId, who.attributes.mark];
    for (const trace of traced) expect(await placesOf(running, trace)).not.toEqual([]);
    const { body } = await erase(identity.id, 'delete');
    for (const trace of traced) expect(await placesOf(running, trace)).toEqual([]);
    // Closed conversations with his words, or his number, went whole; the open one is there without him.
    for (const chat of [closed, quiet]) expectProblem(await running.api.get(chat.path, 404), 'not_found');
    expect(await namesIn(running, open)).toEqual(['Ada']);
    expect(await said(open)).toEqual([]);
    expect(counted(body, 'conversations')).toBe(2);
    expect(counted(body, 'messages')).toBe(3);
    expect(counted(body, 'user')).toBe(1);
  });

  it('keep: others’ words stay, his own lose author and body; what is closed is listed', async () => {
    const { who, identity, closed, open, sms, quiet } = await traces();
    await say(open, open.ada.id, 'Hello');
    const { body } = await erase(identity.id);
    expect(await said(open)).toEqual(['erased: [erased]', `${open.ada.identity!.twilioIdentity}: Hello`]);
    expect(await said(sms)).toEqual(['erased: [erased]']);
    expect(body.items.filter(({ where }) => where.startsWith('kept'))).toEqual(
      expect.arrayContaining([
        { where: `kept: ${closed.path}/messages`, count: 1 },
        { where: `kept: ${quiet.path}/participants`, count: 1 },
      ]),
    );
    expect(await said(closed)).toEqual([`${identity.twilioIdentity}: ${who.displayName} was here`]);
    const { body: list } = await running.api.get(`${open.path}/messages`, 200);
    expect(list.data.map((message: { author: object }) => message.author)).toContainEqual({
      type: 'identity',
    });
    const { body: transcript } = await running.api.get(`${open.path}/transcript`, 200);
    expect(transcript.messages.map((message: { author: object }) => message.author)).toContainEqual({
      type: 'identity',
      kind: null,
      erased: true,
    });
    expect(await placesOf(running, who.externalId)).toEqual([]);
  });

  it('200 with the receipt: the hash is that of the rest, and a repeat gets the same bytes', async () => {
    const chat = await provision(running.api);
    const { id } = chat.bob.identity!;
    const first = await erase(id);
    const { hash, ...content } = first.body;
    expect(content).toMatchObject({ identityId: id, erasedAt: expect.any(String) as string });
    expect(createHash('sha256').update(sorted(content)).digest('hex')).toBe(hash);
    expect(counted(first.body, 'participants')).toBe(1);
    const again = await erase(id, 'delete');
    expect(again.text).toBe(first.text);
    expect(await namesIn(running, chat)).toEqual(['Ada']);
  });

  it('leaves a nameless identity; its externalId is free for a new one', async () => {
    const { bob } = await provision(running.api);
    const { id, externalId } = bob.identity!;
    await erase(id);
    const { body } = await running.api.get(`/v1/identities/${id}`, 200);
    expect(body).toMatchObject({
      status: 'erased',
      externalId: null,
      displayName: null,
      twilioSid: null,
      attributes: {},
      addresses: [],
    });
    const next = await provision(running.api, {
      participants: [{ kind: 'customer', externalId, displayName: 'Bo' }],
    });
    expect(next.participants[0]!.identity).toMatchObject({ externalId, displayName: 'Bo' });
    expect(next.participants[0]!.identity!.id).not.toBe(id);
    await erase(next.participants[0]!.identity!.id);
  });

  it('from then on: no token, no change, no conversation, nothing said for the person', async () => {
    const { path, bob } = await provision(running.api);
    const { id } = bob.identity!;
    await erase(id);
    const refused = [
      await running.api.post('/v1/tokens', { identityId: id }, 403),
      await running.api.patch(`/v1/identities/${id}`, { displayName: 'Bob' }, 403),
      await running.api.put(`/v1/identities/${id}/service-role`, { role: 'service user' }, 403),
      await running.api.post(`${path}/participants`, { identityId: id }, 403),
    ];
    for (const answer of refused) expectProblem(answer, 'identity_suspended');
    expectProblem(
      await running.api.post(`${path}/messages`, { author: bob.id, body: 'x' }, 404),
      'participant_not_found',
    );
  });

  it('410 answer_erased for a repeat of what held the person, and nothing is done', async () => {
    const headers = { 'idempotency-key': randomUUID() };
    const body = { participants: [{ kind: 'customer', externalId: unique('cust'), displayName: 'Bob' }] };
    const made = { kind: 'agent', externalId: unique('agent') };
    const { body: chat } = await running.api.post('/v1/conversations', body, 201, { headers });
    const { body: known } = await running.api.post('/v1/identities', made, 201, { headers });
    const standing = `/v1/identities/${known.id}`;
    for (const what of ['suspend', 'reinstate'])
      await running.api.post(`${standing}/${what}`, undefined, 200, { headers });
    await erase(chat.participants[0].identity.id);
    await erase(known.id);
    const before = await running.sandbox.state();
    for (const [path, sent] of [
      ['/v1/conversations', body],
      ['/v1/identities', made],
      [`${standing}/suspend`, undefined],
      [`${standing}/reinstate`, undefined],
    ] as const)
      expectProblem(await running.api.post(path, sent, 410, { headers }), 'answer_erased');
    expect(await running.sandbox.state()).toEqual(before);
  });

  it('does not blank what was answered to others in the same conversation', async () => {
    const chat = await provision(running.api);
    const headers = { 'idempotency-key': randomUUID() };
    const sent = { author: chat.ada.id, body: 'Hello' };
    const first = await running.api.post(`${chat.path}/messages`, sent, 201, { headers });
    await erase(chat.bob.identity!.id);
    const again = await running.api.post(`${chat.path}/messages`, sent, 201, { headers });
    expect(again.text).toBe(first.text);
  });

  it('the same bytes for the same Idempotency-Key; 422 with another body', async () => {
    const { bob } = await provision(running.api);
    const headers = { 'idempotency-key': randomUUID() };
    const first = await erase(bob.identity!.id, 'keep', { headers });
    expect((await erase(bob.identity!.id, 'keep', { headers })).text).toBe(first.text);
    const path = `/v1/identities/${bob.identity!.id}/erase`;
    expectProblem(
      await running.api.post(path, { messages: 'delete' }, 422, { headers }),
      'idempotency_key_reused',
    );
  });

  it('202 where it takes longer than the caller waits; a repeat waits for the same erasure', async () => {
    const chat = await provision(running.api);
    const { id, externalId } = chat.bob.identity!;
    await running.sandbox.fault(
      { method: 'DELETE', times: 1 },
      { type: 'delay', ms: 600, applied: 'before' },
    );
    const path = `/v1/identities/${id}/erase`;
    const headers = { prefer: 'respond-async' };
    const async = await running.api.post(path, {}, 202, { headers });
    expect(async.body).toMatchObject({ id, status: 'erased', externalId: null });
    expect(async.headers['location']).toBe(`/v1/identities/${id}`);
    const [one, other] = await Promise.all([erase(id), erase(id, 'delete')]);
    expect(one.text).toBe(other.text);
    expect(await placesOf(running, externalId)).toEqual([]);
  });

  it('400 for another word, 403 missing_scope, 404 for another chat service and for nobody', async () => {
    const { bob } = await provision(running.api);
    const path = `/v1/identities/${bob.identity!.id}/erase`;
    expectInvalid(await running.api.post(path, { messages: 'some' }, 400), 'messages');
    expectInvalid(await running.api.post(path, { mesages: 'keep' }, 400), 'mesages');
    const writer = await callerWith(running.api, 'identities:write');
    expectProblem(await writer.post(path, {}, 403), 'missing_scope');
    const { admin } = await otherService(running.api);
    expectProblem(await admin.post(path, {}, 404), 'not_found');
    expectProblem(await running.api.post(`/v1/identities/${NOBODYS_ID}/erase`, {}, 404), 'not_found');
    expect((await running.api.get(`/v1/identities/${bob.identity!.id}`, 200)).body.status).toBe('active');
  });
});

/** JSON with the keys of every object in order, as the documents describe it. */
function sorted(value: unknown): string {
  return JSON.stringify(value, (_, member: unknown) =>
    member !== null && typeof member === 'object' && !Array.isArray(member)
      ? Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1)))
      : member,
  );
}
