import request from 'supertest';
import { describe, expect, it } from 'vitest';
import { useApp } from '../support/app.js';
import { expectProblem } from '../support/problems.js';
import { sendRaw, type RawAnswer } from '../support/raw-http.js';

const running = useApp();

const get = (path: string) => request(running.server).get(path);

/** Answers that never became a request of the framework: whole problem documents all the same. */
function expectRawProblem({ status, headers, body }: RawAnswer, expected: number, code: string): void {
  expect({ status, type: headers['content-type'] }).toEqual({
    status: expected,
    type: 'application/problem+json; charset=utf-8',
  });
  expect(JSON.parse(body)).toMatchObject({ status, code, requestId: headers['x-request-id'] });
  expect(headers['connection']).toBe('close');
}

describe('X-Request-Id', () => {
  const MADE = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/;

  it.each(['abc', '0123', 'req_A-1.2:3@h/x+y=', 'x'.repeat(128)])('takes %s and answers it', async (id) => {
    for (const path of ['/livez', '/v1/conversations', '/nothing', '/v1/conversations/%zz']) {
      expect((await get(path).set('x-request-id', id)).headers['x-request-id']).toBe(id);
    }
  });

  it('names the request in the problem document too', async () => {
    const response = await get('/v1/conversations').set('x-request-id', 'abc-123');
    expect(expectProblem(response, 'unauthorized').requestId).toBe('abc-123');
  });

  it('makes one where none came, another for each request', async () => {
    const ids = await Promise.all([get('/livez'), get('/livez'), get('/nothing')]);
    const made = ids.map(({ headers }) => headers['x-request-id']);
    for (const id of made) expect(id).toMatch(MADE);
    expect(new Set(made).size).toBe(3);
  });

  it.each(['', ' ', 'a b', 'a,b', '"quoted"', '<script>', 'ünï', 'x'.repeat(129), '{"a":1}'])(
    'makes one where %j came, which could not be logged safely',
    async (id) => {
      expect((await get('/livez').set('x-request-id', id)).headers['x-request-id']).toMatch(MADE);
    },
  );

  it('makes one where two came', async () => {
    const { headers } = await sendRaw(
      running.server,
      'GET /livez HTTP/1.1\r\nHost: x\r\nX-Request-Id: a\r\nX-Request-Id: b\r\nConnection: close\r\n\r\n',
    );
    expect(headers['x-request-id']).toMatch(MADE);
  });
});

describe('security headers', () => {
  const always = ({ headers }: { headers: Record<string, unknown> }) => {
    expect(headers['x-content-type-options']).toBe('nosniff');
    expect(headers['strict-transport-security']).toMatch(/^max-age=\d{8,}/);
    expect(headers['referrer-policy']).toBe('no-referrer');
    return { frames: headers['x-frame-options'], policy: String(headers['content-security-policy']) };
  };

  it.each(['/livez', '/openapi.json', '/v1/conversations', '/nothing'])(
    'let nothing be loaded by, and nothing frame, what %s answers',
    async (path) => {
      const { frames, policy } = always(await get(path));
      expect(frames).toBe('DENY');
      expect(policy).toBe("default-src 'none';frame-ancestors 'none'");
    },
  );

  it('let the documentation page load its own scripts alone, over http too', async () => {
    const { frames, policy } = always(await get('/docs'));
    expect(frames).toBe('SAMEORIGIN');
    expect(policy).toContain("default-src 'self'");
    expect(policy).toContain("script-src 'self';");
    expect(policy).not.toContain('upgrade-insecure-requests');
  });

  it('say nothing about what the service is made of', async () => {
    const { headers } = await get('/livez');
    expect(headers).not.toHaveProperty('x-powered-by');
    expect(headers).not.toHaveProperty('server');
  });

  it('allow no other origin to read answers', async () => {
    const { headers } = await get('/v1/conversations').set('origin', 'https://evil.example');
    expect(headers).not.toHaveProperty('access-control-allow-origin');
  });
});

describe('what is no request', () => {
  it.each([
    ['words', 'GARBAGE\r\n\r\n'],
    ['bytes of TLS', '\u0016\u0003\u0001\u0002\u0000\u0001\u0000\r\n\r\n'],
    ['a header without a colon', 'GET /livez HTTP/1.1\r\nHost: x\r\nbroken\r\n\r\n'],
    ['NUL in a header', 'GET /livez HTTP/1.1\r\nHost: x\r\nx: a\u0000b\r\n\r\n'],
    [
      'two lengths',
      'POST /v1/tokens HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}',
    ],
    [
      'a length and chunks at once',
      'POST /v1/tokens HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    ['no Host', 'GET /livez HTTP/1.1\r\nConnection: close\r\n\r\n'],
  ])('400: %s', async (_, text) => {
    expectRawProblem(await sendRaw(running.server, text), 400, 'malformed_request');
  });

  it('431: headers of 20 KB', async () => {
    const text = `GET /livez HTTP/1.1\r\nHost: x\r\nx-long: ${'x'.repeat(20_000)}\r\n\r\n`;
    expectRawProblem(await sendRaw(running.server, text), 431, 'headers_too_large');
  });

  it('431: a path of 20 KB, which stands in the headers too', async () => {
    const text = `GET /${'x'.repeat(20_000)} HTTP/1.1\r\nHost: x\r\n\r\n`;
    expectRawProblem(await sendRaw(running.server, text), 431, 'headers_too_large');
  });
});

describe('unusual requests', () => {
  it('200: an expectation that nobody knows is ignored', async () => {
    const text = 'GET /livez HTTP/1.1\r\nHost: x\r\nExpect: wonders\r\nConnection: close\r\n\r\n';
    expect(await sendRaw(running.server, text)).toMatchObject({ status: 200, body: '{"status":"ok"}' });
  });

  it('200: HTTP/1.0 without Host', async () => {
    const answer = await sendRaw(running.server, 'GET /livez HTTP/1.0\r\n\r\n');
    expect(answer).toMatchObject({ status: 200, body: '{"status":"ok"}' });
  });

  it('404: the path that stands for the whole server', async () => {
    const text = 'OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';
    expectRawProblem(await sendRaw(running.server, text), 404, 'not_found');
  });

  it('a HEAD request is answered as GET would be, without a body', async () => {
    const response = await request(running.server).head('/livez');
    expect(response.status).toBe(200);
    expect(response.text).toBeFalsy();
    expect((await request(running.server).head('/v1/conversations')).status).toBe(401);
  });
});
