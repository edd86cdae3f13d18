import { describe, expect, it } from 'vitest';
import { holdsScope, SCOPES, type Scope } from './scopes.js';

const held = (...scopes: Scope[]): Scope[] => SCOPES.filter((scope) => holdsScope(scopes, scope));

describe('holdsScope', () => {
  it('gives admin everything but operator, which stands beside it', () => {
    expect(held('admin')).toEqual(SCOPES.filter((scope) => scope !== 'operator'));
  });

  it('gives operator itself alone', () => {
    expect(held('operator')).toEqual(['operator']);
    expect(held('operator', 'admin')).toEqual([...SCOPES]);
  });

  it.each(SCOPES.filter((scope) => scope !== 'admin'))(
    'gives %s itself alone: writing does not read',
    (scope) => {
      expect(held(scope)).toEqual([scope]);
    },
  );

  it('gives nothing to nobody', () => {
    expect(held()).toEqual([]);
  });
});
