import { inspect } from 'node:util';
import twilio from 'twilio';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { loadConfig } from '../config/app-config.js';
import { AccessTokens } from './access-tokens.js';
import { PathParameterError } from './path-parameters.js';

const SECRET = 'not-ascii-only-sécret-0123456789';
const config = loadConfig({
  DATABASE_URL: 'postgres://localhost/unused',
  TWILIO_ACCOUNT_SID: `AC${'1'.repeat(32)}`,
  TWILIO_API_KEY_SID: `SK${'2'.repeat(32)}`,
  TWILIO_API_KEY_SECRET: SECRET,
  TWILIO_CHAT_SERVICE_SID: `IS${'3'.repeat(32)}`,
});
const request = { identity: 'agent-7', serviceSid: `IS${'4'.repeat(32)}`, ttlSeconds: 3600 };
const tokens = new AccessTokens(config);

function part(token: string, index: number): Record<string, unknown> {
  return JSON.parse(Buffer.from(token.split('.')[index] ?? '', 'base64url').toString()) as Record<
    string,
    unknown
  >;
}

describe('AccessTokens', () => {
  beforeEach(() => vi.useFakeTimers({ toFake: ['Date'], now: new Date('2026-01-02T03:04:05.678Z') }));
  afterEach(() => vi.useRealTimers());

  it('mints the bytes that the SDK mints from the secret as a string', () => {
    const { AccessToken } = twilio.jwt;
    for (const pushCredentialSid of [undefined, `CR${'5'.repeat(32)}`]) {
      const theirs = new AccessToken(config.twilio.accountSid, config.twilio.apiKeySid, SECRET, {
        identity: request.identity,
        ttl: request.ttlSeconds,
      });
      theirs.addGrant(new AccessToken.ChatGrant({ serviceSid: request.serviceSid, pushCredentialSid }));
      expect(tokens.mint({ ...request, pushCredentialSid }).token).toBe(theirs.toJwt());
    }
  });

  it('grants chat in one service to one identity', () => {
    const { token } = tokens.mint(request);
    expect(part(token, 0)).toEqual({ alg: 'HS256', typ: 'JWT', cty: 'twilio-fpa;v=1' });
    expect(part(token, 1)).toMatchObject({
      iss: config.twilio.apiKeySid,
      sub: config.twilio.accountSid,
      grants: { identity: 'agent-7', chat: { service_sid: request.serviceSid } },
    });
  });

  it('says when the token begins and ends as the token does', () => {
    for (const ttlSeconds of [180, 3600, 86_400]) {
      const { token, issuedAt, expiresAt } = tokens.mint({ ...request, ttlSeconds });
      const { iat, exp } = part(token, 1) as { iat: number; exp: number };
      expect(exp - iat).toBe(ttlSeconds);
      expect(issuedAt).toEqual(new Date('2026-01-02T03:04:05Z'));
      expect(expiresAt.getTime()).toBe(exp * 1000);
    }
  });

  it('refuses a life that is no integer from 180 to 86400, of which the SDK would make a wrong token', () => {
    for (const ttlSeconds of [0, 179, 86_401, -1, 900.5, NaN, Infinity, '900' as unknown as number]) {
      expect(() => tokens.mint({ ...request, ttlSeconds })).toThrow(RangeError);
    }
  });

  it('refuses an empty identity, and a chat service that is none', () => {
    expect(() => tokens.mint({ ...request, identity: '' })).toThrow(RangeError);
    expect(() => tokens.mint({ ...request, serviceSid: '' })).toThrow(PathParameterError);
  });

  it('does not show its secret when it is inspected', () => {
    const shown = inspect(tokens, { depth: null, showHidden: true });
    expect(shown).not.toContain(SECRET);
    expect(shown).not.toContain(config.twilio.apiKeySid);
  });
});
