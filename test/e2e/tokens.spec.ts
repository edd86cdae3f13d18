import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { ConversationResponse } from '../../src/conversations/conversation.dto.js';
import type { IdentityResponse } from '../../src/identities/identity.dto.js';
import type { TokenResponse } from '../../src/tokens/token.dto.js';
import { otherService } from '../support/access.js';
import { unique, useApp } from '../support/app.js';
import { addressPair, supportChat } from '../support/chats.js';
import { expectInvalid, expectProblem } from '../support/problems.js';

const running = useApp();

const path = '/v1/tokens';

async function person(): Promise<IdentityResponse> {
  const body = { kind: 'customer', externalId: unique('cust'), displayName: 'Bob' };
  return (await running.api.post<IdentityResponse>('/v1/identities', body, 201)).body;
}

async function chatOf(participant: object): Promise<ConversationResponse> {
  const body = { ...supportChat(), participants: [participant] };
  return (await running.api.post<ConversationResponse>('/v1/conversations', body, 201)).body;
}

const mint = async (body: object) => (await running.api.post<TokenResponse>(path, body, 201)).body;

interface Claims {
  jti: string;
  iss: string;
  sub: string;
  iat: number;
  exp: number;
  grants: { identity: string; chat: { service_sid: string; push_credential_sid?: string } };
}

/** The parts of a JWT whose signature the secret makes; written down here on purpose, without a library. */
function verified(token: string, secret: string): { header: unknown; claims: Claims } {
  const [header = '', payload = '', signature] = token.split('.');
  expect(signature).toBe(createHmac('sha256', secret).update(`${header}.${payload}`).digest('base64url'));
  const read = (part: string): unknown => JSON.parse(Buffer.from(part, 'base64url').toString());
  return { header: read(header), claims: read(payload) as Claims };
}

describe('POST /v1/tokens', () => {
  it("201: answers a JWT that the key's secret verifies, with Twilio's header and grants", async () => {
    const identity = await person();
    const body = await mint({ identityId: identity.id });
    const { accountSid, apiKeySid, apiKeySecret, chatServiceSid } = running.sandbox.config;
    const { header, claims } = verified(body.token, apiKeySecret);
    expect(header).toEqual({ alg: 'HS256', typ: 'JWT', cty: 'twilio-fpa;v=1' });
    expect(claims).toEqual({
      jti: `${apiKeySid}-${claims.iat}`,
      iss: apiKeySid,
      sub: accountSid,
      iat: claims.iat,
      exp: claims.iat + 3600,
      grants: { identity: identity.twilioIdentity, chat: { service_sid: chatServiceSid } },
    });
    expect(Math.abs(claims.iat - Date.now() / 1000)).toBeLessThan(60);
  });

  it('201: says whose token it is, of which service, and when it ends', async () => {
    const { id, externalId, displayName, twilioIdentity } = await person();
    const body = await mint({ externalId });
    expect(body).toEqual({
      token: expect.any(String) as string,
      tokenType: 'twilio-access-token',
      identity: { id, externalId, displayName, twilioIdentity },
      chatServiceSid: running.sandbox.config.chatServiceSid,
      expiresAt: expect.any(String) as string,
      refreshAfter: expect.any(String) as string,
      session: null,
    });
    const { claims } = verified(body.token, running.sandbox.config.apiKeySecret);
    expect(Date.parse(body.expiresAt)).toBe(claims.exp * 1000);
  });

  it('201: Twilio takes the token for this person and service', async () => {
    const identity = await person();
    const { token, expiresAt } = await mint({ identityId: identity.id });
    expect(await running.sandbox.control('POST', '/sandbox/tokens/verify', { token })).toEqual({
      valid: true,
      identity: identity.twilioIdentity,
      serviceSid: running.sandbox.config.chatServiceSid,
      expiresAt: new Date(expiresAt).toISOString(),
      reason: null,
    });
  });

  it('201: a token of another service is good for that service', async () => {
    const { id, admin } = await otherService(running.api);
    const { body: service } = await running.api.get<{ twilioSid: string }>(`/v1/services/${id}`, 200);
    await admin.post('/v1/identities', { kind: 'agent', externalId: 'ada' }, 201);
    const { body } = await admin.post<TokenResponse>(path, { externalId: 'ada' }, 201);
    expect(body.chatServiceSid).toBe(service.twilioSid);
    const { claims } = verified(body.token, running.sandbox.config.apiKeySecret);
    expect(claims.grants.chat.service_sid).toBe(service.twilioSid);
  });

  it('201: asks Twilio for nothing and writes nothing', async () => {
    const { id } = await person();
    const last = await running.sandbox.last();
    const rows = () => running.sql('select count(*) from wishes');
    const before = await rows();
    await running.api.post(path, { identityId: id }, 201, { headers: { 'idempotency-key': unique('k') } });
    expect(await rows()).toEqual(before);
    expect(await running.sandbox.requestsBesideRoles(last)).toEqual([]);
  });

  it('201: no cache keeps the answer', async () => {
    const { id } = await person();
    const response = await running.api.post(path, { identityId: id }, 201);
    expect(response.headers['cache-control']).toBe('no-store');
  });

  it('201: carries the push credential of the device', async () => {
    const { id } = await person();
    const pushCredentialSid = `CR${'0'.repeat(32)}`;
    const { token } = await mint({ identityId: id, pushCredentialSid });
    const { claims } = verified(token, running.sandbox.config.apiKeySecret);
    expect(claims.grants.chat.push_credential_sid).toBe(pushCredentialSid);
  });

  it.each([180, 181, 900, 3600, 86_400])('201: lives %d seconds when asked to', async (ttlSeconds) => {
    const { id } = await person();
    const body = await mint({ identityId: id, ttlSeconds });
    const { claims } = verified(body.token, running.sandbox.config.apiKeySecret);
    expect(claims.exp - claims.iat).toBe(ttlSeconds);
    const refreshAfter = Date.parse(body.refreshAfter) / 1000;
    // With half a minute for the request: a clock that is a minute slow comes in time, one that is a minute fast does
    // not come at once.
    expect(refreshAfter - 60 - claims.iat).toBeGreaterThanOrEqual(30);
    expect(claims.exp - refreshAfter - 60).toBeGreaterThanOrEqual(30);
  });

  it.each([179, 0, -1, 86_401, 900.5, '900', null, true, [900], {}, 1e21])(
    '400: a life of %j is refused',
    async (ttlSeconds) => {
      const { id } = await person();
      expectInvalid(await running.api.post(path, { identityId: id, ttlSeconds }, 400), 'ttlSeconds');
    },
  );

  it.each([
    ['externalId', {}],
    ['externalId', { externalId: 'x', identityId: '01890000-0000-7000-8000-000000000000' }],
    ['externalId', { externalId: '' }],
    ['externalId', { externalId: 7 }],
    ['externalId', { externalId: null }],
    ['externalId', { externalId: `US${'0'.repeat(32)}` }],
    ['identityId', { identityId: 'x' }],
    ['identityId', { identityId: null }],
    ['pushCredentialSid', { externalId: 'x', pushCredentialSid: 'CR1' }],
    ['session', { externalId: 'x', session: null }],
    ['session', { externalId: 'x', session: true }],
    ['session', { externalId: 'x', session: [] }],
    ['session.ttlSeconds', { externalId: 'x', session: { ttlSeconds: 299 } }],
    ['session.ttlSeconds', { externalId: 'x', session: { ttlSeconds: 2_592_001 } }],
    ['session.ttlSeconds', { externalId: 'x', session: { ttlSeconds: '3600' } }],
    ['session.ttlSeconds', { externalId: 'x', session: { ttlSeconds: 3600.5 } }],
    ['session.ttlSeconds', { externalId: 'x', session: { ttlSeconds: null } }],
    ['session.refreshToken', { externalId: 'x', session: { refreshToken: 'x' } }],
    ['conversationId', { externalId: 'x', conversationId: 'x' }],
    ['conversationId', { externalId: 'x', conversationId: `IS${'0'.repeat(32)}` }],
    ['identity', { externalId: 'x', identity: 'somebody' }],
  ])('400: %s may not be as in %j', async (field, body) => {
    expectInvalid(await running.api.post(path, body, 400), field);
  });

  it('404: a person whom nobody made known', async () => {
    const bodies = [{ externalId: unique('none') }, { identityId: '01890000-0000-7000-8000-000000000000' }];
    for (const body of bodies) expectProblem(await running.api.post(path, body, 404), 'not_found');
  });

  it('404: a person of another service, by either name', async () => {
    const { id, externalId } = await person();
    const { admin } = await otherService(running.api);
    expectProblem(await admin.post(path, { identityId: id }, 404), 'not_found');
    expectProblem(await admin.post(path, { externalId }, 404), 'not_found');
  });

  it.each(['suspended', 'erased'])('403: a %s person gets no token', async (status) => {
    const { id } = await person();
    await running.sql('update identities set status = $1 where id = $2', [status, id]);
    expectProblem(await running.api.post(path, { identityId: id }, 403), 'identity_suspended');
  });
});

describe('POST /v1/tokens for a conversation', () => {
  it('201: who is in it gets one, by its id or its CH sid', async () => {
    const { id: identityId } = await person();
    const chat = await chatOf({ identityId });
    for (const conversationId of [chat.id, chat.id.toUpperCase(), chat.twilioSid]) {
      expect((await mint({ identityId, conversationId })).identity.id).toBe(identityId);
    }
  });

  it('404 participant_not_found: who is not in it, or only by an address, gets none', async () => {
    const { id: stranger } = await person();
    const { id: byPhone } = await person();
    const chat = await chatOf({ identityId: byPhone, ...addressPair() });
    for (const identityId of [stranger, byPhone]) {
      const response = await running.api.post(path, { identityId, conversationId: chat.id }, 404);
      expectProblem(response, 'participant_not_found');
    }
  });

  it('404: a conversation that is not there, or belongs to another service', async () => {
    const { id: identityId } = await person();
    const chat = await chatOf({ identityId });
    const { admin } = await otherService(running.api);
    await admin.post('/v1/identities', { kind: 'agent', externalId: 'ada' }, 201);
    const none = [`CH${'0'.repeat(32)}`, '01890000-0000-7000-8000-000000000000'];
    for (const conversationId of none) {
      expectProblem(await running.api.post(path, { identityId, conversationId }, 404), 'not_found');
    }
    const foreign = { externalId: 'ada', conversationId: chat.id };
    expectProblem(await admin.post(path, foreign, 404), 'not_found');
  });

  it('409: a closed conversation is over', async () => {
    const { id: identityId } = await person();
    const chat = await chatOf({ identityId });
    await running.sql(`update conversations set state = 'closed' where id = $1`, [chat.id]);
    const response = await running.api.post(path, { identityId, conversationId: chat.id }, 409);
    expectProblem(response, 'conversation_closed');
  });

  it('409: a conversation that could not be provisioned gives none', async () => {
    const { id: identityId } = await person();
    await running.sandbox.fault(
      { method: 'POST', path: '/Participants', times: 1 },
      {
        type: 'status',
        status: 400,
        code: 50209,
      },
    );
    const body = { ...supportChat(), participants: [{ identityId }] };
    const refused = await running.api.post<{ conversation: { id: string } }>('/v1/conversations', body, 422);
    const conversationId = refused.body.conversation.id;
    const response = await running.api.post(path, { identityId, conversationId }, 409);
    expectProblem(response, 'conversation_failed');
  });
});
