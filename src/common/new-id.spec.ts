import { afterEach, describe, expect, it, vi } from 'vitest';
import { newId } from './new-id.js';

afterEach(() => void vi.useRealTimers());

const many = (count: number): string[] => Array.from({ length: count }, newId);

describe('ids', () => {
  it('are UUIDs of version 7 of this moment', () => {
    const before = Date.now();
    const id = newId();
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    const made = parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
    expect(made).toBeGreaterThanOrEqual(before);
    expect(made).toBeLessThanOrEqual(Date.now());
  });

  it('are in the order in which they were made, and never the same', () => {
    const ids = many(20_000);
    expect([...ids].sort()).toEqual(ids);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('stay in order while the clock stands still, and when it is set back', () => {
    vi.useFakeTimers({ now: Date.now() + 60_000 });
    const ids = many(1000);
    vi.setSystemTime(Date.now() - 3_600_000);
    ids.push(...many(1000));
    expect([...ids].sort()).toEqual(ids);
  });

  it('have 32 random bits that nothing before them tells', () => {
    const tails = many(2000).map((id) => id.slice(-8));
    expect(new Set(tails).size).toBeGreaterThan(1990);
  });
});
