import { describe, expect, it } from 'vitest';
import type { ChatServiceResponse } from '../../src/chat-services/chat-service.dto.js';
import type { ConversationResponse } from '../../src/conversations/conversation.dto.js';
import { otherService } from '../support/access.js';
import type { Answer } from '../support/api-client.js';
import { unique, useApp } from '../support/app.js';
import { expectInvalid, expectProblem } from '../support/problems.js';

const running = useApp({ JWKS_ALLOWED_PRIVATE_HOSTS: '127.0.0.1:4999' });

const path = '/v1/services';

const make = async () =>
  (await running.api.post<ChatServiceResponse>(path, { friendlyName: unique('service') }, 201)).body;

const etagOf = (answer: Answer<unknown>) => String(answer.headers['etag']);

describe('PATCH /v1/services/{id}', () => {
  it('200: default timers hold for conversations that come without their own', async () => {
    const { id, admin } = await otherService(running.api);
    const defaultTimers = { inactive: 'PT2H', closed: 'P2D' };
    const { body } = await admin.patch<ChatServiceResponse>(`${path}/${id}`, { defaultTimers }, 200);
    expect(body.defaultTimers).toEqual(defaultTimers);
    const provision = async (more: object) => {
      const participants = [{ kind: 'bot', externalId: unique('bot') }];
      const chat = { participants, ...more };
      return (await admin.post<ConversationResponse>('/v1/conversations', chat, 201)).body.timers;
    };
    expect(await provision({})).toEqual(defaultTimers);
    expect(await provision({ timers: { inactive: 'PT1H' } })).toEqual({ inactive: 'PT1H', closed: null });
  });

  it('200: a key left out stays, null clears', async () => {
    const { id } = await make();
    const patch = async (body: object) =>
      (await running.api.patch<ChatServiceResponse>(`${path}/${id}`, body, 200)).body.defaultTimers;
    await patch({ defaultTimers: { inactive: 'PT1H', closed: 'P1D' } });
    expect(await patch({})).toEqual({ inactive: 'PT1H', closed: 'P1D' });
    expect(await patch({ defaultTimers: { closed: 'P2D' } })).toEqual({ inactive: 'PT1H', closed: 'P2D' });
    expect(await patch({ defaultTimers: { inactive: null } })).toEqual({ inactive: null, closed: 'P2D' });
    expect(await patch({ defaultTimers: null })).toBeNull();
  });

  const exchange = {
    issuer: 'https://login.example.com',
    audience: 'support-chat',
    jwksUrl: 'https://login.example.com/keys',
  };
  const whole = { ...exchange, externalIdClaim: 'sub', createIdentities: false };

  it('200: tokenExchange is replaced whole, with defaults for what is left out, and null clears it', async () => {
    const { id, admin } = await otherService(running.api);
    const patch = async (body: object) => (await admin.patch(`${path}/${id}`, body, 200)).body.tokenExchange;
    const more = { externalIdClaim: 'employee', createIdentities: true };
    expect(await patch({ tokenExchange: { ...exchange, ...more } })).toEqual({ ...whole, ...more });
    expect(await patch({})).toEqual({ ...whole, ...more });
    expect(await patch({ tokenExchange: exchange })).toEqual(whole);
    const read = await admin.get<ChatServiceResponse>(`${path}/${id}`, 200);
    expect(Object.keys(read.body.tokenExchange ?? {})).toEqual(Object.keys(whole));
    expect(await patch({ tokenExchange: null })).toBeNull();
  });

  it('200: tokenExchange may name a private host, by http too, where JWKS_ALLOWED_PRIVATE_HOSTS has it', async () => {
    const { id } = await make();
    const tokenExchange = { ...exchange, jwksUrl: 'http://127.0.0.1:4999/keys' };
    const { body } = await running.api.patch(`${path}/${id}`, { tokenExchange }, 200);
    expect(body.tokenExchange).toEqual({ ...whole, ...tokenExchange });
  });

  it('200: whether names are shared is kept, and a key left out stays', async () => {
    const { id } = await make();
    const patch = async (body: object) =>
      (await running.api.patch<ChatServiceResponse>(`${path}/${id}`, body, 200)).body.shareDisplayNames;
    expect(await patch({ shareDisplayNames: true })).toBe(true);
    expect(await patch({ defaultTimers: null })).toBe(true);
    expect(await patch({ shareDisplayNames: false })).toBe(false);
  });

  it.each([
    ['shareDisplayNames', { shareDisplayNames: 'yes' }],
    ['shareDisplayNames', { shareDisplayNames: null }],
    ['tokenExchange', { tokenExchange: 'https://login.example.com' }],
    ['tokenExchange', { tokenExchange: [] }],
    ['tokenExchange.issuer', { tokenExchange: { ...whole, issuer: undefined } }],
    ['tokenExchange.issuer', { tokenExchange: { ...whole, issuer: 'x'.repeat(2049) } }],
    ['tokenExchange.audience', { tokenExchange: { ...whole, audience: ['a'] } }],
    ['tokenExchange.jwksUrl', { tokenExchange: { ...whole, jwksUrl: 'http://login.example.com/keys' } }],
    ['tokenExchange.jwksUrl', { tokenExchange: { ...whole, jwksUrl: '/keys' } }],
    ['tokenExchange.jwksUrl', { tokenExchange: { ...whole, jwksUrl: 'https://169.254.169.254/keys' } }],
    ['tokenExchange.jwksUrl', { tokenExchange: { ...whole, jwksUrl: 'http://127.0.0.1:4998/keys' } }],
    ['tokenExchange.externalIdClaim', { tokenExchange: { ...whole, externalIdClaim: '' } }],
    ['tokenExchange.externalIdClaim', { tokenExchange: { ...whole, externalIdClaim: 'x'.repeat(256) } }],
    ['tokenExchange.createIdentities', { tokenExchange: { ...whole, createIdentities: 'yes' } }],
    ['tokenExchange.secret', { tokenExchange: { ...whole, secret: 'x' } }],
    ['defaultTimers', { defaultTimers: [] }],
    ['defaultTimers.inactive', { defaultTimers: { inactive: 'PT59S' } }],
    ['defaultTimers.closed', { defaultTimers: { closed: 'PT9M' } }],
    ['defaultTimers.closed', { defaultTimers: { closed: 'P1M' } }],
    ['defaultTimers.nap', { defaultTimers: { nap: 'PT1H' } }],
    ['friendlyName', { friendlyName: 'Twilio cannot rename one' }],
    ['twilioSid', { twilioSid: `IS${'0'.repeat(32)}` }],
  ])('400: refuses %s as in %j', async (field, body) => {
    const { id } = await make();
    expectInvalid(await running.api.patch(`${path}/${id}`, body, 400), field);
  });

  it('412: a change built on what has changed since is refused, and changes nothing', async () => {
    const { id } = await make();
    const patch = (status: number, inactive: string, etag: string) =>
      running.api.patch(`${path}/${id}`, { defaultTimers: { inactive } }, status, {
        headers: { 'if-match': etag },
      });
    const read = await running.api.get(`${path}/${id}`, 200);
    const changed = await patch(200, 'PT1H', etagOf(read));
    expectProblem(await patch(412, 'PT2H', etagOf(read)), 'precondition_failed');
    const now = await running.api.get<ChatServiceResponse>(`${path}/${id}`, 200);
    expect(now.body).toMatchObject({ defaultTimers: { inactive: 'PT1H', closed: null } });
    expect(etagOf(now)).toBe(etagOf(changed));
    await patch(200, 'PT2H', etagOf(changed));
  });
});
