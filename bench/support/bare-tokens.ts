import { createHmac, createSecretKey } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** The limit: node:http and a JWT made by hand, for whoever asks. A process of its own; prints where it listens. */
const [, , accountSid = '', apiKeySid = '', apiKeySecret = '', serviceSid = ''] = process.argv;
const key = createSecretKey(Buffer.from(apiKeySecret));
const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const header = part({ alg: 'HS256', typ: 'JWT', cty: 'twilio-fpa;v=1' });

function tokenFor(identity: string): string {
  const iat = Math.floor(Date.now() / 1000);
  const grants = { identity, chat: { service_sid: serviceSid } };
  const claims = {
    jti: `${apiKeySid}-${iat}`,
    grants,
    iat,
    exp: iat + 3600,
    iss: apiKeySid,
    sub: accountSid,
  };
  const signed = `${header}.${part(claims)}`;
  return `${signed}.${createHmac('sha256', key).update(signed).digest('base64url')}`;
}

const server = createServer((request, response) => {
  const identity = new URL(request.url ?? '', 'http://x').searchParams.get('identity') ?? '';
  const body = JSON.stringify({ identity, token: tokenFor(identity) });
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
  response.end(body);
});
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(
    `bare server listening on http://127.0.0.1:${(server.address() as AddressInfo).port}\n`,
  );
});
