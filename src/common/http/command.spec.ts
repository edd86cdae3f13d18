import { createHash } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import { describe, expect, it } from 'vitest';
import { AppError } from '../errors/app-error.js';
import { canonicalJson, commandOf, idempotencyKeyOf, waitMsOf } from './command.js';

describe('waitMsOf', () => {
  it.each([
    [undefined, 10_000],
    ['', 10_000],
    ['wait=0', 0],
    ['wait=1', 1000],
    ['wait=60', 60_000],
    ['wait=61', 60_000],
    ['wait=999999999', 60_000],
    ['Wait = 5', 5000],
    ['wait="5"', 5000],
    ['respond-async', 0],
    ['Respond-Async', 0],
    ['respond-async, wait=5', 0],
    ['handling=lenient, wait=5', 5000],
    ['return=minimal; wait=5', 5000],
    [['return=minimal', 'wait=5'], 5000],
  ])('reads %j as %d milliseconds', (prefer, expected) => {
    expect(waitMsOf(prefer)).toBe(expected);
  });

  it.each(['wait', 'wait=', 'wait=x', 'wait=-1', 'wait=1.5', 'await=1', 'wait=1e3', 'wait=9999999999'])(
    'ignores %j, which it does not understand',
    (prefer) => {
      expect(waitMsOf(prefer)).toBe(10_000);
    },
  );
});

describe('idempotencyKeyOf', () => {
  it.each([
    [undefined, null],
    ['abc', 'abc'],
    [' abc ', 'abc'],
    ['"abc"', 'abc'],
    ['"a b"', 'a b'],
    ['"a\\"b\\\\c"', 'a"b\\c'],
    ['"', '"'],
    ['"a', '"a'],
    ['"a"b"', '"a"b"'],
    ['"a\\b"', '"a\\b"'],
    ['k'.repeat(255), 'k'.repeat(255)],
    [`"${'k'.repeat(255)}"`, 'k'.repeat(255)],
  ])('reads %j as %j', (header, expected) => {
    expect(idempotencyKeyOf(header)).toBe(expected);
  });

  it.each(['', '  ', '""', 'k'.repeat(256), `"${'k'.repeat(256)}"`, ['a', 'b']].map((header) => [header]))(
    'refuses %j',
    (header) => {
      expect(() => idempotencyKeyOf(header)).toThrow(AppError);
    },
  );
});

describe('canonicalJson', () => {
  it('does not depend on the order of keys, at any depth', () => {
    expect(canonicalJson({ b: [{ y: 1, x: 2 }], a: { d: null, c: '' } })).toBe(
      canonicalJson({ a: { c: '', d: null }, b: [{ x: 2, y: 1 }] }),
    );
  });

  it('writes JSON that means the same', () => {
    const value = { b: [1, 'x', null, true, {}, []], a: { 'k"': 'ü😀\n' }, 10: 1, 9: 2 };
    expect(JSON.parse(canonicalJson(value))).toEqual(value);
  });

  it.each([
    [{ a: 1 }, { a: '1' }],
    [{ a: null }, {}],
    [{ a: [] }, { a: {} }],
    [
      [1, 2],
      [2, 1],
    ],
    [{ a: { b: 1 } }, { a: 1, b: 1 }],
    [{ 'a":1,"b': 1 }, { a: 1, b: 1 }],
    ['', null],
    [{ a: 0 }, { a: false }],
  ])('tells %j from %j', (one, other) => {
    expect(canonicalJson(one)).not.toBe(canonicalJson(other));
  });
});

describe('commandOf', () => {
  const request = (more: object = {}): FastifyRequest =>
    ({
      id: 'req-1',
      method: 'POST',
      url: '/v1/identities?x=1',
      headers: {},
      body: { a: 1 },
      ...more,
    }) as FastifyRequest;
  const keyed = (more: object = {}) =>
    commandOf(request({ headers: { 'idempotency-key': 'abc' }, ...more })).idempotencyHash?.toString('hex');

  it('names the request as problem documents do', () => {
    expect(commandOf(request())).toMatchObject({
      requestId: 'req-1',
      instance: '/v1/identities?x=1',
      waitMs: 10_000,
      idempotencyHash: null,
    });
  });

  it('hashes method, path and key together: any other of them is another call; the query is not', () => {
    expect(keyed()).toBe(createHash('sha256').update('POST\n/v1/identities\nabc').digest('hex'));
    expect(keyed({ url: '/v1/identities?x=2' })).toBe(keyed());
    expect(keyed({ headers: { 'idempotency-key': '"abc"' } })).toBe(keyed());
    expect(keyed({ url: '/v1/api-keys' })).not.toBe(keyed());
    expect(keyed({ headers: { 'idempotency-key': 'abd' } })).not.toBe(keyed());
  });

  it.each(['PUT', 'PATCH', 'DELETE'])('does not look at the key of a %s', (method) => {
    expect(keyed({ method })).toBeUndefined();
    expect(keyed({ method, headers: { 'idempotency-key': '' } })).toBeUndefined();
  });

  it('hashes the body as JSON, and no body as null', () => {
    const keyed = { headers: { 'idempotency-key': 'k' } };
    const hash = (body: unknown) => commandOf(request({ ...keyed, body })).requestHash.toString('hex');
    expect(hash({ a: 1, b: 2 })).toBe(hash({ b: 2, a: 1 }));
    expect(hash({ a: 1 })).not.toBe(hash({ a: 2 }));
    expect(hash(undefined)).toBe(hash(null));
  });
});
