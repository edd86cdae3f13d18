import { expect } from 'vitest';

/** Holds an answer against the documented one, in which `…` stands for anything; all else must be so, in the same order. */
export function expectLike(found: unknown, documented: unknown, where = 'the answer'): void {
  if (typeof documented === 'string' && documented.includes('…')) {
    expect(found, where).toBeTypeOf('string');
    const parts = documented.split('…').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
    expect(found, where).toMatch(new RegExp(`^${parts.join('.+')}$`, 's'));
  } else if (typeof documented === 'object' && documented !== null) {
    expect(Object.keys(found as object), where).toEqual(Object.keys(documented));
    for (const [key, value] of Object.entries(documented)) {
      expectLike((found as Record<string, unknown>)[key], value, `${where}.${key}`);
    }
  } else {
    expect(found, where).toEqual(documented);
  }
}
