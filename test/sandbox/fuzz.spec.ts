import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Operation } from '../contract/document.js';
import { operations } from '../contract/document.js';
import type { Fixture } from '../contract/fixture.js';
import { fixture, pathOf, valuesFor } from '../contract/fixture.js';
import type { Form, Harness } from './support/harness.js';
import { harness } from './support/harness.js';

const RUNS = 3000;

/** Values that mean something somewhere, and some that mean nothing anywhere. */
const value = (made: Fixture): fc.Arbitrary<string> =>
  fc.oneof(
    fc.constantFrom(
      ...(Object.values(made) as string[]),
      'true',
      'false',
      '0',
      '-1',
      '3',
      '99999999999999',
      'null',
      '',
      '{}',
      '[]',
    ),
    fc.constantFrom(
      'active',
      'inactive',
      'PT1M',
      'PT0S',
      'P1D',
      'conversation',
      'service',
      'sendMessage',
      'sms',
      'webhook',
    ),
    fc.constantFrom(
      '+15551230000',
      '+15559990000',
      'whatsapp:+15551230000',
      'https://example.com/',
      '2026-01-01',
    ),
    fc.constantFrom(
      '{"identity":"x"}',
      '{"identity":1}',
      '"text"',
      '{"messaging_binding":{"address":"+15551239999"}}',
    ),
    fc.string({ maxLength: 40, unit: 'grapheme' }),
    fc.string({ minLength: 300, maxLength: 400 }),
  );

describe('whatever is asked', () => {
  let sandbox: Harness;

  beforeAll(async () => {
    sandbox = await harness();
  });

  afterAll(() => sandbox.stop());

  const mutated = (made: Fixture, operation: Operation): fc.Arbitrary<Form> => {
    const valid = valuesFor(operation, made);
    const names = Object.keys({ ...operation.form, ...operation.query });
    const name = fc.constantFrom('Nonsense', ...names);
    const changes = fc.array(fc.tuple(name, value(made)), { maxLength: 3 });
    const kept = fc.subarray(Object.keys(valid));
    return fc.tuple(kept, changes).map(([keys, pairs]) => ({
      ...Object.fromEntries(keys.map((key) => [key, valid[key] ?? ''])),
      ...Object.fromEntries(pairs),
    }));
  };

  it(`${RUNS} requests, valid and broken, are answered without a fault of the sandbox's own`, async () => {
    const made = await fixture(sandbox, null);
    const changing = operations.filter(({ id }) => !/^Delete/.test(id) && id !== 'UpdateConfiguration');
    const request = fc
      .constantFrom(...changing)
      .chain((operation) => fc.tuple(fc.constant(operation), mutated(made, operation), value(made)));
    await fc.assert(
      fc.asyncProperty(request, fc.boolean(), async ([operation, form, sid], elsewhere) => {
        const path = elsewhere
          ? operation.path.replace(/\{\w+\}/g, () => encodeURIComponent(sid || 'x'))
          : pathOf(operation, made);
        const query = new URLSearchParams(form as Record<string, string>).toString();
        const answer =
          operation.method === 'GET'
            ? await sandbox.call('GET', `${path}?${query}`)
            : await sandbox.call('POST', path, form);
        expect(
          answer.status,
          `${operation.method} ${path} ${query}: ${JSON.stringify(answer.body)}`,
        ).toBeLessThan(500);
        if (answer.status >= 400)
          expect(answer.body).toMatchObject({ status: answer.status, code: answer.body.code });
      }),
      { numRuns: RUNS },
    );
  }, 60_000);
});
