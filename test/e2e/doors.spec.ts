import type { Server } from 'node:http';
import request, { type Response } from 'supertest';
import { describe, expect, it } from 'vitest';
import type { ErrorCode } from '../../src/common/errors/error-catalog.js';
import { makeKey } from '../support/access.js';
import { useApp, type TestApp } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import { codesOf, DOCUMENTED, exampleBody, hasHeader, type Route } from '../support/openapi.js';
import { expectInvalid } from '../support/problems.js';
import { NOBODYS_ID } from '../support/routes.js';

/** What every route answers before its own work begins, tried on each route whose document says so. */
const filled = (path: string, value: string): string => path.replaceAll(/\{\w+\}/g, value);

/** Tries every operation that documents the code; answers those that gave another, and how many were tried. */
async function wrong(
  running: TestApp,
  status: number,
  code: ErrorCode,
  send: (server: Server, route: Route) => Promise<Response>,
): Promise<{ tried: number; others: string[] }> {
  const found = DOCUMENTED.filter((route) => codesOf(route).includes(code));
  const others: string[] = [];
  for (const operation of found) {
    const response = await send(running.server, operation);
    const { code: told } = (response.body ?? {}) as { code?: string };
    if (response.status === status && told === code) continue;
    others.push(`${operation.method} ${operation.path}: ${response.status} ${told}`);
  }
  return { tried: found.length, others };
}

const calling =
  (key: string, value = NOBODYS_ID) =>
  (server: Server, { method, path }: Pick<Route, 'method' | 'path'>) =>
    request(server)[method as 'get'](filled(path, value)).set('authorization', `Bearer ${key}`);

describe('every route whose document says so', () => {
  const running = useApp({ RATE_LIMIT_PER_MINUTE: '0' });

  it('400: refuses a path whose encoding is broken', async () => {
    const { tried, others } = await wrong(running, 400, 'malformed_request', calling(running.api.key, '%zz'));
    expect(others).toEqual([]);
    expect(tried).toBeGreaterThan(20);
  });

  it('400: refuses a body that is no JSON', async () => {
    const send = calling(running.api.key);
    const { tried, others } = await wrong(running, 400, 'malformed_json', (server, operation) =>
      send(server, operation).type('application/json').send('{'),
    );
    expect(others).toEqual([]);
    expect(tried).toBeGreaterThan(20);
  });

  it('400: refuses an Idempotency-Key of more than 255 characters', async () => {
    const keyed = DOCUMENTED.filter((route) => hasHeader(route, 'Idempotency-Key'));
    expect(keyed.length).toBeGreaterThan(10);
    for (const route of keyed) {
      const call = calling(running.api.key)(running.server, route).set('idempotency-key', 'k'.repeat(256));
      expectInvalid(await call.send(exampleBody(route) ?? {}), 'Idempotency-Key');
    }
  });

  it('413: refuses a body over 1 MiB', async () => {
    const send = calling(running.api.key);
    const big = { x: 'x'.repeat(1_048_576) };
    const { tried, others } = await wrong(running, 413, 'payload_too_large', (server, operation) =>
      send(server, operation).send(big),
    );
    expect(others).toEqual([]);
    expect(tried).toBeGreaterThan(20);
  });

  it('414: refuses a path parameter over 255 characters', async () => {
    const { tried, others } = await wrong(
      running,
      414,
      'uri_too_long',
      calling(running.api.key, 'x'.repeat(256)),
    );
    expect(others).toEqual([]);
    expect(tried).toBeGreaterThan(20);
  });

  it('415: refuses a body that is not what it takes', async () => {
    const send = calling(running.api.key);
    const { tried, others } = await wrong(running, 415, 'unsupported_media_type', (server, operation) =>
      send(server, operation).set('content-type', 'text/plain').send('x'),
    );
    expect(others).toEqual([]);
    expect(tried).toBeGreaterThan(20);
  });
});

describe('every route, with too many requests', () => {
  const running = useApp({ BROWSER_REQUESTS_PER_MINUTE: '1' });

  it('429: refuses them, and says when to come again', async () => {
    const { key } = await makeKey(running.api, ['conversations:read'], { rateLimit: 1 });
    const exhausted = calling(key);
    await eventually(async () => {
      for (const path of ['/v1/conversations', '/v1/tokens/refresh']) {
        const method = path.endsWith('refresh') ? 'post' : 'get';
        const { status } = await exhausted(running.server, { method, path });
        expect(status).toBe(429);
      }
    });
    const { tried, others } = await wrong(running, 429, 'rate_limited', async (server, operation) => {
      const response = await exhausted(server, operation);
      expect(Number(response.headers['retry-after'])).toBeGreaterThan(0);
      return response;
    });
    expect(others).toEqual([]);
    expect(tried).toBeGreaterThan(40);
  });
});

describe('every route, in trouble', () => {
  const running = useApp();
  const stranger = `cvk_nobody_${'x'.repeat(43)}`;

  it('500: tells nothing of what is broken on our side', async () => {
    const tables = ['api_keys', 'token_sessions', 'chat_services'];
    for (const table of tables) await running.sql(`alter table ${table} rename to ${table}_gone`);
    const { tried, others } = await wrong(running, 500, 'internal_error', async (server, operation) => {
      const isExchange = operation.path.endsWith('/exchange');
      const body = isExchange
        ? { serviceId: NOBODYS_ID }
        : { refreshToken: `cvr_${'x'.repeat(43)}_${'x'.repeat(43)}` };
      const call = calling(stranger)(server, operation);
      const response = await (operation.path.startsWith('/v1/tokens/') ? call.send(body) : call);
      expect(response.text).not.toContain('api_keys');
      return response;
    });
    for (const table of tables) await running.sql(`alter table ${table}_gone rename to ${table}`);
    // A refresh token that is not well-formed is refused before anything is looked up.
    expect(others.filter((other) => !other.startsWith('post /v1/tokens/refresh: 401'))).toEqual([]);
    expect(tried).toBeGreaterThan(40);
  });
});
