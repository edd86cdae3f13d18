import request from 'supertest';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SCOPES } from '../../src/access/scopes.js';
import { makeKey } from '../support/access.js';
import { useApp, useReplica } from '../support/app.js';
import { DOCUMENTED, exampleBody } from '../support/openapi.js';
import { expectProblem } from '../support/problems.js';
import { NOBODYS_ID } from '../support/routes.js';
import { TcpProxy } from '../support/tcp-proxy.js';

const running = useApp();

let proxy: TcpProxy;
let databaseUrl: string;

beforeAll(async () => {
  const url = new URL(running.database.url);
  proxy = new TcpProxy({ host: url.hostname, port: Number(url.port) });
  url.port = String(await proxy.open());
  databaseUrl = url.href;
});

const replica = useReplica(running, () => ({ DATABASE_URL: databaseUrl, RATE_LIMIT_PER_MINUTE: '0' }));

describe('While Postgres cannot be reached', () => {
  let key: string;

  beforeAll(async () => {
    // Not known to the process yet: with one that is, an import begins.
    ({ key } = await makeKey(running.api, [...SCOPES]));
    await proxy.cut();
  });
  afterAll(() => proxy.cut());

  const asking = DOCUMENTED.filter(({ path }) => path.startsWith('/v1/'));

  it.each(asking)('503: $method $path, and it says when to come again', async (route) => {
    const { method, path } = route;
    const body = exampleBody(route);
    const agent = request(replica.app.getHttpServer());
    const call = agent[method as 'get'](path.replaceAll(/\{\w+\}/g, NOBODYS_ID)).set(
      'authorization',
      `Bearer ${key}`,
    );
    const response = await (body === undefined
      ? call
      : call.type(Object.keys(route.operation.requestBody!.content)[0]!).send(JSON.stringify(body)));
    expectProblem(response, 'unavailable');
    expect(response.headers['retry-after']).toBe('1');
  });

  it('503 of the probe that asks whether requests can be served, 200 of the one that asks whether it runs', async () => {
    await replica.api.get('/readyz', 503);
    await replica.api.get('/livez', 200);
  });

  it('all that is documented is tried', () => {
    const others = DOCUMENTED.filter((route) => !asking.includes(route)).map(({ path }) => path);
    expect(others.sort()).toEqual(['/livez', '/readyz']);
  });
});
