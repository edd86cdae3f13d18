import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { parseRetryAfter, TwilioError } from './twilio-error.js';
import { classify, type TwilioErrorKind } from './twilio-error-table.js';
import { toAppError } from './to-app-error.js';

const REQUEST_ID = `RQ${'a'.repeat(32)}`;
const OTHER = `CH${'0f'.repeat(16)}`;

function answer(status: number, body: unknown, headers: Record<string, string> = {}): TwilioError {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return TwilioError.fromAnswer(status, { 'twilio-request-id': REQUEST_ID, ...headers }, text);
}

describe('the kind of a failure', () => {
  const rows: [TwilioErrorKind, number, number[]][] = [
    ['refused', 400, [20001, 50104, 50207, 50304, 50375, 50376, 50379, 50407, 50413, 50417, 50422, 50504]],
    ['already_exists', 409, [50353, 50433, 50437, 50201, 50416]],
    ['closed', 400, [50377]],
    ['not_found', 404, [20404, 50050, 50200, 50350, 50432, 50500]],
    ['conflict', 409, [50213, 50349, 50391, 50419, 50449, 50002, 50334]],
    ['rate_limited', 429, [20429, 50063, 50074]],
    ['blocked', 401, [20003, 20403, 20104]],
  ];
  it.each(rows)('%s: by its code', (kind, status, codes) => {
    for (const code of codes) expect([code, classify(status, code, true)]).toEqual([code, kind]);
  });

  it('comes from the code where the status would say something else', () => {
    expect(classify(400, 50353, true)).toBe('already_exists');
    expect(classify(400, 50350, true)).toBe('not_found');
    expect(classify(400, 50063, true)).toBe('rate_limited');
    expect(classify(404, 50100, true)).toBe('refused');
  });

  it('comes from the status where there is no code', () => {
    expect(classify(404, null, true)).toBe('not_found');
    expect(classify(429, null, false)).toBe('rate_limited');
    for (const status of [401, 403]) expect(classify(status, null, false)).toBe('blocked');
    for (const status of [301, 408, 500, 502, 503, 504])
      expect(classify(status, null, false)).toBe('unknown');
  });

  it('is never refused for a code that nobody listed: nothing may be taken away because of it', () => {
    for (const status of [400, 402, 403, 405, 409, 410, 413, 415, 422]) {
      expect(classify(status, 50999, true)).toBe('blocked');
      expect(classify(status, null, true)).toBe('blocked');
    }
  });

  it("is not not_found when the 404 is a proxy's: nothing may count as removed by it", () => {
    expect(answer(404, '<html>no such page</html>').kind).toBe('blocked');
    expect(answer(404, '').kind).toBe('blocked');
    expect(answer(404, { message: 'gone' }).kind).toBe('not_found');
  });
});

describe('TwilioError', () => {
  it('keeps code, status, request id and Retry-After', () => {
    const error = answer(429, { code: 20429, message: 'Too many requests' }, { 'retry-after': '7' });
    expect(error).toMatchObject({
      kind: 'rate_limited',
      code: 20429,
      status: 429,
      requestId: REQUEST_ID,
      retryAfterMs: 7000,
      message: 'Twilio answered 429, code 20429: Too many requests',
    });
  });

  it('names the conversation that holds the address pair (50416), and only then', () => {
    const message = `A binding for this participant and proxy address already exists in Conversation ${OTHER}`;
    expect(answer(409, { code: 50416, message }).conflictingConversationSid).toBe(OTHER);
    expect(answer(409, { code: 50416, message: 'already exists' }).conflictingConversationSid).toBeNull();
    expect(answer(409, { code: 50433, message }).conflictingConversationSid).toBeNull();
  });

  it('tells refused credentials from other blocks', () => {
    expect(answer(401, '').auth).toBe(true);
    expect(answer(403, { code: 20403 }).auth).toBe(true);
    expect(answer(400, { code: 20003 }).auth).toBe(true);
    expect(answer(400, { code: 50999 }).auth).toBe(false);
    expect(answer(404, { code: 20404 }).auth).toBe(false);
  });

  it('says why an outcome is unknown', () => {
    expect(TwilioError.timeout(4000)).toMatchObject({ kind: 'unknown', reason: 'timeout', status: null });
    expect(TwilioError.network(new Error('x'))).toMatchObject({ kind: 'unknown', reason: 'network' });
    expect(answer(503, 'down')).toMatchObject({ kind: 'unknown', reason: 'server', code: null });
    expect(answer(400, { code: 20001 }).reason).toBeNull();
  });

  it.each([
    ['seconds', '3', 3000],
    ['a part of a second', '0.5', 500],
    ['a date', 'Thu, 01 Jan 1970 00:00:05 GMT', 4000],
    ['a date that is past', 'Thu, 01 Jan 1970 00:00:00 GMT', 0],
    ['years', '99999999', 86_400_000],
    ['nonsense', 'soon', null],
    ['nothing', undefined, null],
  ])('reads Retry-After given as %s', (_, value, expected) => {
    expect(parseRetryAfter(value, 1000)).toBe(expected);
  });

  it('holds nothing of the error it came from', () => {
    const secret = 'Zm9vOnNlY3JldA==';
    const source = Object.assign(new Error(`Authorization: Basic ${secret}`), {
      code: `ECONNRESET ${secret}`,
      config: { headers: { Authorization: secret } },
    });
    expect(inspect(TwilioError.network(source), { depth: null, showHidden: true })).not.toContain(secret);
    source.code = 'ECONNRESET';
    const error = TwilioError.network(source);
    expect(error.message).toBe('The connection to Twilio failed (ECONNRESET)');
    expect(inspect(error, { depth: null, showHidden: true })).not.toContain(secret);
  });

  it("masks addresses and credentials in Twilio's words, on one bounded line", () => {
    const said =
      'Invalid\n address +15551230000 or ann@example.com, Authorization: Basic c2VjcmV0 ' + 'x'.repeat(900);
    const { message } = answer(400, { code: 50407, message: said });
    expect(message).toContain('code 50407: Invalid address … or …@…, Authorization: Basic …');
    expect(message.length).toBeLessThan(600);
    expect(answer(409, { code: 50416, message: `exists in ${OTHER}` }).message).toContain(OTHER);
  });

  it('holds no half of a character, wherever Twilio or the bound cuts: Postgres would not record it', () => {
    for (const said of [`${'x'.repeat(499)}🦉`, 'a\ud83d b', '\udd89']) {
      expect(answer(400, { code: 50407, message: said }).message).not.toMatch(/\p{Cs}/u);
    }
    expect(answer(400, { code: 50407, message: 'an owl 🦉' }).message).toContain('an owl 🦉');
  });

  it('survives bodies that are no error of Twilio', () => {
    for (const body of ['', 'null', '[]', '"text"', '{', '{"code":"abc","message":{}}', '{"code":1.5}']) {
      expect(answer(400, body)).toMatchObject({
        kind: 'blocked',
        code: null,
        message: 'Twilio answered 400',
      });
    }
  });
});

describe('toAppError, for those who wait for the one call', () => {
  it.each([
    ['upstream_auth_failed', 502, answer(401, { code: 20003 })],
    ['upstream_auth_failed', 502, answer(403, '')],
    ['upstream_rate_limited', 503, answer(429, {})],
    ['upstream_timeout', 504, TwilioError.timeout(1)],
    ['upstream_unavailable', 502, answer(500, {})],
    ['upstream_unavailable', 502, answer(503, { code: 20503 })],
    ['upstream_unavailable', 502, TwilioError.network(new Error('reset'))],
    ['upstream_unavailable', 502, answer(409, { code: 50449 })],
    ['upstream_unavailable', 502, answer(400, { code: 50999 })],
    ['not_found', 404, answer(404, { code: 20404 })],
    ['upstream_refused', 422, answer(400, { code: 50104 })],
    ['upstream_refused', 422, answer(409, { code: 50353 })],
    ['address_in_use', 409, answer(409, { code: 50416, message: `in Conversation ${OTHER}` })],
    ['conversation_closed', 409, answer(400, { code: 50377 })],
  ])('%s %i', (code, status, error) => {
    expect(toAppError(error)).toMatchObject({ code, status });
  });

  it('hands on what Twilio said of a refusal, and its request id', () => {
    const { options } = toAppError(answer(400, { code: 50104, message: 'Unknown permission fly' }));
    expect(options.twilio).toEqual({ code: 50104, status: 400, requestId: REQUEST_ID });
    expect(options.detail).toBe('Twilio answered 400, code 50104: Unknown permission fly');
  });

  it('asks to come again: after what Twilio said, after a second otherwise', () => {
    expect(toAppError(answer(429, {}, { 'retry-after': '1.2' })).headers).toEqual({ 'Retry-After': '2' });
    expect(toAppError(answer(429, {})).headers).toEqual({ 'Retry-After': '1' });
  });
});
