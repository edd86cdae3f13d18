import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { callerWith, otherService } from '../support/access.js';
import { useApp } from '../support/app.js';
import { provision, type Chat } from '../support/chats.js';
import { clear, drift, findings, whenAtRest } from '../support/drift.js';
import { eventually } from '../support/eventually.js';

const test = useApp({ LEASE_MS: '3000', TWILIO_CALL_TIMEOUT_MS: '1500' });
const { sandbox } = test;

let chat: Chat;
const atTwilio = (): string => `/v1/Conversations/${chat.twilioSid}`;
const post = (path: string, form: Record<string, string>) =>
  sandbox.write('POST', path, Object.entries(form));

beforeEach(async () => void (chat = await provision(test.api)));
afterEach(async () => {
  await sandbox.clearFaults();
  await clear(test);
});

describe('GET /v1/drift', () => {
  it('200: says nothing of what is being changed, but that it is in motion', async () => {
    const fault = { type: 'status', status: 429, code: 20429, retryAfterSeconds: 3600 };
    await sandbox.fault({ method: 'POST', path: `/Conversations/${chat.twilioSid}$` }, fault);
    const options = { headers: { prefer: 'wait=0' } };
    await test.api.patch(chat.path, { friendlyName: 'x' }, 202, options);
    await sandbox.write('DELETE', `${atTwilio()}/Participants/${chat.bob.twilioSid}`);
    const [page] = await drift(test.api);
    expect(page).toMatchObject({ part: 'conversations', data: [], checked: 0, inMotion: [chat.id] });
    const [repaired] = await drift(test.api, { repair: {} });
    expect(repaired).toMatchObject({ data: [], inMotion: [chat.id] });
    await sandbox.clearFaults();
    await test.api.post(`${chat.path}/reconcile`, undefined, 200);
    expect(await whenAtRest(test.api)).toMatchObject([{ kind: 'participant_missing' }]);
  });

  it('200: shows and touches nothing of another chat service', async () => {
    const { admin } = await otherService(test.api);
    await eventually(() => provision(admin));
    await post(atTwilio(), { State: 'closed' });
    expect(await findings(admin)).toEqual([]);
    expect(await findings(admin, { repair: { deleteOrphans: true } })).toEqual([]);
    expect(await findings(test.api)).toHaveLength(1);
    await admin.post('/v1/drift/repair', { conversations: [chat.id] }, 404);
  });

  it('200: attributes that no row can hold are shown, and left', async () => {
    await post(atTwilio(), { Attributes: '[1]' });
    expect(await findings(test.api)).toMatchObject([{ twilio: '[1]', repair: 'none' }]);
    const left = { kind: 'conversation_attributes', repair: 'none', outcome: 'left' };
    expect(await findings(test.api, { repair: {} })).toMatchObject([left]);
  });

  it('200: a timer that the account gives to all is no drift', async () => {
    await post('/v1/Configuration', { DefaultClosedTimer: 'P7D' });
    chat = await provision(test.api);
    expect(await sandbox.twilio(atTwilio())).toMatchObject({ timers: { date_closed: expect.any(String) } });
    expect(await findings(test.api)).toEqual([]);
    await post('/v1/Configuration', { DefaultClosedTimer: 'PT0S' });
    expect(await findings(test.api)).toMatchObject([{ kind: 'conversation_timers', repair: 'update' }]);
  });

  it('200: nor is one of which our API key may not know', async () => {
    await post(atTwilio(), { 'Timers.Closed': 'PT10M' });
    const forbidden = { type: 'status', status: 403, code: 20403 };
    await sandbox.fault({ method: 'GET', path: '/Configuration$' }, forbidden);
    expect(await findings(test.api)).toEqual([]);
  });

  it('400: a cursor that is none, a limit out of bounds', async () => {
    await test.api.get('/v1/drift?cursor=x', 400);
    await test.api.get(`/v1/drift?cursor=${Buffer.from('orphans nonsense').toString('base64url')}`, 400);
    await test.api.get(`/v1/drift?cursor=${Buffer.from('orphans 1 PTx').toString('base64url')}`, 400);
    await test.api.get('/v1/drift?limit=101', 400);
  });

  it('403: without the scope admin', async () => {
    const caller = await callerWith(test.api, 'conversations:read', 'conversations:write');
    const { body } = await caller.get('/v1/drift', 403);
    expect(body.code).toBe('missing_scope');
  });

  const TROUBLES = [
    [401, 20003, 502, 'upstream_auth_failed'],
    [500, null, 502, 'upstream_unavailable'],
    [429, 20429, 503, 'upstream_rate_limited'],
  ] as const;
  it.each(TROUBLES)('Twilio’s %i, code %s: %i %s', async (status, code, answered, name) => {
    const fault = { type: 'status', status, ...(code && { code }) };
    await sandbox.fault({ method: 'GET', path: '/Conversations/', times: 100 }, fault);
    const { body } = await test.api.get('/v1/drift', answered);
    expect(body.code).toBe(name);
  });

  it('502: a chat service that is gone is not taken for conversations that are', async () => {
    const { id, admin } = await otherService(test.api);
    await eventually(() => provision(admin));
    const { body: service } = await test.api.get(`/v1/services/${id}`, 200);
    await sandbox.write('DELETE', `/v1/Services/${service.twilioSid}`);
    const { body } = await admin.get('/v1/drift', 502);
    expect(body).toMatchObject({
      code: 'upstream_unavailable',
      detail: expect.stringContaining('chat service'),
    });
    await admin.post('/v1/drift/repair', {}, 502);
  });
});
