import request from 'supertest';
import { beforeAll, describe, expect, it } from 'vitest';
import { isUuid } from '../../src/common/validation/text.js';
import type { ApiClient } from '../support/api-client.js';
import { unique, useApp } from '../support/app.js';
import { bodyCases, OWN_NAMES } from '../support/foreign-bodies.js';
import { exampleBody, routesOf, type OpenApiDocument, type Route } from '../support/openapi.js';
import { NOBODYS_ID } from '../support/routes.js';
import { marksOf, namesOn, newSide, type Side } from '../support/two-services.js';

const running = useApp();

let theirs: Side;
let ours: Side;
let routes: Route[];

beforeAll(async () => {
  const { body } = await request(running.server).get('/openapi.json');
  routes = routesOf(body as OpenApiDocument).filter(({ path }) => path.startsWith('/v1/'));
  [theirs, ours] = await Promise.all([newSide(running.api), newSide(running.api)]);
}, 60_000);

interface Answer {
  status: number;
  text: string;
  code?: string;
}

async function send(api: ApiClient, method: string, path: string, body?: unknown): Promise<Answer> {
  const call = request(running.server)[method as 'get'](path).set('authorization', `Bearer ${api.key}`);
  const isLines = typeof body === 'string';
  if (isLines) void call.set('content-type', 'application/x-ndjson');
  const response = await (body === undefined ? call : call.send(body as object));
  const { status, text } = response;
  if (status < 400) return { status, text };
  // What echoes the request is no news of anybody else.
  const { code, instance: _i, detail: _d, errors: _e, ...rest } = JSON.parse(text) as Record<string, string>;
  return { status, text: JSON.stringify(rest), ...(code !== undefined && { code }) };
}

function expectNothingOf(side: Side, { text }: Answer, what: string): void {
  for (const mark of marksOf(side)) expect(text.includes(mark), `${what} holds ${mark}`).toBe(false);
}

const nameOf = ({ method, path }: Pick<Route, 'method' | 'path'>): string => `${method} ${path}`;

const parametersOf = (path: string): string[] =>
  [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name ?? '');

/** Every way to fill the path in that takes at least one name from the other side. */
function foreignPaths(path: string): string[] {
  const [foreign, own] = [namesOn(theirs, path), namesOn(ours, path)];
  let filled: { path: string; foreign: boolean }[] = [{ path, foreign: false }];
  for (const name of parametersOf(path)) {
    const choices = [
      ...(foreign[name] ?? []).map((value) => ({ value, foreign: true })),
      ...(own[name] ?? []).slice(0, 1).map((value) => ({ value, foreign: false })),
    ];
    expect(choices.length, `${path}: say in two-services.ts what {${name}} may be`).toBeGreaterThan(1);
    filled = filled.flatMap((one) =>
      choices.map((choice) => ({
        path: one.path.replace(`{${name}}`, encodeURIComponent(choice.value)),
        foreign: one.foreign || choice.foreign,
      })),
    );
  }
  return filled.filter((one) => one.foreign).map((one) => one.path);
}

/** Their parameter is the caller's own name of a thing: with it, each service has its own. */
const NATURAL = [
  'put /v1/conversations/by-ref/{externalRef}',
  'put /v1/identities/by-external-id/{externalId}',
];

/** An operator reaches other services by these. */
const isOperators = ({ path }: Route): boolean => /^\/v1\/(services|api-keys)(\/|$)/.test(path);

describe('a path that names something of another chat service', () => {
  const byPath = () =>
    routes.filter((route) => parametersOf(route.path).length > 0 && !NATURAL.includes(nameOf(route)));

  it('404 on every route, for a key that holds all scopes of its own service', async () => {
    let tried = 0;
    for (const route of byPath()) {
      for (const path of foreignPaths(route.path)) {
        const answer = await send(ours.admin, route.method, path, exampleBody(route));
        expect(answer.status, `${route.method} ${path}: ${answer.text}`).toBe(404);
        expectNothingOf(theirs, answer, `${route.method} ${path}`);
        tried += 1;
      }
    }
    expect(tried).toBeGreaterThan(80);
  }, 60_000);

  it('404 for an operator too, but for chat services and API keys', async () => {
    for (const route of byPath().filter((one) => !isOperators(one))) {
      for (const path of foreignPaths(route.path)) {
        const answer = await send(ours.operator, route.method, path, exampleBody(route));
        expect(answer.status, `${route.method} ${path}: ${answer.text}`).toBe(404);
      }
    }
  }, 60_000);

  it('200 for an operator, of chat services and their keys', async () => {
    const { body } = await ours.operator.get<{ id: string }>(`/v1/services/${theirs.serviceId}`, 200);
    expect(body.id).toBe(theirs.serviceId);
    const { text } = await send(ours.operator, 'get', `/v1/api-keys?serviceId=${theirs.serviceId}`);
    expect(text).toContain(theirs.apiKeyId);
  });
});

describe('a list', () => {
  /** What each list may be asked for, with names of the other service. */
  const queries = (): Record<string, string[]> => ({
    'get /v1/conversations': [
      `externalRef=${theirs.chat.externalRef}`,
      `identityId=${theirs.identity.id}`,
      `externalId=${theirs.identity.externalId}`,
    ],
    'get /v1/identities': [`externalId=${theirs.identity.externalId}`],
  });

  it('holds nothing of another chat service, whatever it is asked for', async () => {
    const lists = routes.filter(
      ({ method, path }) => method === 'get' && parametersOf(path).length === 0 && path !== '/v1/services',
    );
    expect(lists.length).toBeGreaterThan(4);
    for (const route of lists) {
      for (const query of ['', ...(queries()[nameOf(route)] ?? [])]) {
        for (const api of [ours.admin, ours.operator]) {
          const what = `${route.path}?${query}`;
          const answer = await send(api, 'get', what);
          expect(answer.status, what).toBe(200);
          expectNothingOf(theirs, answer, what);
        }
      }
    }
  });

  it('holds what is its own', async () => {
    const { text } = await send(ours.admin, 'get', '/v1/conversations');
    expect(text).toContain(ours.chat.id);
    expectNothingOf(ours, await send(theirs.admin, 'get', '/v1/conversations'), 'theirs');
  });

  it('below our own things: nothing of theirs', async () => {
    const own = namesOn(ours, '');
    const below = routes.filter(({ method, path }) => method === 'get' && parametersOf(path).length === 1);
    for (const { path } of below) {
      const [name = ''] = parametersOf(path);
      const value = own[name]?.[0] ?? namesOn(ours, path)[name]?.[0] ?? '';
      const answer = await send(ours.admin, 'get', path.replace(`{${name}}`, value));
      expect(answer.status, path).toBe(200);
      expectNothingOf(theirs, answer, path);
    }
  });
});

/** The same body with names of the same form that nothing has. */
function namingNobody(body: object): object {
  const names = [...marksOf(theirs), theirs.role.friendlyName, theirs.identity.externalId];
  const text = names.reduce(
    (made, name) => made.replaceAll(`"${name}"`, `"${nobodysLike(name)}"`),
    JSON.stringify(body),
  );
  expect(text).not.toBe(JSON.stringify(body));
  return JSON.parse(text) as object;
}

function nobodysLike(name: string): string {
  if (/^[A-Z]{2}[0-9a-f]{32}$/.test(name)) return name.slice(0, 2) + '0'.repeat(32);
  return isUuid(name) ? NOBODYS_ID : unique('nobody');
}

describe('a body that names something of another chat service', () => {
  it('has a case for every route that takes a body', () => {
    const takesBody = routes.filter(({ operation }) => operation.requestBody).map(nameOf);
    expect([...Object.keys(bodyCases(theirs, ours)), ...OWN_NAMES].sort()).toEqual(takesBody.sort());
  });

  it('is refused on every route, as if there were no such thing', async () => {
    for (const [name, cases] of Object.entries(bodyCases(theirs, ours))) {
      const [method = ''] = name.split(' ');
      for (const [path, body, status, code] of cases) {
        const answer = await send(ours.admin, method, path, body);
        const what = `${method} ${path} ${JSON.stringify(body)}`;
        expect.soft({ status: answer.status, code: answer.code }, what).toEqual({ status, code });
        expectNothingOf(theirs, answer, what);
        const nobodys = await send(ours.admin, method, path, namingNobody(body));
        expect.soft(nobodys, what).toEqual({ ...answer, text: nobodys.text });
      }
    }
  }, 60_000);

  it('404: nor does a query name who acts', async () => {
    for (const actor of [theirs.chat.ada.id, theirs.chat.ada.twilioSid, theirs.identity.externalId]) {
      const path = `${ours.chat.path}/messages/${ours.message.id}?actor=${actor}`;
      const { status, code } = await send(ours.admin, 'delete', path);
      expect({ status, code }).toEqual({ status: 404, code: 'participant_not_found' });
    }
    const { status } = await send(ours.admin, 'get', `/v1/api-keys?serviceId=${theirs.serviceId}`);
    expect(status).toBe(404);
  });

  it('403: what is an operator’s alone is so for every other key', async () => {
    for (const [method, path] of [
      ['get', '/v1/services'],
      ['post', '/v1/services'],
    ] as const) {
      const { status, code } = await send(ours.admin, method, path, method === 'post' ? {} : undefined);
      expect({ status, code }).toEqual({ status: 403, code: 'missing_scope' });
    }
  });
});

describe('the same names in two chat services', () => {
  it('mean each service its own', async () => {
    const { externalId } = theirs.identity;
    const { externalRef } = theirs.chat;
    const person = `${JSON.stringify({ kind: 'agent', externalId })}\n`;
    const answers = [
      await send(ours.admin, 'post', '/v1/identities/import', person),
      await send(ours.admin, 'put', `/v1/identities/by-external-id/${externalId}`, { kind: 'agent' }),
      await send(ours.admin, 'put', `/v1/conversations/by-ref/${externalRef}`, {
        participants: [{ externalId }],
      }),
      await send(ours.admin, 'post', '/v1/tokens', { externalId }),
      await send(ours.admin, 'get', `/v1/conversations?externalRef=${externalRef}`),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 201, 201, 200]);
    expect(answers[0]?.text).toContain('"created"');
    for (const answer of answers) expectNothingOf(theirs, answer, answer.text);
  });
});

describe('a route that names nothing', () => {
  /** They are for all of the caller's own chat service. */
  const OWN_SERVICE = ['post /v1/roles/repair'];

  it('is one of those that are known to: every other is tried above', async () => {
    const nameless = routes.filter(
      ({ method, path, operation }) =>
        method !== 'get' && parametersOf(path).length === 0 && !operation.requestBody,
    );
    expect(nameless.map(nameOf)).toEqual(OWN_SERVICE);
    for (const { method, path } of nameless) {
      expectNothingOf(theirs, await send(ours.admin, method, path), path);
    }
  });
});

describe('after all that was tried', () => {
  it('the other chat service is as it was, and works', async () => {
    const { body: chat } = await theirs.admin.get<Side['chat']>(theirs.chat.path, 200);
    const { participants, externalRef, state } = theirs.chat;
    expect(chat).toMatchObject({ participants, externalRef, state });
    const { body: said } = await theirs.admin.get<{ data: { id: string | null; body: string }[] }>(
      `${theirs.chat.path}/messages`,
      200,
    );
    expect(said.data).toHaveLength(2);
    await theirs.admin.get(`/v1/roles/${theirs.role.twilioSid}`, 200);
    const { body: people } = await theirs.admin.get<{ data: object[] }>('/v1/identities', 200);
    expect(people.data).toHaveLength(2);
    await theirs.admin.post('/v1/tokens/refresh', { refreshToken: theirs.refreshToken }, 200, { key: null });
  });
});
