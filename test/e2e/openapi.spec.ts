import request, { type Response } from 'supertest';
import { beforeAll, describe, expect, it } from 'vitest';
import { useApp } from '../support/app.js';
import { useCompanyLogin } from '../support/company-login.js';
import { routesOf, SchemaCheck, type OpenApiDocument, type Route } from '../support/openapi.js';

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

const LINES = 'application/x-ndjson';

const jsonOf = (content?: Record<string, { schema: object }>) =>
  (content?.['application/json'] ?? content?.[LINES])?.schema;

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
        const { content: answered, headers = {} } = operation.responses[response.status]!;
        const documented = jsonOf(answered) ?? { not: {} };
        expect(check.problems(documented, response.body), `${operationId}: ${name}`).toEqual([]);
        expect(sentHeaders(response), `${operationId}: ${name}`).toEqual(fixedOf(headers));
        const { id, session } = response.body as { id: string; session?: { refreshToken: string } };
        ids[operationId] = ids[`${operationId}.${name}`] = session?.refreshToken ?? id;
      }
    }
    const withBody = routes.filter(({ operation }) => operation.requestBody);
    expect(CALLS.map(([id]) => id).sort()).toEqual(
      withBody.map(({ operation }) => operation.operationId).sort(),
    );
  });

  it('hold for commands without a body: their answers have the documented form and headers', async () => {
    const person = await running.api.post<{ id: string }>(
      '/v1/identities',
      { kind: 'agent', externalId: 'a-9' },
      201,
    );
    const chat = await running.api.post<{ id: string }>(
      '/v1/conversations',
      { participants: [{ kind: 'customer', externalId: 'c-9' }] },
      201,
    );
    const places = { identity: person.body.id, conversation: chat.body.id };
    for (const id of ['suspendIdentity', 'reinstateIdentity', 'reconcileConversation', 'repairRoles']) {
      const { path, operation } = named(id);
      const response = await running.api.post(filled(path, places), undefined, 200);
      const { content, headers = {} } = operation.responses['200']!;
      expect(check.problems(jsonOf(content) ?? { not: {} }, response.body), id).toEqual([]);
      expect(sentHeaders(response), id).toEqual(fixedOf(headers));
    }
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

/** Without the one that stands with repetitions alone. */
const fixedOf = (headers: object): Set<string> =>
  new Set(Object.keys(headers).filter((name) => name !== 'Idempotent-Replayed'));

/** Those that the document speaks of. */
const sentHeaders = ({ headers }: Response): Set<string> =>
  new Set(
    ['X-Request-Id', 'ETag', 'Location', 'RateLimit-Policy', 'RateLimit'].filter(
      (name) => name.toLowerCase() in headers,
    ),
  );

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
