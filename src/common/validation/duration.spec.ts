import 'reflect-metadata';
import { validateSync } from 'class-validator';
import { describe, expect, it } from 'vitest';
import { CLOSED_TIMER, durationSeconds, INACTIVE_TIMER, IsTimer } from './duration.js';

describe('durationSeconds', () => {
  it.each([
    ['PT0S', 0],
    ['PT1S', 1],
    ['PT1M', 60],
    ['PT1H', 3600],
    ['P1D', 86_400],
    ['P1DT2H3M4S', 93_784],
    ['PT90M', 5400],
    ['PT01H', 3600],
    ['P0DT0H0M5S', 5],
  ])('reads %s as %d seconds', (text, seconds) => {
    expect(durationSeconds(text)).toBe(seconds);
  });

  it.each([
    ...['', 'P', 'PT', 'P1DT', '1D', 'PT1', 'P1H', 'PT1D', 'P1Y', 'P1M', 'P1W', 'PT1.5H', 'PT-1H', '-PT1H'],
    ...['pt1h', 'PT1S1M', ' PT1H', 'PT1H ', 'PT1H\n', 'P999999D', 60, null, undefined, ['PT1H']],
  ])('does not read %j', (text) => {
    expect(durationSeconds(text)).toBeNull();
  });
});

describe('IsTimer', () => {
  class Timers {
    @IsTimer(INACTIVE_TIMER.minSeconds, INACTIVE_TIMER.text) inactive: unknown = 'PT0S';
    @IsTimer(CLOSED_TIMER.minSeconds, CLOSED_TIMER.text) closed: unknown = 'PT0S';
  }
  const refused = (values: object): string[] =>
    validateSync(Object.assign(new Timers(), values)).map(({ property }) => property);

  it("takes Twilio's least and more, and nothing at all", () => {
    expect(refused({ inactive: 'PT1M', closed: 'PT10M' })).toEqual([]);
    expect(refused({ inactive: 'PT60S', closed: 'P30D' })).toEqual([]);
    expect(refused({ inactive: 'P0D', closed: 'PT0S' })).toEqual([]);
  });

  it('refuses less, and what is no duration', () => {
    expect(refused({ inactive: 'PT59S', closed: 'PT599S' })).toEqual(['inactive', 'closed']);
    expect(refused({ inactive: 60, closed: 'soon' })).toEqual(['inactive', 'closed']);
  });
});
