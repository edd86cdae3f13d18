import { expect, it } from 'vitest';
import { isShallow } from './json-depth.js';

const nested = (levels: number): unknown =>
  JSON.parse(`${'['.repeat(levels)}${']'.repeat(levels)}`) as unknown;

it('takes what is nested as deep as it may be, and nothing deeper', () => {
  expect([64, 65, 66].map((levels) => isShallow(nested(levels)))).toEqual([true, true, false]);
  expect(isShallow({ a: [{ b: nested(62) }] })).toBe(true);
  expect(isShallow({ a: [{ b: nested(63) }] })).toBe(false);
});

it('does not run out of stack over what is nested far too deeply', () => {
  expect(isShallow(nested(5_000))).toBe(false);
});

it.each([null, 1, 'x', true, {}, [], undefined])('takes %j', (value) => {
  expect(isShallow(value)).toBe(true);
});
