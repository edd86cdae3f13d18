import request from 'supertest';
import { describe, expect, it } from 'vitest';
import { useApp } from '../support/app.js';
import { expectProblem } from '../support/problems.js';
import { openSession } from '../support/token-sessions.js';

const ORIGIN = 'https://app.example.com';
const running = useApp({ CORS_ORIGINS: `${ORIGIN}, http://localhost:5173` });

const BROWSER_ROUTES = ['/v1/tokens/refresh', '/v1/tokens/exchange'];

const preflight = (path: string, origin: string) =>
  request(running.server)
    .options(path)
    .set('origin', origin)
    .set('access-control-request-method', 'POST')
    .set('access-control-request-headers', 'content-type');

const allowedOrigin = (response: { headers: Record<string, string> }) =>
  response.headers['access-control-allow-origin'];

describe.each(BROWSER_ROUTES)('%s for a page', (path) => {
  it.each([ORIGIN, 'http://localhost:5173'])(
    'of %s: the browser is told that it may call',
    async (origin) => {
      const response = await preflight(path, origin);
      expect(response.status).toBe(204);
      expect(response.headers).toMatchObject({
        'access-control-allow-origin': origin,
        'access-control-allow-methods': 'POST',
        'access-control-allow-headers': expect.stringContaining('Content-Type') as string,
        vary: expect.stringContaining('Origin') as string,
      });
      expect(response.headers).not.toHaveProperty('access-control-allow-credentials');
    },
  );

  it.each([
    'https://evil.example',
    'http://app.example.com',
    'https://app.example.com:8443',
    'https://sub.app.example.com',
    'https://app.example.com.evil.example',
    'https://APP.example.com',
    'null',
    '*',
  ])('of %s: it is told nothing, so that it refuses', async (origin) => {
    const response = await preflight(path, origin);
    expect(response.status).toBe(204);
    expect(allowedOrigin(response)).toBeUndefined();
    expect(response.headers['vary']).toContain('Origin');
    const posted = await request(running.server).post(path).set('origin', origin).send({});
    expect(allowedOrigin(posted)).toBeUndefined();
  });

  it('400: a question with a body that is no JSON is refused in the form of every failure', async () => {
    const asked = preflight(path, ORIGIN).set('content-type', 'application/json');
    expectProblem(await asked.send('{'), 'malformed_json');
  });

  it('may read failures too, and when to come again', async () => {
    const bodies = ['{}', '{', `{"refreshToken":"x"}`];
    for (const body of bodies) {
      const response = await request(running.server)
        .post(path)
        .set({ origin: ORIGIN, 'content-type': 'application/json' })
        .send(body);
      expect(response.status).toBeGreaterThanOrEqual(400);
      expect(allowedOrigin(response)).toBe(ORIGIN);
      expect(response.headers['access-control-expose-headers']).toContain('Retry-After');
    }
  });

  it('may read what is refused before its body is read as JSON: 413 and 415', async () => {
    const send = (type: string, body: string) =>
      request(running.server).post(path).set({ origin: ORIGIN, 'content-type': type }).send(body);
    const answers = [
      await send('application/json', JSON.stringify({ refreshToken: 'x'.repeat(1_100_000) })),
      await send('text/plain', '{}'),
      await send('application/x-www-form-urlencoded', 'refreshToken=x'),
    ];
    expect(answers.map(({ status }) => status)).toEqual([413, 415, 415]);
    for (const answer of answers) {
      expect(allowedOrigin(answer)).toBe(ORIGIN);
      expect(answer.headers['vary']).toContain('Origin');
    }
  });

  it('the answer depends on the origin for caches, also where none is sent', async () => {
    const response = await request(running.server).post(path).send({});
    expect(response.headers['vary']).toContain('Origin');
    expect(allowedOrigin(response)).toBeUndefined();
  });
});

it('200: a page of an allowed origin refreshes', async () => {
  const { session } = await openSession(running);
  const { refreshToken } = session;
  const response = await request(running.server)
    .post('/v1/tokens/refresh')
    .set('origin', ORIGIN)
    .send({ refreshToken });
  expect(response.status).toBe(200);
  expect(allowedOrigin(response)).toBe(ORIGIN);
});

it.each(['/v1/tokens', '/v1/conversations', '/v1/api-keys', '/livez'])(
  '%s is for no page, whatever its origin',
  async (path) => {
    expect((await preflight(path, ORIGIN)).status).toBe(404);
    const response = await request(running.server).post(path).set('origin', ORIGIN).send({});
    expect(allowedOrigin(response)).toBeUndefined();
  },
);
