import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { TwilioError } from './twilio-error.js';
import { UpstreamHealth } from './upstream-health.js';

const silence = TwilioError.timeout(100);
const health = () => new UpstreamHealth();

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }));
afterEach(() => void vi.useRealTimers());

function fail(what: UpstreamHealth, times: number): void {
  for (let n = 0; n < times; n += 1) what.note(silence);
}

it('is down after five calls without an answer over two seconds, and not before', () => {
  const seen = health();
  fail(seen, 4);
  vi.advanceTimersByTime(2000);
  expect(seen.down).toBe(false);
  fail(seen, 1);
  expect(seen.down).toBe(true);
});

it('is not down by a burst of failures alone', () => {
  const seen = health();
  fail(seen, 50);
  expect(seen.down).toBe(false);
});

it.each([
  ['a success', null],
  ['a refusal', new TwilioError({ kind: 'refused', message: 'x' })],
  ['a limited rate', new TwilioError({ kind: 'rate_limited', message: 'x' })],
])('is up again by %s', (_, answer) => {
  const seen = health();
  fail(seen, 5);
  vi.advanceTimersByTime(2000);
  expect(seen.down).toBe(true);
  seen.note(answer);
  expect(seen.down).toBe(false);
});
