import request, { type Response } from 'supertest';
import { beforeAll, describe, expect, it } from 'vitest';
import { ERROR_CATALOG, type ErrorCode } from '../../src/common/errors/error-catalog.js';
import { VERSION } from '../../src/config/version.js';
import { useApp } from '../support/app.js';
import { useCompanyLogin } from '../support/company-login.js';
import { routesOf, SchemaCheck, type OpenApiDocument, type Route } from '../support/openapi.js';
import { PUBLIC_ROUTES, ROUTES } from '../support/routes.js';

const login = useCompanyLogin();
const running = useApp({ JWKS_ALLOWED_PRIVATE_HOSTS: '127.0.0.1' });

let document: OpenApiDocument;
let routes: Route[];
let check: SchemaCheck;

beforeAll(async () => {
  const response = await request(running.server).get('/openapi.json');
  document = response.body as OpenApiDocument;
  routes = routesOf(document);
  check = new SchemaCheck(document);
});

const named = (operationId: string): Route => {
  const route = routes.find(({ operation }) => operation.operationId === operationId);
  if (!route) throw new Error(`No operation is called ${operationId}.`);
  return route;
};

/** The route without the names of its parameters, and without what stands for them. */
const starred = (method: string, path: string): string =>
  `${method} ${path.replace(/\{\w+\}|(?<=\/)(x|[0-9a-f-]{36})(?=\/|$)/g, '*')}`;

const LINES = 'application/x-ndjson';

const jsonOf = (content?: Record<string, { schema: object }>) =>
  (content?.['application/json'] ?? content?.[LINES])?.schema;

describe('GET /openapi.json', () => {
  it('200: answers an OpenAPI 3.1 document of this version, to anybody', async () => {
    const response = await request(running.server).get('/openapi.json');
    expect(response.headers['content-type']).toMatch(/^application\/json/);
    expect(document).toMatchObject({ openapi: '3.1.0', info: { title: 'Convoke', version: VERSION } });
  });

  it('describes every route, and no other', () => {
    const documented = routes.filter(({ path }) => path.startsWith('/v1/'));
    const shown = documented.map(({ method, path }) => starred(method, path));
    const known = [...ROUTES, ...PUBLIC_ROUTES].map(([method, path]) => starred(method, path));
    expect(shown.sort()).toEqual(known.sort());
  });

  it('names every operation once, with a summary and a tag', () => {
    const ids = routes.map(({ operation }) => operation.operationId);
    expect(new Set(ids).size).toBe(ids.length);
    for (const { operation } of routes) {
      expect(operation.summary, operation.operationId).toBeTruthy();
      expect(operation.tags, operation.operationId).toHaveLength(1);
    }
  });

  it('asks for a key wherever one is needed, and nowhere else', () => {
    expect(document.components.securitySchemes).toMatchObject({ bearer: { type: 'http', scheme: 'bearer' } });
    const open = PUBLIC_ROUTES.map(([method, path]) => `${method} ${path}`);
    for (const { method, path, operation } of routes) {
      const needsKey = path.startsWith('/v1/') && !open.includes(`${method} ${path}`);
      const other = path.endsWith('/exchange') ? [{ login: [] }] : [];
      expect(operation.security ?? [], path).toEqual(needsKey ? [{ bearer: [] }] : other);
    }
  });

  it('demands no header that may be left out', () => {
    const headers = routes.flatMap(({ operation }) => operation.parameters ?? []);
    for (const { name, required } of headers.filter((parameter) => parameter.in === 'header')) {
      expect(required, name).toBe(false);
    }
  });
});

describe('documented failures', () => {
  it('cover what every route of a kind can answer', () => {
    for (const { method, path, operation } of routes.filter((route) => route.path.startsWith('/v1/'))) {
      const parameters = operation.parameters ?? [];
      const has = (place: string, name?: string) =>
        parameters.some((one) => one.in === place && (name === undefined || one.name === name));
      const anyKey = ROUTES.some(
        ([verb, known, scopes]) => scopes.length === 0 && starred(verb, known) === starred(method, path),
      );
      const expected = [
        ...['401', '429', '500', '503', ...(anyKey ? [] : ['403'])],
        ...(operation.requestBody ? ['400', '413', '415'] : []),
        ...(has('query') ? ['400'] : []),
        ...(has('path') ? ['400', '414'] : []),
        ...(has('path') && !/\/by-/.test(path) ? ['404'] : []),
        ...(has('header', 'If-Match') ? ['412'] : []),
        ...(has('header', 'Idempotency-Key') ? ['422'] : []),
        // Deletions and erasures blank what was answered about conversations and people.
        ...(has('header', 'Idempotency-Key') && /^\/v1\/(conversations|identities)/.test(path)
          ? ['409', '410']
          : []),
      ];
      expect(Object.keys(operation.responses), `${method} ${path}`).toEqual(expect.arrayContaining(expected));
    }
  });

  it('are problem documents whose codes stand in the catalogue under that status', () => {
    for (const { path, operation } of routes.filter((route) => route.path.startsWith('/v1/'))) {
      for (const [status, { description, content }] of Object.entries(operation.responses)) {
        if (Number(status) < 400) continue;
        expect(Object.keys(content ?? {}), path).toEqual(['application/problem+json']);
        const codes = [...description.matchAll(/`(\w+)`/g)].map(([, code]) => code as ErrorCode);
        expect(codes.length, `${path} ${status}`).toBeGreaterThan(0);
        for (const code of codes) expect(String(ERROR_CATALOG[code].status), code).toBe(status);
      }
    }
  });

  it('say how the key stands, wherever there is one, and when to come again', () => {
    for (const { path, operation } of routes.filter((route) => route.path.startsWith('/v1/'))) {
      for (const [status, { headers = {} }] of Object.entries(operation.responses)) {
        const limited = operation.security && status !== '401';
        const expected = [
          ...(status === '429' ? ['Retry-After'] : []),
          ...(limited ? ['RateLimit-Policy', 'RateLimit'] : []),
        ];
        expect(Object.keys(headers), `${path} ${status}`).toEqual(expected);
      }
    }
  });

  it('have the documented form when they come', async () => {
    const problems = await Promise.all([
      running.api.get('/v1/nothing', 404),
      running.api.post('/v1/identities', { kind: 1, x: 1 }, 400),
      running.api.get('/v1/conversations', 401, { key: null }),
    ]);
    const schema = { $ref: '#/components/schemas/ProblemSchema' };
    for (const { body } of problems) expect(check.problems(schema, body)).toEqual([]);
  });
});

describe('examples', () => {
  it('of fields are valid by the schema they stand in', () => {
    let seen = 0;
    for (const [name, schema] of Object.entries(document.components.schemas)) {
      const { properties = {} } = schema as { properties?: Record<string, { example?: unknown }> };
      for (const [field, property] of Object.entries(properties)) {
        if (!('example' in property)) continue;
        seen += 1;
        expect(check.problems(property, property.example), `${name}.${field}`).toEqual([]);
      }
    }
    expect(seen).toBeGreaterThan(20);
  });

  const inChat = (ids: Record<string, string>) => ({ conversation: ids['provisionConversation.support'] });

  /** In this order, and in place of the names in paths and bodies that only a running service knows. */
  const CALLS: [
    string,
    (ids: Record<string, string>) => { path?: object; body?: Record<string, object>; key?: string },
  ][] = [
    ['createIdentity', () => ({})],
    ['upsertIdentity', () => ({ path: { externalId: 'cust-42' } })],
    ['importIdentities', () => ({})],
    ['updateIdentity', ({ createIdentity }) => ({ path: { identity: createIdentity } })],
    ['provisionConversation', () => ({})],
    ['provisionConversationByRef', () => ({ path: { externalRef: 'case-4711' } })],
    ['mintToken', () => ({})],
    ['refreshToken', (ids) => ({ body: { refresh: { refreshToken: ids['mintToken.session'] } } })],
    [
      'exchangeToken',
      ({ service, login }) => ({ body: { login: { serviceId: service, session: {} } }, key: login! }),
    ],
    ['updateConversation', (ids) => ({ path: inChat(ids) })],
    ['addParticipant', (ids) => ({ path: inChat(ids) })],
    ['sendSystemMessage', (ids) => ({ path: inChat(ids) })],
    ['sendMessage', (ids) => ({ path: inChat(ids) })],
    ['updateMessage', (ids) => ({ path: { ...inChat(ids), message: ids['sendMessage'] } })],
    ['updateParticipant', (ids) => ({ path: { ...inChat(ids), participant: 'agent-7' } })],
    ['transferConversation', (ids) => ({ path: inChat(ids) })],
    ['closeConversation', (ids) => ({ path: inChat(ids) })],
    ['assignServiceRole', ({ createIdentity }) => ({ path: { identity: createIdentity } })],
    ['createRole', () => ({})],
    ['updateRole', (ids) => ({ path: { sid: ids['createRole.moderator'] } })],
    ['repairDrift', () => ({})],
    ['eraseIdentity', ({ createIdentity }) => ({ path: { identity: createIdentity } })],
    ['createApiKey', () => ({})],
    ['createService', ({ strange }) => ({ body: { adopt: { twilioSid: strange } } })],
    ['updateService', ({ createService }) => ({ path: { id: createService } })],
  ];

  it('of bodies are accepted as they stand, and answered in the documented form', async () => {
    const ids: Record<string, string> = { strange: await strangeService(), ...(await companyLogin()) };
    for (const [operationId, given] of CALLS) {
      const { path, method, operation } = named(operationId);
      const { content = {} } = operation.requestBody ?? {};
      const type = LINES in content ? LINES : 'application/json';
      const { schema, examples = {} } = content[type] ?? { schema: {} };
      expect(Object.keys(examples).length, operationId).toBeGreaterThan(0);
      for (const [name, { value }] of Object.entries(examples)) {
        const { path: names = {}, body = {}, key = running.api.key } = given(ids);
        expect(check.problems(schema, value), `${operationId}: ${name}`).toEqual([]);
        const response = await send(method, filled(path, names), body[name] ?? value, type, key);
        expect(response.status, `${operationId}: ${name}: ${response.text}`).toBeLessThan(300);
        const documented = jsonOf(operation.responses[response.status]?.content) ?? { not: {} };
        expect(check.problems(documented, response.body), `${operationId}: ${name}`).toEqual([]);
        const { id, session } = response.body as { id: string; session?: { refreshToken: string } };
        ids[operationId] = ids[`${operationId}.${name}`] = session?.refreshToken ?? id;
      }
    }
    const withBody = routes.filter(({ operation }) => operation.requestBody);
    expect(CALLS.map(([id]) => id).sort()).toEqual(
      withBody.map(({ operation }) => operation.operationId).sort(),
    );
  });

  it('are answered by what reads them in the documented form too', async () => {
    const paths = ['/v1/identities', '/v1/conversations', '/v1/roles', '/v1/api-keys', '/v1/services'];
    for (const path of paths) {
      const { body } = await running.api.get<{ data: { id: string }[] }>(path, 200);
      const list = jsonOf(document.paths[path]?.['get']?.responses['200']?.content) ?? { not: {} };
      expect(body.data.length, path).toBeGreaterThan(0);
      expect(check.problems(list, body), path).toEqual([]);
    }
    for (const path of ['/livez', '/readyz']) {
      const response = await request(running.server).get(path);
      const schema = jsonOf(document.paths[path]?.['get']?.responses['200']?.content) ?? { not: {} };
      expect(check.problems(schema, response.body), path).toEqual([]);
      const more = { ...(response.body as object), undocumented: 1 };
      expect(check.problems(schema, more), path).toHaveLength(1);
    }
  });
});

describe('GET /docs', () => {
  it('200: the page and all its scripts and styles are served, as its security policy allows', async () => {
    const page = await request(running.server).get('/docs');
    expect(page.status).toBe(200);
    expect(page.headers['content-type']).toMatch(/^text\/html/);
    expect(page.text).not.toMatch(/<script(?![^>]*src=)[^>]*>/);
    const parts = [...page.text.matchAll(/(?:src|href)="(\.?\/[^"]+)"/g)].map(([, part]) => part ?? '');
    expect(parts.length).toBeGreaterThan(3);
    for (const part of parts) {
      const response = await request(running.server).get(new URL(part, 'http://x/docs').pathname);
      expect(response.status, part).toBe(200);
    }
  });
});

const filled = (path: string, names: object): string =>
  Object.entries(names).reduce((text, [name, value]) => text.replace(`{${name}}`, String(value)), path);

async function send(
  method: string,
  path: string,
  body: object,
  type: string,
  key: string,
): Promise<Response> {
  const call = request(running.server)[method as 'post'](path);
  void call.set('authorization', `Bearer ${key}`).set('content-type', type);
  if (type !== LINES) return call.send(body);
  const response = await call
    .buffer(true)
    .parse((answer, done) => {
      let text = '';
      answer.on('data', (piece: Buffer) => (text += piece.toString()));
      answer.on('end', () => done(null, JSON.parse(text)));
    })
    .send(`${JSON.stringify(body)}\n`);
  expect(response.body, path).toMatchObject({
    line: 1,
    status: expect.not.stringMatching('failed') as string,
  });
  return response;
}

/** Has the default chat service let a login in. Answers the service's id, and a token of that login. */
async function companyLogin(): Promise<{ service: string; login: string }> {
  const { body } = await running.api.get<{ data: { id: string }[] }>('/v1/services', 200);
  const service = body.data[0]!.id;
  await running.api.patch(`/v1/services/${service}`, { tokenExchange: login.setting() }, 200);
  return { service, login: await login.sign(await login.newKey(), { subject: 'cust-44' }) };
}

/** A chat service that Twilio has and we do not know. */
async function strangeService(): Promise<string> {
  const { accountSid, authToken } = running.sandbox.config;
  const authorization = `Basic ${Buffer.from(`${accountSid}:${authToken}`).toString('base64')}`;
  const body = new URLSearchParams({ FriendlyName: 'Strange' });
  const response = await fetch(`${running.sandbox.baseUrl}/v1/Services`, {
    method: 'POST',
    headers: { authorization },
    body,
  });
  return ((await response.json()) as { sid: string }).sid;
}
