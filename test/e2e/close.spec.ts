import { randomUUID } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { callerWith, otherService } from '../support/access.js';
import { useApp } from '../support/app.js';
import { addressPair, contentsOf, provision, supportChat, type Chat } from '../support/chats.js';
import { eventually } from '../support/eventually.js';
import { FAULTS } from '../support/faults.js';
import { expectInvalid, expectProblem } from '../support/problems.js';

const running = useApp({ TWILIO_CALL_TIMEOUT_MS: '500', LEASE_MS: '1500' });

afterEach(() => running.sandbox.clearFaults());

const farewell = { systemMessage: { body: 'Good bye.', attributes: { last: true } } };
const stateOf = async ({ twilioSid }: Chat) =>
  (await running.sandbox.twilio<{ state: string }>(`/v1/Conversations/${twilioSid}`)).state;
const textsOf = async ({ twilioSid }: Chat) =>
  (await contentsOf(running.sandbox, twilioSid)).messages.slice(1).map(({ body }) => body);

describe('POST /v1/conversations/{conversation}/close', () => {
  it('200: closes it, here and at Twilio; the body may be left out', async () => {
    const [chat, other] = [await provision(running.api), await provision(running.api)];
    const { body, headers } = await running.api.post(`${chat.path}/close`, {}, 200);
    expect(body).toMatchObject({ id: chat.id, state: 'closed', participants: chat.participants });
    expect(headers['location']).toBe(chat.path);
    expect(await stateOf(chat)).toBe('closed');
    expect((await running.api.get(chat.path, 200)).body).toEqual(body);
    await running.api.post(`/v1/conversations/${other.twilioSid}/close`, undefined, 200);
    expect(await stateOf(other)).toBe('closed');
  });

  it('200: the last word is said before it is closed', async () => {
    const chat = await provision(running.api);
    const since = await running.sandbox.last();
    await running.api.post(`${chat.path}/close`, farewell, 200);
    const calls = (await running.sandbox.requests(since)).map(({ method, path }) => `${method} ${path}`);
    expect(calls.map((call) => call.replace(/^(\w+) .*\/(\w+)$/, '$1 $2'))).toEqual([
      'POST Messages',
      `POST ${chat.twilioSid}`,
    ]);
    const { messages } = await contentsOf(running.sandbox, chat.twilioSid);
    expect(messages.at(-1)).toMatchObject({ author: 'system', body: 'Good bye.' });
    expect(JSON.parse(messages.at(-1)?.attributes ?? '')).toMatchObject({ last: true });
  });

  it('200: closing a closed one is done already, and says nothing', async () => {
    const chat = await provision(running.api);
    const { body: closed } = await running.api.post(`${chat.path}/close`, {}, 200);
    const since = await running.sandbox.last();
    const { body: again } = await running.api.post(`${chat.path}/close`, farewell, 200);
    expect(again).toEqual(closed);
    expect(await running.sandbox.requestsBesideRoles(since)).toEqual([]);
  });

  it.each([
    ['with a last word', farewell],
    ['without', {}],
  ])('200: also one that Twilio has closed meanwhile, %s', async (_, body) => {
    const chat = await provision(running.api);
    await running.sandbox.write('POST', `/v1/Conversations/${chat.twilioSid}`, [['State', 'closed']]);
    const { body: closed } = await running.api.post(`${chat.path}/close`, body, 200);
    expect(closed.state).toBe('closed');
    expect(await textsOf(chat)).toEqual([]);
  });

  it('200 for all who close it at once, with one last word at most each', async () => {
    const chat = await provision(running.api);
    const answers = await Promise.all(
      Array.from({ length: 5 }, () => running.api.post(`${chat.path}/close`, farewell, 200)),
    );
    for (const { body } of answers) expect(body.state).toBe('closed');
    expect(await textsOf(chat)).toEqual(['Good bye.']);
  });

  it('200 for a second close that queues behind what the first one ends', async () => {
    const chat = await provision(running.api);
    await running.sandbox.fault(
      { method: 'POST', path: `${chat.twilioSid}$`, times: 1 },
      { type: 'delay', ms: 400, applied: 'before' },
    );
    const headers = { prefer: 'respond-async' };
    await running.api.post(`${chat.path}/close`, {}, 202, { headers });
    await running.api.post(`${chat.path}/system-messages`, { body: 'too late' }, 202, { headers });
    const { body } = await running.api.post(`${chat.path}/close`, {}, 200);
    expect(body.state).toBe('closed');
    expect(await textsOf(chat)).toEqual([]);
  });

  it('422: a refused last word leaves it open', async () => {
    const chat = await provision(running.api);
    await running.sandbox.fault(
      { method: 'POST', path: '/Messages$' },
      { type: 'status', status: 400, code: 50504 },
    );
    const response = await running.api.post(`${chat.path}/close`, farewell, 422);
    expect(expectProblem(response, 'upstream_refused')).toMatchObject({ twilio: { code: 50504 } });
    expect((await running.api.get(chat.path, 200)).body.state).toBe('active');
    expect(await stateOf(chat)).toBe('active');
    await running.api.post(`${chat.path}/close`, farewell, 200);
  });

  it.each([
    ['an unknown field', { reason: 'x' }, 'reason'],
    ['a last word without text', { systemMessage: {} }, 'systemMessage.body'],
    ['no last word', { systemMessage: null }, 'systemMessage'],
    [
      'the key that is ours',
      { systemMessage: { body: 'x', attributes: { convoke: 1 } } },
      'systemMessage.attributes',
    ],
  ])('400: %s', async (_, body, field) => {
    const chat = await provision(running.api);
    const response = await running.api.post(`${chat.path}/close`, body, 400);
    expect(expectProblem(response, 'validation_failed').errors?.[0]?.field).toBe(field);
    expect(await stateOf(chat)).toBe('active');
  });

  it('400: a last word over 1,600 characters where somebody gets it by SMS', async () => {
    const chat = await provision(running.api);
    await running.api.post(`${chat.path}/participants`, addressPair(), 201);
    const body = { systemMessage: { body: 'x'.repeat(1601) } };
    expectInvalid(await running.api.post(`${chat.path}/close`, body, 400), 'systemMessage.body');
    expect(await stateOf(chat)).toBe('active');
  });

  it('202: with Location, and closed by itself', async () => {
    const chat = await provision(running.api);
    const headers = { prefer: 'respond-async' };
    const response = await running.api.post(`${chat.path}/close`, farewell, 202, { headers });
    // As it is: the work may be done before it is shown.
    expect(response.body.state).toMatch(/^(active|closed)$/);
    expect(response.headers['location']).toBe(chat.path);
    await eventually(async () => expect((await running.api.get(chat.path, 200)).body.state).toBe('closed'));
    expect(await textsOf(chat)).toEqual(['Good bye.']);
  });

  it('409 conversation_failed for one that could not be provisioned', async () => {
    const body = { ...supportChat(), participants: [{ address: '+15005550001' }] };
    const { body: problem } = await running.api.post('/v1/conversations', body, 422);
    const path = `/v1/conversations/${problem.conversation.id}/close`;
    expectProblem(await running.api.post(path, {}, 409), 'conversation_failed');
  });

  it('200 after it has been provisioned, when it comes before', async () => {
    await running.sandbox.fault(
      { method: 'POST', path: '/Participants$', times: 2 },
      { type: 'delay', ms: 400, applied: 'before' },
    );
    const headers = { prefer: 'respond-async' };
    const { body: chat } = await running.api.post('/v1/conversations', supportChat(), 202, { headers });
    const { body } = await running.api.post(`/v1/conversations/${chat.id}/close`, farewell, 200);
    expect(body).toMatchObject({ state: 'closed', participants: [{ state: 'joined' }, { state: 'joined' }] });
    expect(await textsOf(body)).toEqual(['Good bye.']);
  });

  it('403 without conversations:write, 404 for a caller of another chat service', async () => {
    const chat = await provision(running.api);
    const caller = await callerWith(running.api, 'conversations:read', 'messages:write');
    expectProblem(await caller.post(`${chat.path}/close`, {}, 403), 'missing_scope');
    const { admin } = await otherService(running.api);
    expectProblem(await admin.post(`${chat.path}/close`, farewell, 404), 'not_found');
    expect(await stateOf(chat)).toBe('active');
  });
});

describe.each(['/Messages$', '/CH\\w+$'])('When at %s', (path) => {
  it.each(Object.entries(FAULTS))('%s, it is closed after one last word', async (_, fault) => {
    const chat = await provision(running.api);
    await running.sandbox.fault({ method: 'POST', path }, fault);
    const { body } = await running.api.post(`${chat.path}/close`, farewell, 200);
    expect(body.state).toBe('closed');
    expect(await stateOf(chat)).toBe('closed');
    expect(await textsOf(chat)).toEqual(['Good bye.']);
  });
});

describe('Idempotency-Key of POST …/close', () => {
  it('gives the same bytes again; 422 with another body', async () => {
    const chat = await provision(running.api);
    const headers = { 'idempotency-key': randomUUID() };
    const first = await running.api.post(`${chat.path}/close`, farewell, 200, { headers });
    const again = await running.api.post(`${chat.path}/close`, farewell, 200, { headers });
    expect(again.text).toBe(first.text);
    expect(again.headers['location']).toBe(first.headers['location']);
    expect(again.headers['idempotent-replayed']).toBe('true');
    const other = await running.api.post(`${chat.path}/close`, {}, 422, { headers });
    expectProblem(other, 'idempotency_key_reused');
  });

  it('gives the refusal of a last word again, though it would be taken by now', async () => {
    const chat = await provision(running.api);
    const headers = { 'idempotency-key': randomUUID() };
    const refusal = { type: 'status', status: 400, code: 50504 };
    await running.sandbox.fault({ method: 'POST', path: '/Messages$' }, refusal);
    const first = await running.api.post(`${chat.path}/close`, farewell, 422, { headers });
    const again = await running.api.post(`${chat.path}/close`, farewell, 422, { headers });
    expect(again.text).toBe(first.text);
    expect(await stateOf(chat)).toBe('active');
  });
});
