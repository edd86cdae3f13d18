import type { AddressInfo } from 'node:net';
import express from 'express';
import twilio from 'twilio';

/**
 * The token server of Twilio's own tutorial: a route of Express, the library as it comes, whoever asks. No key, no
 * checks, no database, no log. A process of its own; prints where it listens.
 */
const [, , accountSid = '', apiKeySid = '', apiKeySecret = '', serviceSid = ''] = process.argv;
const { AccessToken } = twilio.jwt;

const app = express();
app.get('/token', (request, response) => {
  const { identity } = request.query as { identity: string };
  const token = new AccessToken(accountSid, apiKeySid, apiKeySecret, { identity });
  token.addGrant(new AccessToken.ChatGrant({ serviceSid }));
  response.send({ identity, token: token.toJwt() });
});

const server = app.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo;
  process.stdout.write(`tutorial listening on http://127.0.0.1:${port}\n`);
});
