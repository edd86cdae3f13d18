import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Harness } from './support/harness.js';
import { harness } from './support/harness.js';

describe('what no well-behaved client sends', () => {
  let sandbox: Harness;

  beforeAll(async () => {
    sandbox = await harness();
  });

  afterAll(() => sandbox.stop());

  /** The first answer to some bytes, as text. */
  const send = (head: string, headers: string[] = [], body = ''): Promise<string> =>
    new Promise((resolve, reject) => {
      const { accountSid, authToken } = sandbox.config;
      const socket = connect(sandbox.port, '127.0.0.1');
      let answer = '';
      socket.on('data', (chunk) => (answer += chunk.toString()));
      socket.on('close', () => resolve(answer));
      socket.on('error', reject);
      const authorization = `authorization: Basic ${btoa(`${accountSid}:${authToken}`)}`;
      const length = `content-length: ${Buffer.byteLength(body)}`;
      const lines = [`${head} HTTP/1.1`, 'connection: close', authorization, length, ...headers, '', body];
      socket.write(lines.join('\r\n'));
    });

  const HOST = 'host: localhost';
  const FORM = 'content-type: application/x-www-form-urlencoded; charset=UTF-8';
  const errorIn = (answer: string): unknown => JSON.parse(answer.slice(answer.indexOf('\r\n\r\n')));

  it.each([
    ['a path that cannot be decoded', 'GET /v1/Conversations/%zz', [HOST], '', 400, 20001],
    ['a path of 10,000 characters', `GET /v1/Users/${'x'.repeat(10_000)}`, [HOST], '', 404, 20404],
    ['JSON', 'POST /v1/Conversations', [HOST, 'content-type: application/json'], '{}', 415, 20001],
    [
      'a form of 3 MB',
      'POST /v1/Conversations',
      [HOST, FORM],
      `Attributes=${'x'.repeat(3_000_000)}`,
      413,
      20001,
    ],
    ['a key named __proto__', 'POST /v1/Conversations', [HOST, FORM], '__proto__=1', 400, 20001],
    ['a key named constructor', 'POST /v1/Conversations', [HOST, FORM], 'constructor=1', 400, 20001],
    ['a page size of nought', 'GET /v1/Conversations?PageSize=0', [HOST], '', 400, 20001],
    ['PATCH', 'PATCH /v1/Conversations/x', [HOST], '', 405, 20004],
    ['a path outside of the API', 'GET /v2/Conversations', [HOST], '', 404, 20404],
  ])("%s is answered with Twilio's error body", async (_, head, headers, body, status, code) => {
    const answer = await send(head, headers, body);
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(errorIn(answer)).toMatchObject({ code, status });
  });

  it('a Host that could not stand in a URL does not come to stand in one', async () => {
    const answer = await send('POST /v1/Conversations', ['host: x"y'], '');
    expect(errorIn(answer)).toMatchObject({
      url: expect.stringMatching(/^http:\/\/localhost\/v1\//) as string,
    });
  });

  it('names with any character are found again by their encoded path', async () => {
    const UniqueName = 'Ü/ber?#%20 🙂';
    const { body } = await sandbox.call('POST', '/v1/Conversations', { UniqueName });
    const found = await sandbox.call('GET', `/v1/Conversations/${encodeURIComponent(UniqueName)}`);
    expect(found.body).toEqual(body);
    expect(body['unique_name']).toBe(UniqueName);
  });

  it('a deletion answers 204 without a body or a type', async () => {
    const { body } = await sandbox.call('POST', '/v1/Conversations', {});
    const answer = await send(`DELETE /v1/Conversations/${body.sid}`, [HOST]);
    expect(answer).toMatch(/^HTTP\/1.1 204 /);
    expect(answer.toLowerCase()).not.toMatch(/content-(type|length)/);
    expect(answer).toMatch(/Twilio-Request-Id: RQ[0-9a-f]{32}/);
  });
});
