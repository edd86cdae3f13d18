import { describe, expect, it } from 'vitest';
import { Bucket, policyOf } from './bucket.js';

/** How many requests are let through when one comes each millisecond. */
function letThrough(bucket: Bucket, perMinute: number, fromMs: number, untilMs: number): number {
  const policy = policyOf(perMinute, 5);
  let taken = 0;
  for (let now = fromMs; now < untilMs; now += 1) while (bucket.take(now, policy)) taken += 1;
  return taken;
}

describe('a bucket', () => {
  it.each([1, 7, 50, 60, 999, 60_000, 1_000_000])(
    'of %i a minute lets its quota through in one go, and no more than the rate after that',
    (perMinute) => {
      const { quota } = policyOf(perMinute, 5);
      const bucket = new Bucket();
      expect(letThrough(bucket, perMinute, 1000, 1001)).toBe(quota);
      const inTwoMinutes = letThrough(bucket, perMinute, 1001, 121_001);
      expect(Math.abs(inTwoMinutes - 2 * perMinute)).toBeLessThanOrEqual(1);
    },
  );

  it('is never fuller than full, however long nothing comes', () => {
    const bucket = new Bucket();
    expect(letThrough(bucket, 60, 0, 1)).toBe(5);
    expect(letThrough(bucket, 60, 3_600_000, 3_600_001)).toBe(5);
  });

  it('says how many are left, and how long to wait for one where none is', () => {
    const policy = policyOf(60, 5);
    const bucket = new Bucket();
    for (const left of [4, 3, 2, 1, 0]) {
      expect(bucket.waitMs(1000, policy)).toBe(0);
      expect(bucket.take(1000, policy)).toBe(true);
      expect(bucket.remaining(1000, policy)).toBe(left);
    }
    expect(bucket.take(1000, policy)).toBe(false);
    expect(bucket.waitMs(1000, policy)).toBeCloseTo(1000, 1);
    expect(bucket.waitMs(1600, policy)).toBeCloseTo(400, 1);
    expect(bucket.take(2000, policy)).toBe(true);
  });

  it('that others have emptied beyond the bottom has nothing left until that is made up for', () => {
    const policy = policyOf(60, 5);
    const bucket = new Bucket();
    bucket.fullAt = 12_000;
    expect(bucket.remaining(0, policy)).toBe(0);
    expect(bucket.waitMs(0, policy)).toBeCloseTo(8000, 1);
    expect(bucket.take(7990, policy)).toBe(false);
    expect(bucket.take(8000, policy)).toBe(true);
  });
});
