import request from 'supertest';
import { describe, expect, it } from 'vitest';
import type { Scope } from '../../src/access/scopes.js';
import type { ConversationResponse } from '../../src/conversations/conversation.dto.js';
import type { IdentityResponse } from '../../src/identities/identity.dto.js';
import { callerWith, makeKey, otherService } from '../support/access.js';
import { unique, useApp } from '../support/app.js';
import { supportChat } from '../support/chats.js';
import { expectProblem } from '../support/problems.js';
import { sendRaw } from '../support/raw-http.js';
import { NOBODYS_ID as ID, ROUTES, type Method } from '../support/routes.js';

const running = useApp();

const call = (method: Method, path: string, key?: string) => {
  const made = request(running.server)[method](path);
  if (key !== undefined) void made.set('authorization', `Bearer ${key}`);
  return method === 'get' || method === 'delete' ? made : made.send({});
};

describe('authentication', () => {
  it.each(ROUTES)('401: %s %s answers nobody without a key', async (method, path) => {
    const response = await call(method, path);
    expectProblem(response, 'unauthorized');
    expect(response.headers['www-authenticate']).toMatch(/^Bearer /);
  });

  it('401: a key with a wrong secret, of the right form, is refused', async () => {
    const { key } = await makeKey(running.api, ['admin']);
    const forged = key.slice(0, -4) + (key.endsWith('AAAA') ? 'BBBB' : 'AAAA');
    expectProblem(await call('get', '/v1/conversations', forged), 'unauthorized');
  });

  it('401: a key that was revoked is refused from the next request on', async () => {
    const { id, key } = await makeKey(running.api, ['admin']);
    await running.api.get('/v1/conversations', 200, { key });
    await running.api.delete(`/v1/api-keys/${id}`, 204);
    expectProblem(await call('get', '/v1/conversations', key), 'unauthorized');
  });

  it.each([
    ['another scheme', (key: string) => `Basic ${Buffer.from(`x:${key}`).toString('base64')}`],
    ['no scheme', (key: string) => key],
    ['no key', () => 'Bearer'],
    ['something behind it', (key: string) => `Bearer ${key} x`],
    ['another form', () => 'Bearer sk_live_0123456789abcdef0123456789abcdef0123456789'],
    ['a secret that is too short', () => 'Bearer cvk_abc_short'],
    ['a quote that could end a statement', () => `Bearer cvk_a'--_${'x'.repeat(40)}`],
  ])('401: an Authorization header with %s is refused', async (_, header) => {
    const response = await request(running.server)
      .get('/v1/conversations')
      .set('authorization', header(running.api.key));
    expectProblem(response, 'unauthorized');
  });

  it('200: the name of the scheme is taken in any case', async () => {
    const response = await request(running.server)
      .get('/v1/conversations')
      .set('authorization', `bEARER ${running.api.key}`);
    expect(response.status).toBe(200);
  });
});

describe('scopes', () => {
  const scoped = ROUTES.filter(([, , scopes]) => scopes.length > 0);
  const open = ROUTES.filter(([, , scopes]) => scopes.length === 0);

  it.each(open)('%s %s lets in any key', async (method, path) => {
    const { key } = await callerWith(running.api, 'webhooks:admin');
    expect([401, 403]).not.toContain((await call(method, path, key)).status);
  });

  it.each(scoped)('403: %s %s refuses a key that lacks its scope', async (method, path, scopes) => {
    const others = (['webhooks:admin', 'identities:erase'] satisfies Scope[]).filter(
      (one) => !scopes.includes(one),
    );
    const { key } = await callerWith(running.api, ...others);
    const problem = expectProblem(await call(method, path, key), 'missing_scope');
    expect(problem.detail).toContain(scopes[0]);
  });

  it.each(scoped)('%s %s lets in a key with its scope alone', async (method, path, scopes) => {
    for (const scope of scopes) {
      const { key } = await callerWith(running.api, scope);
      expect([401, 403]).not.toContain((await call(method, path, key)).status);
    }
  });

  it('403: reading does not allow writing, nor writing reading', async () => {
    const reader = await callerWith(running.api, 'conversations:read', 'identities:read');
    expectProblem(await call('post', '/v1/conversations', reader.key), 'missing_scope');
    expectProblem(await call('post', '/v1/identities', reader.key), 'missing_scope');
    const writer = await callerWith(running.api, 'conversations:write', 'identities:write');
    expectProblem(await call('get', '/v1/conversations', writer.key), 'missing_scope');
    expectProblem(await call('get', '/v1/identities', writer.key), 'missing_scope');
  });
});

describe("another chat service's resources", () => {
  it('404, never 403: what belongs to another service is not there, for its admin or for an operator', async () => {
    const { body: chat } = await running.api.post<ConversationResponse>(
      '/v1/conversations',
      supportChat(),
      201,
    );
    const person = chat.participants[0]?.identity?.id;
    const { id: serviceId, admin } = await otherService(running.api);
    const operator = await makeKey(running.api, ['operator', 'admin'], { serviceId });
    for (const { key } of [admin, operator]) {
      expectProblem(await call('get', `/v1/conversations/${chat.id}`, key), 'not_found');
      expectProblem(await call('get', `/v1/conversations/${chat.twilioSid}`, key), 'not_found');
      expectProblem(await call('get', `/v1/identities/${person}`, key), 'not_found');
      expectProblem(await call('patch', `/v1/identities/${person}`, key), 'not_found');
      expectProblem(await admin.post('/v1/tokens', { identityId: person }, 404, { key }), 'not_found');
    }
    const lists = await Promise.all([admin.get('/v1/conversations', 200), admin.get('/v1/identities', 200)]);
    expect(lists.map(({ body }) => body as unknown)).toEqual([
      { data: [], nextCursor: null },
      { data: [], nextCursor: null },
    ]);
  });
});

describe('routes', () => {
  it.each([
    ['get', '/'],
    ['get', '/v2/conversations'],
    ['get', '/v1/nothing'],
    ['delete', '/v1/conversations'],
    ['put', '/v1/identities'],
    ['get', `/v1/conversations/${ID}/nothing`],
    ['get', '/livez/x'],
  ] as [Method, string][])('404: %s %s is no route', async (method, path) => {
    const problem = expectProblem(await call(method, path, running.api.key), 'not_found');
    expect(problem.instance).toBe(path);
  });

  it('404: an unknown path is not found, however long it is', async () => {
    for (const length of [300, 3000]) {
      expectProblem(await call('get', `/v1/nothing/${'x'.repeat(length)}`), 'not_found');
    }
  });

  it('404: a method that no route knows', async () => {
    const response = await request(running.server).propfind('/v1/conversations');
    expectProblem(response, 'not_found');
  });

  it('400: a method that HTTP does not know', async () => {
    const { status, headers, body } = await sendRaw(running.server, 'FOO /livez HTTP/1.1\r\nHost: x\r\n\r\n');
    expect(status).toBe(400);
    expect(headers['content-type']).toMatch(/^application\/problem\+json/);
    expect(JSON.parse(body)).toMatchObject({ code: 'malformed_request' });
  });
});

describe('path parameters', () => {
  const PATHS = [
    ['get', (name: string) => `/v1/conversations/${name}`],
    ['get', (name: string) => `/v1/identities/${name}`],
    ['patch', (name: string) => `/v1/identities/${name}`],
    ['get', (name: string) => `/v1/services/${name}`],
    ['delete', (name: string) => `/v1/api-keys/${name}`],
    ['put', (name: string) => `/v1/identities/by-external-id/${name}`],
    ['put', (name: string) => `/v1/conversations/by-ref/${name}`],
  ] as const;

  it.each(PATHS)('400: %s, its parameter badly encoded (%#)', async (method, path) => {
    for (const broken of ['%zz', '%', '%E0%A4%A', '%ED%A0%80']) {
      const response = await call(method, path(broken), running.api.key);
      expect(expectProblem(response, 'malformed_request').instance).toBe(path(broken));
    }
  });

  it.each(PATHS)('414: %s, its parameter of 256 code points and more (%#)', async (method, path) => {
    for (const long of ['x'.repeat(256), encodeURIComponent('😀'.repeat(256)), 'x'.repeat(4000)]) {
      expectProblem(await call(method, path(long), running.api.key), 'uri_too_long');
    }
  });

  it.each(PATHS)('%s takes a parameter of 255 emoji (%#)', async (method, path) => {
    const name = encodeURIComponent('😀'.repeat(255));
    const response = await call(method, path(name), running.api.key);
    // Nobody has it, or the empty body is wrong: but the path is not.
    expect(response.body).toMatchObject({
      code: method === 'put' ? 'validation_failed' : 'not_found',
    });
  });

  it.each(PATHS.slice(0, 5))(
    '404: %s, its parameter in none of the known forms (%#)',
    async (method, path) => {
      for (const odd of ['x', '%00', "'%3B--", 'CH123', `${ID}%20`, `US${'g'.repeat(32)}`, '']) {
        expectProblem(await call(method, path(odd), running.api.key), 'not_found');
      }
    },
  );

  it('201, then 200: an externalRef of 255 emoji in the path makes a conversation and finds it again', async () => {
    const path = `/v1/conversations/by-ref/${encodeURIComponent('🦊'.repeat(255))}`;
    const { externalRef: _, ...body } = supportChat();
    const { body: made } = await running.api.put<ConversationResponse>(path, body, 201);
    expect(made.externalRef).toBe('🦊'.repeat(255));
    const { body: found } = await running.api.put<ConversationResponse>(path, body, 200);
    expect(found.id).toBe(made.id);
  });

  it('a parameter means what it decodes to, once: slashes, per cent signs, separators', async () => {
    for (const odd of ['a/b', '100%', '%41', 'q?x=1', 'x#y', 'a;b', ' inner space ', 'über+1', "o'neil"]) {
      const externalId = unique(odd);
      const path = `/v1/identities/by-external-id/${encodeURIComponent(externalId)}`;
      const { body } = await running.api.put<IdentityResponse>(path, { kind: 'customer' }, 201);
      expect(body.externalId).toBe(externalId);
    }
  });
});
