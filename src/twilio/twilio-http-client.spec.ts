import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { TwilioError } from './twilio-error.js';
import { TwilioHttpClient } from './twilio-http-client.js';

const SECRET = 'a-secret-of-the-api-key';
const BASIC = Buffer.from(`SKx:${SECRET}`).toString('base64');
const URI = 'https://conversations.twilio.com/v1/Services';

const closing: (() => Promise<unknown>)[] = [];

/** A server that does what it is told, and a client for it. */
async function upstream(listener: RequestListener, callTimeoutMs = 5000) {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const client = new TwilioHttpClient({
    baseUrl: `${origin}/ignored/path`,
    username: 'SKx',
    password: SECRET,
    callTimeoutMs,
    connections: 4,
  });
  closing.push(
    () => client.close(),
    () => stop(server),
  );
  return { client, origin };
}

function stop(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}

async function failure(sent: Promise<unknown>): Promise<TwilioError> {
  const error = await sent.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(TwilioError);
  return error as TwilioError;
}

afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

describe('TwilioHttpClient', () => {
  it('sends to its one origin, whatever host the URI names, a next_page_url with them', async () => {
    const seen: (string | undefined)[] = [];
    const { client } = await upstream((request, response) => {
      seen.push(request.url, request.headers.authorization);
      response.end('{"ok":true}');
    });
    const uri = 'https://user:pass@evil.example:8443/v1/Services?PageSize=50&Page=1&PageToken=PTx%3D';
    await expect(client.request({ method: 'get', uri })).resolves.toMatchObject({
      statusCode: 200,
      body: { ok: true },
    });
    expect(seen).toEqual(['/v1/Services?PageSize=50&Page=1&PageToken=PTx%3D', `Basic ${BASIC}`]);
  });

  it.each(['/v2/Services', '/v1', '/', '/v1/../sandbox/reset', '/v1/%2e%2e/sandbox/reset', '//v1/Services'])(
    'sends nothing to %s, which is outside /v1',
    async (path) => {
      let sent = 0;
      const { client } = await upstream((_, response) => response.end(String(sent++)));
      const error = await failure(
        client.request({ method: 'delete', uri: `https://conversations.twilio.com${path}` }),
      );
      expect([error.kind, sent]).toEqual(['unknown', 0]);
    },
  );

  it('writes forms as the SDK does: repeated keys, null as empty, undefined not at all, %20', async () => {
    let body = '';
    const { client } = await upstream((request, response) => {
      request.on('data', (chunk) => (body += String(chunk))).on('end', () => response.end('{}'));
    });
    const data = { A: 'é +&=', Permission: ['x', 'y'], None: null, Left: undefined, N: 0, Bad: '\ud800' };
    await client.request({ method: 'post', uri: URI, data });
    expect(body).toBe('A=%C3%A9%20%2B%26%3D&Permission=x&Permission=y&None=&N=0&Bad=%EF%BF%BD');
  });

  it('throws a TwilioError with what the headers say', async () => {
    const { client } = await upstream((_, response) => {
      response.writeHead(429, { 'Retry-After': '2', 'Twilio-Request-Id': 'RQ1' });
      response.end('{"code":20429,"message":"slow down","status":429}');
    });
    const error = await failure(client.request({ method: 'get', uri: URI }));
    expect(error).toMatchObject({ kind: 'rate_limited', code: 20429, requestId: 'RQ1', retryAfterMs: 2000 });
  });

  it('follows no redirect', async () => {
    const paths: (string | undefined)[] = [];
    const { client } = await upstream((request, response) => {
      paths.push(request.url);
      response.writeHead(302, { Location: '/v1/Elsewhere' }).end('{}');
    });
    const error = await failure(client.request({ method: 'get', uri: URI }));
    expect([error.kind, error.status, paths]).toEqual(['unknown', 302, ['/v1/Services']]);
  });

  it.each([
    ['HTML', '<html>welcome</html>'],
    ['nothing', ''],
    ['a JSON text', '"CH1"'],
    ['cut JSON', '{"sid":'],
  ])('takes a success with %s for an unknown outcome', async (_, text) => {
    const { client } = await upstream((_request, response) => response.end(text));
    const error = await failure(client.request({ method: 'post', uri: URI, data: {} }));
    expect([error.kind, error.reason, error.status]).toEqual(['unknown', 'server', 200]);
  });

  it('takes an empty answer to a DELETE for done, and nothing else', async () => {
    const { client } = await upstream((_, response) => response.writeHead(204).end());
    await expect(client.request({ method: 'delete', uri: URI, params: {} })).resolves.toMatchObject({
      statusCode: 204,
    });
    const { client: captive } = await upstream((_, response) => response.end('<html>please log in</html>'));
    expect((await failure(captive.request({ method: 'delete', uri: URI }))).kind).toBe('unknown');
  });

  it('sends nothing when it was frozen while it connected, and wakes when its time is over', async () => {
    let sent = 0;
    const { client } = await upstream((_, response) => response.end(String(sent++)));
    const answer = failure(client.request({ method: 'post', uri: URI, data: {} }));
    const now = performance.now.bind(performance);
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => now() + 60_000);
    const { reason } = await answer;
    clock.mockRestore();
    expect([reason, sent]).toEqual(['timeout', 0]);
  });

  it('gives up on headers that do not come', async () => {
    const { client } = await upstream(() => {}, 150);
    const error = await failure(client.request({ method: 'get', uri: URI }));
    expect([error.kind, error.reason]).toEqual(['unknown', 'timeout']);
  });

  it('gives up on a body that does not end, however steadily it drips', async () => {
    let drip: NodeJS.Timeout | undefined;
    const { client } = await upstream((_, response) => {
      drip = setInterval(() => response.write(' '), 20);
    }, 150);
    const error = await failure(client.request({ method: 'get', uri: URI }));
    clearInterval(drip);
    expect([error.kind, error.reason]).toEqual(['unknown', 'timeout']);
  });

  it('reads no more than 32 MiB of an answer', async () => {
    const { client } = await upstream((_, response) =>
      response.end(`{"a":"${'x'.repeat(33 * 1024 * 1024)}"}`),
    );
    const error = await failure(client.request({ method: 'get', uri: URI }));
    expect([error.kind, error.message]).toEqual([
      'unknown',
      "Twilio's answer could not be used: it was too large",
    ]);
  });

  it('calls a cut connection and a refused one unknown outcomes', async () => {
    const { client, origin } = await upstream((request) => request.socket.destroy());
    const cut = await failure(client.request({ method: 'post', uri: URI, data: {} }));
    expect([cut.kind, cut.reason]).toEqual(['unknown', 'network']);
    for (const close of closing.splice(0)) await close();
    const nobody = new TwilioHttpClient({
      baseUrl: origin,
      username: 'SKx',
      password: SECRET,
      callTimeoutMs: 5000,
      connections: 1,
    });
    closing.push(() => nobody.close());
    const refused = await failure(nobody.request({ method: 'get', uri: URI }));
    expect(refused.message).toBe('The connection to Twilio failed (ECONNREFUSED)');
  });

  it('shows its secret neither in an error, whatever the server repeats, nor when it is inspected', async () => {
    const listeners: RequestListener[] = [
      (request) => request.socket.destroy(),
      (request, response) => response.writeHead(502).end(JSON.stringify(request.headers)),
      (request, response) =>
        response.writeHead(400).end(JSON.stringify({ message: request.headers.authorization })),
      (request, response) => response.end(`<pre>${JSON.stringify(request.headers)}`),
    ];
    for (const listener of listeners) {
      const { client } = await upstream(listener);
      const error = await failure(client.request({ method: 'get', uri: URI }));
      const shown =
        inspect([error, client], { depth: null, showHidden: true }) + JSON.stringify([error, client]);
      expect(shown).not.toContain(SECRET);
      expect(shown).not.toContain(BASIC);
    }
  });
});
