import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import request from 'supertest';
import { beforeAll, describe, expect, it } from 'vitest';
import { ERROR_CATALOG, type ErrorCode } from '../../src/common/errors/error-catalog.js';
import { VERSION } from '../../src/config/version.js';
import { useApp } from '../support/app.js';
import { routesOf, SchemaCheck, type OpenApiDocument, type Route } from '../support/openapi.js';
import { PUBLIC_ROUTES, ROUTES } from '../support/routes.js';

const running = useApp();

let document: OpenApiDocument;
let routes: Route[];
let check: SchemaCheck;

beforeAll(async () => {
  const response = await request(running.server).get('/openapi.json');
  document = response.body as OpenApiDocument;
  routes = routesOf(document);
  check = new SchemaCheck(document);
});

/** The route without the names of its parameters, and without what stands for them. */
const starred = (method: string, path: string): string =>
  `${method} ${path.replace(/\{\w+\}|(?<=\/)(x|[0-9a-f-]{36})(?=\/|$)/g, '*')}`;

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

describe('GET /openapi-3.0.json', () => {
  it('200: answers the same operations, schemas and codes as OpenAPI 3.0, to anybody', async () => {
    const response = await request(running.server).get('/openapi-3.0.json');
    expect(response.status).toBe(200);
    expect(response.headers['content-type']).toMatch(/^application\/json/);
    const older = response.body as OpenApiDocument;
    expect(older).toMatchObject({ openapi: '3.0.3', info: document.info });
    const facts = ({ operation, method, path }: Route) => ({
      ...{ method, path, id: operation.operationId, security: operation.security },
      answers: Object.entries(operation.responses).map(([status, { description }]) => [status, description]),
    });
    expect(routesOf(older).map(facts)).toEqual(routes.map(facts));
    expect(Object.keys(older.components.schemas)).toEqual(
      expect.arrayContaining(Object.keys(document.components.schemas)),
    );
    expect(older.components.schemas['Conversation']).toMatchObject({
      properties: { externalRef: { type: 'string', nullable: true } },
    });
  });
});

describe('both documents', () => {
  it('are as Spectral’s rules for OpenAPI want them, without an exception', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'convoke-spectral-'));
    try {
      for (const name of ['openapi.json', 'openapi-3.0.json']) {
        await writeFile(join(folder, name), (await request(running.server).get(`/${name}`)).text);
      }
      await writeFile(join(folder, 'rules.yaml'), 'extends: ["spectral:oas"]\n');
      expect(await spectral(folder)).toEqual([]);
    } finally {
      await rm(folder, { recursive: true });
    }
  }, 120_000);
});

/** What Spectral says about the documents of a folder, by the rules in it. */
async function spectral(folder: string): Promise<unknown> {
  const program = resolve('node_modules/@stoplight/spectral-cli/dist/index.js');
  const options = ['lint', '--ruleset=rules.yaml', '--fail-severity=hint', '--format=json', '--quiet'];
  const said = await promisify(execFile)(process.execPath, [program, ...options, '*.json'], {
    cwd: folder,
  }).catch((error: { stdout: string }) => error);
  return JSON.parse(said.stdout);
}

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
        ...(has('header', 'Idempotency-Key') ? ['409', '422'] : []),
        // Deletions and erasures blank what was answered about conversations and people, but for receipts.
        ...(has('header', 'Idempotency-Key') && /^\/v1\/(conversations|identities)(?!.*\/erase$)/.test(path)
          ? ['410']
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
        const limited = JSON.stringify(operation.security)?.includes('bearer') && status !== '401';
        const found = Object.keys(headers);
        expect(found.includes('Retry-After') || status !== '429', `${path} ${status}`).toBe(true);
        expect(found.includes('RateLimit'), `${path} ${status}`).toBe(Boolean(limited));
        expect(found.includes('RateLimit-Policy'), `${path} ${status}`).toBe(Boolean(limited));
        expect(found, `${path} ${status}`).toContain('X-Request-Id');
      }
    }
  });

  it('have the documented form when they come', async () => {
    const problems = await Promise.all([
      running.api.get('/v1/nothing', 404),
      running.api.post('/v1/identities', { kind: 1, x: 1 }, 400),
      running.api.get('/v1/conversations', 401, { key: null }),
    ]);
    const schema = { $ref: '#/components/schemas/Problem' };
    for (const { body } of problems) expect(check.problems(schema, body)).toEqual([]);
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
