import { describe, expect, it } from 'vitest';
import { TwilioError } from '../twilio/twilio-error.js';
import type { TwilioErrorKind } from '../twilio/twilio-error-table.js';
import { NotReady, pauseAfter, troubleOf } from './pause.js';

const error = (kind: TwilioErrorKind, more: object = {}) => new TwilioError({ kind, message: 'x', ...more });

/** The least and the most that chance makes of it. */
const range = (what: unknown, attempts: number) => [
  pauseAfter(what, attempts, () => 0),
  pauseAfter(what, attempts, () => 1),
];

describe('pauseAfter', () => {
  const KINDS: [string, unknown, number, number][] = [
    ['a conflict', error('conflict'), 100, 5000],
    ['an unknown outcome', error('unknown'), 100, 5000],
    ['a limited rate', error('rate_limited'), 250, 5000],
    ['bad credentials', error('blocked'), 1000, 60_000],
    ['a failure of our own', new Error('x'), 1000, 60_000],
  ];

  it.each(KINDS)(
    '%s: doubles with each try, up to a bound, of which chance takes up to half',
    (_, what, base, most) => {
      for (const attempts of [0, 1, 2, 5, 10, 50, 5000]) {
        const ceiling = Math.min(most, base * 2 ** Math.min(attempts, 20));
        expect(range(what, attempts), String(attempts)).toEqual([Math.round(ceiling / 2), ceiling]);
      }
    },
  );

  it('what is not ready yet: soon again at first, and then less often, so that its lease can be given up', () => {
    expect(range(new NotReady('It'), 0)).toEqual([25, 50]);
    expect(range(new NotReady('It'), 18)).toEqual([75, 150]);
    expect(range(new NotReady('It'), 19)).toEqual([1000, 2000]);
  });

  it('differs between rows that failed together', () => {
    const pauses = Array.from({ length: 50 }, () => pauseAfter(error('blocked'), 10));
    expect(new Set(pauses).size).toBeGreaterThan(40);
  });

  it('waits as long as Twilio asks for, where that is longer', () => {
    for (const kind of ['rate_limited', 'unknown', 'conflict'] as const) {
      expect(range(error(kind, { retryAfterMs: 30_000 }), 0)).toEqual([30_000, 30_000]);
      expect(pauseAfter(error(kind, { retryAfterMs: 1 }), 5, () => 1)).toBeGreaterThan(1000);
    }
  });
});

describe('troubleOf', () => {
  it.each([
    [new NotReady('The service'), 'not_ready'],
    [new Error('password=x'), 'internal_error'],
    ['password=x', 'internal_error'],
    [error('blocked', { code: 20003, status: 401 }), 'upstream_auth_failed'],
    [error('blocked', { code: 59999, status: 400 }), 'twilio_blocked_59999'],
    [error('unknown', { status: 503 }), 'twilio_unknown_503'],
    [error('unknown'), 'twilio_unknown'],
  ])('says a code, and no text that could hold a secret: %s', (what, expected) => {
    expect(troubleOf(what)).toBe(expected);
  });
});
