import request from 'supertest';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/app-config.js';
import { createApp } from '../../src/configure-app.js';
import { serviceEnv, useApp } from '../support/app.js';
import { expectProblem } from '../support/problems.js';
import { TcpProxy } from '../support/tcp-proxy.js';

const running = useApp();

const get = (path: string) => request(running.server).get(path);

describe('GET /livez', () => {
  it('200: says that the process runs, to anybody', async () => {
    const response = await get('/livez');
    expect(response.status).toBe(200);
    expect(response.body).toEqual({ status: 'ok' });
  });
});

describe('GET /readyz', () => {
  it('200: says that requests can be served, to anybody', async () => {
    const response = await get('/readyz');
    expect(response.status).toBe(200);
    expect(response.body).toEqual({ status: 'ok', postgres: 'ok', migrations: 'ok', twilio: 'ok' });
  });
});

/** A second replica, whose view of the world is fresh. */
async function secondApp(more: Record<string, string> = {}) {
  const { key } = running.api;
  const env = { ...serviceEnv(running.database.url, running.sandbox), BOOTSTRAP_API_KEY: key, ...more };
  const app = await createApp(loadConfig(env));
  return { app, ask: (path: string) => request(app.getHttpServer()).get(path) };
}

describe('trouble', () => {
  it('200: Twilio being away is told and stops nothing', async () => {
    await running.sandbox.fault({ path: '/v1/Services/', times: 1000 }, { type: 'status', status: 503 });
    const { app, ask } = await secondApp();
    try {
      const response = await ask('/readyz');
      expect(response.status).toBe(200);
      expect(response.body).toMatchObject({ status: 'ok', twilio: 'unreachable' });
    } finally {
      await app.close();
      await running.sandbox.clearFaults();
    }
  });

  it('200: a Twilio that does not answer holds the probe up for seconds at most', async () => {
    await running.sandbox.fault({ path: '/v1/Services/', times: 1000 }, { type: 'hang', applied: false });
    const { app, ask } = await secondApp();
    try {
      const startedAt = performance.now();
      const response = await ask('/readyz');
      expect(response.body).toMatchObject({ status: 'ok', twilio: 'unreachable' });
      expect(performance.now() - startedAt).toBeLessThan(3500);
    } finally {
      await app.close();
      await running.sandbox.clearFaults();
    }
  });

  it('503: a migration that has not been run', async () => {
    const [last] = await running.sql('select * from migrations order by id desc limit 1');
    const { id, timestamp, name } = last as { id: number; timestamp: string; name: string };
    await running.sql('delete from migrations where id = $1', [id]);
    const { app, ask } = await secondApp();
    try {
      const pending = await ask('/readyz');
      expect(pending.status).toBe(503);
      expect(pending.body).toMatchObject({ status: 'unavailable', postgres: 'ok', migrations: 'pending' });
      await running.sql('insert into migrations values ($1, $2, $3)', [id, timestamp, name]);
      expect((await ask('/readyz')).status).toBe(200);
    } finally {
      await app.close();
    }
  });

  it('503: Postgres being away is no reason to restart the process, and is over when it is back', async () => {
    const url = new URL(running.database.url);
    const proxy = new TcpProxy({ host: url.hostname, port: Number(url.port) });
    url.port = String(await proxy.open());
    const { app, ask } = await secondApp({ DATABASE_URL: url.href });
    const list = () => ask('/v1/conversations').set('authorization', `Bearer ${running.api.key}`);
    try {
      expect((await ask('/readyz')).status).toBe(200);
      expect((await list()).status).toBe(200);
      await proxy.cut();
      const away = await ask('/readyz');
      expect(away.status).toBe(503);
      expect(away.body).toMatchObject({ status: 'unavailable', postgres: 'unavailable' });
      expect((await ask('/livez')).status).toBe(200);
      const refused = await list();
      expectProblem(refused, 'unavailable');
      expect(refused.headers['retry-after']).toBe('1');
      await proxy.open();
      expect((await ask('/readyz')).status).toBe(200);
      expect((await list()).status).toBe(200);
    } finally {
      await app.close();
      await proxy.cut();
    }
  });
});
