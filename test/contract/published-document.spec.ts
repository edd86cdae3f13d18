import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Answer, Form, Harness } from '../sandbox/support/harness.js';
import { harness } from '../sandbox/support/harness.js';
import type { Operation, Schema } from './document.js';
import { faultsOf, operations, resolved } from './document.js';
import { emptyPathOf, fixture, pathOf, unique, valuesFor } from './fixture.js';

const OPERATIONS = 103;
const NEVER_VALID = 'never/valid!';

describe("the sandbox against Twilio's published OpenAPI document", () => {
  let sandbox: Harness;
  const covered = new Set<string>();

  beforeAll(async () => {
    sandbox = await harness();
  });

  afterAll(async () => {
    await sandbox.stop();
    process.stdout.write(
      `contract: ${covered.size} of ${operations.length} operations answered within their schema\n`,
    );
  });

  const send = ({ method }: Operation, path: string, values: Form): Promise<Answer> => {
    if (method !== 'GET') return sandbox.call(method, path, method === 'POST' ? values : undefined);
    const pairs = Object.entries(values).flatMap(([name, value]) =>
      [value].flat().map((text) => [name, text]),
    );
    return sandbox.call('GET', `${path}?${new URLSearchParams(pairs as [string, string][]).toString()}`);
  };

  const scoped = ({ path }: Operation): boolean => path.includes('{ChatServiceSid}');

  const prepare = async (operation: Operation) => {
    await sandbox.control('POST', '/reset');
    if (!scoped(operation)) return fixture(sandbox, null);
    const service = await sandbox.call('POST', '/v1/Services', { FriendlyName: unique('service') });
    return fixture(sandbox, service.body.sid);
  };

  it.each(operations.map((operation) => [operation.id, operation] as const))(
    '%s takes every parameter of the document and answers in its schema',
    async (_, operation) => {
      const made = await prepare(operation);
      const values = valuesFor(operation, made);
      if (operation.id.includes('ParticipantConversation')) values['Identity'] = await identityOf(made.user);
      await configureWebhooks(operation, made.service);
      const { status, body } = await send(operation, pathOf(operation, made), values);
      const expected =
        operation.method === 'DELETE' ? 204 : operation.answers['202'] ? 202 : successOf(operation);
      expect({ status, error: status < 300 ? null : body }).toEqual({ status: expected, error: null });
      const schema = operation.answers[String(expected)];
      if (schema === undefined) expect(body).toBeNull();
      else expect(faultsOf(body, schema)).toEqual([]);
      for (const list of Object.values((body ?? {}) as object).filter(Array.isArray)) {
        if (operation.id.startsWith('List')) expect(list.length).toBeGreaterThan(0);
      }
      covered.add(operation.id);
    },
  );

  const identityOf = async (user: string): Promise<string> => {
    const state = await sandbox.control('GET', '/state?full=true');
    const users = state.body['users'] as { sid: string; identity: string }[];
    return users.find(({ sid }) => sid === user)?.identity ?? '';
  };

  /** A service without webhooks answers null for `method`, as Twilio's own example does against its own schema. */
  const configureWebhooks = async ({ id }: Operation, service: string): Promise<void> => {
    if (id !== 'FetchServiceWebhookConfiguration') return;
    await sandbox.call('POST', `/v1/Services/${service}/Configuration/Webhooks`, {
      PostWebhookUrl: 'https://example.com/hook',
      Filters: ['onMessageAdded'],
    });
  };

  const successOf = ({ answers }: Operation): number => Number(Object.keys(answers)[0]);

  it.each(operations.map((operation) => [operation.id, operation] as const))(
    "%s answers Twilio's error body to what is unknown, malformed or not allowed",
    async (_, operation) => {
      const made = await prepare(operation);
      const path = pathOf(operation, made);
      const headers = { authorization: `Basic ${btoa('AC:wrong')}` };
      expectError(await sandbox.call(operation.method, path, undefined, headers), 401, 20003);
      if (operation.path.includes('{')) {
        expectError(await send(operation, emptyPathOf(operation), valuesFor(operation, made)), 404, 20404);
      }
      if (operation.method === 'DELETE') return;
      expectError(await send(operation, path, { ...valuesFor(operation, made), Bogus: '1' }), 400, 20001);
      for (const [name, schema] of Object.entries({ ...operation.form, ...operation.query })) {
        if (!canBeMalformed(schema)) continue;
        const answer = await send(operation, path, { ...valuesFor(operation, made), [name]: NEVER_VALID });
        expectError(answer, 400);
      }
      for (const name of operation.needed) {
        const { [name]: _left, ...rest } = valuesFor(operation, made);
        expectError(await send(operation, path, rest), 400);
      }
    },
  );

  function canBeMalformed(schema: Schema): boolean {
    const { type, format, pattern, enum: values, items } = resolved(schema);
    if (items !== undefined) return canBeMalformed(items);
    return (
      type === 'boolean' || type === 'integer' || format !== undefined || pattern !== undefined || !!values
    );
  }

  function expectError({ status, body }: Answer, expected: number, code?: number): void {
    expect({ status, body }).toEqual({
      status: expected,
      body: {
        code: code ?? (expect.any(Number) as number),
        message: expect.any(String) as string,
        more_info: expect.stringMatching(/^https:\/\/www\.twilio\.com\/docs\/errors\/\d+$/) as string,
        status: expected,
      },
    });
  }

  it(`covers all ${OPERATIONS} operations`, () => {
    expect(operations).toHaveLength(OPERATIONS);
    expect(covered.size).toBe(OPERATIONS);
  });
});
