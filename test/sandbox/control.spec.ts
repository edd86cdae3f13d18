import { request } from 'node:http';
import twilio from 'twilio';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Harness } from './support/harness.js';
import { harness } from './support/harness.js';
import { endSandboxProcesses, sandboxProcess, temporaryFolder } from './support/process.js';

const TOKEN = 'control-token';

describe('the control API', () => {
  let sandbox: Harness;

  beforeAll(async () => {
    sandbox = await harness({ controlToken: TOKEN });
  });

  afterAll(async () => {
    await endSandboxProcesses();
    await sandbox.stop();
  });

  beforeEach(async () => {
    await sandbox.control('POST', '/reset');
  });

  /** By hand: `fetch` does not let a test choose its Host. */
  const statusWith = (headers: Record<string, string>): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      const { port } = sandbox;
      request({ host: '127.0.0.1', port, path: '/sandbox/state', headers }, (response) => {
        response.resume();
        resolve(response.statusCode);
      })
        .on('error', reject)
        .end();
    });

  it('is open from this machine by its own name, and to nobody else without the token', async () => {
    expect(await statusWith({ host: `localhost:${sandbox.port}` })).toBe(200);
    expect(await statusWith({ host: 'rebound.example.com' })).toBe(403);
    expect(await statusWith({ origin: 'https://example.com' })).toBe(403);
    expect(await statusWith({ origin: `http://127.0.0.1:${sandbox.port}` })).toBe(200);
    const bearer = { authorization: `Bearer ${TOKEN}` };
    expect(await statusWith({ host: 'sandbox', ...bearer })).toBe(200);
    expect(await statusWith({ host: 'sandbox', authorization: 'Bearer wrong' })).toBe(403);
  });

  it('tells what there is, in numbers and in full', async () => {
    const { sid } = await sandbox.v1.conversations.create({ uniqueName: 'one' });
    await sandbox.v1.conversations(sid).participants.create({ identity: 'anna' });
    const { body } = await sandbox.control('GET', '/state');
    expect(body).toMatchObject({
      services: 1,
      roles: 4,
      conversations: 1,
      participants: 1,
      users: 1,
      messages: 0,
    });
    const full = await sandbox.control('GET', '/state?full=true');
    expect(full.body['conversations']).toMatchObject([{ sid, unique_name: 'one' }]);
  });

  it('a reset leaves an account as new, with its default service', async () => {
    await sandbox.v1.conversations.create({ uniqueName: 'gone' });
    expect((await sandbox.control('POST', '/reset')).status).toBe(204);
    const { defaultChatServiceSid } = await sandbox.v1.configuration().fetch();
    expect(defaultChatServiceSid).toBe(sandbox.config.chatServiceSid);
    expect(await sandbox.v1.conversations.list()).toEqual([]);
  });

  describe('access tokens', () => {
    const { AccessToken } = twilio.jwt;

    const token = (
      options: { ttl?: number; identity?: string; secret?: string; service?: string } = {},
    ): string => {
      const { accountSid, apiKeySid, apiKeySecret, chatServiceSid } = sandbox.config;
      const { ttl = 3600, identity = 'anna', secret = apiKeySecret, service = chatServiceSid } = options;
      const made = new AccessToken(accountSid, apiKeySid, secret, { identity, ttl });
      made.addGrant(new AccessToken.ChatGrant({ serviceSid: service }));
      return made.toJwt();
    };

    const verdict = async (text: string) =>
      (await sandbox.control('POST', '/tokens/verify', { token: text })).body;

    it('one that the official library made is valid', async () => {
      expect(await verdict(token())).toMatchObject({
        valid: true,
        identity: 'anna',
        serviceSid: sandbox.config.chatServiceSid,
        expiresAt: expect.stringMatching(/Z$/) as string,
        reason: null,
      });
    });

    it.each([
      ['signature', { secret: 'another secret' }],
      ['lifetime over 24 hours', { ttl: 90_000 }],
      ['service unknown', { service: `IS${'0'.repeat(32)}` }],
    ])('one is refused for its %s', async (reason, options) => {
      expect(await verdict(token(options))).toMatchObject({ valid: false, reason });
    });

    it('one expires by the clock of the sandbox', async () => {
      const short = token({ ttl: 300 });
      await sandbox.control('POST', '/clock', { advance: 'PT6M' });
      expect(await verdict(short)).toMatchObject({ valid: false, reason: 'expired' });
    });

    it('what is no token is malformed', async () => {
      for (const text of ['', 'a.b', 'a.b.c', `${token()}.more`]) {
        expect(await verdict(text)).toMatchObject({ valid: false, reason: 'malformed' });
      }
    });
  });

  it('the process says where it listens, and ends with 0 when asked to', async () => {
    const folder = temporaryFolder();
    const running = await sandboxProcess({ SANDBOX_DATA_DIR: folder.path });
    expect(running.baseUrl).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    expect((await running.call('GET', '/v1/Services')).status).toBe(200);
    expect(await running.kill('SIGTERM')).toBe(0);
    folder.remove();
  });

  it('settings that are wrong stop the start, all of them listed', async () => {
    const wrong = { SANDBOX_PORT: 'high', SANDBOX_ACCOUNT_SID: 'AC1' };
    await expect(sandboxProcess(wrong)).rejects.toThrow(
      /SANDBOX_PORT must be[^]*SANDBOX_ACCOUNT_SID must be/,
    );
  });
});
