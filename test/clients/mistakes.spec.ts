import { join } from 'node:path';
import openapiTypescript, { astToString } from 'openapi-typescript';
import { beforeAll, describe, expect, it } from 'vitest';
import { unique, useApp } from '../support/app.js';
import { useWorkspace } from './workspace.js';

const running = useApp();
const workspace = useWorkspace();

/** A backend of somebody else, who has the document alone. */
const PROGRAM = `
import createClient from 'openapi-fetch';
import type { paths } from './schema.js';

const [baseUrl = '', key = '', externalRef = '', customer = ''] = process.argv.slice(2);
const client = createClient<paths>({ baseUrl, headers: { authorization: 'Bearer ' + key } });

function must<T>({ data, error }: { data?: T; error?: unknown }): T {
  if (data === undefined) throw new Error(JSON.stringify(error));
  return data;
}

const made = must(
  await client.POST('/v1/conversations', {
    body: {
      externalRef,
      participants: [
        { kind: 'agent', externalId: externalRef + '-agent', displayName: 'Ada', role: 'agent' },
        { kind: 'customer', externalId: customer, displayName: 'Bob' },
      ],
      systemMessage: { body: 'Ada will be with you shortly.' },
      timers: { inactive: 'PT1H', closed: 'P1D' },
    },
    params: { header: { 'Idempotency-Key': externalRef } },
  }),
);
const read = must(await client.GET('/v1/conversations/{conversation}', { params: { path: { conversation: made.id } } }));
const list = must(await client.GET('/v1/conversations', { params: { query: { externalRef, limit: 5 } } }));
const token = must(await client.POST('/v1/tokens', { body: { externalId: customer, conversationId: made.id, ttlSeconds: 900 } }));
const person = must(await client.PATCH('/v1/identities/{identity}', {
  params: { path: { identity: token.identity.id } },
  body: { displayName: 'Robert', attributes: { segment: 'gold' } },
}));
const missing = await client.GET('/v1/conversations/{conversation}', { params: { path: { conversation: 'none' } } });

const names: (string | null | undefined)[] = read.participants.map(({ identity }) => identity?.displayName);
const state: 'provisioning' | 'active' | 'inactive' | 'closed' | 'failed' = read.state;
const code: string | undefined = missing.error?.code;
console.log(JSON.stringify({
  id: made.id, read: read.id, listed: list.data.map(({ id }) => id), names, state,
  greeting: read.systemMessage?.body, timers: read.timers, token: token.token, person: person.displayName, code,
}));
`;

/** Each line is a mistake that the types must not let pass. */
const MISTAKES = [
  `client.POST('/v1/conversations', { body: {} })`,
  `client.POST('/v1/conversations', { body: { participants: [{ kind: 'ghost', externalId: 'x' }] } })`,
  `client.GET('/v1/conversation', {})`,
  `client.GET('/v1/conversations/{conversation}', {})`,
  `client.POST('/v1/tokens', { body: { externalId: 'x', ttlSeconds: '900' } })`,
  `client.POST('/v1/identities', { body: { kind: 'agent' } })`,
];

beforeAll(async () => {
  const schema = await openapiTypescript(new URL('/openapi.json', await running.baseUrl()));
  await workspace.write('schema.d.ts', astToString(schema));
});

describe('a client generated from /openapi.json', () => {
  it('compiles with tsc --strict, and provisions, reads, lists and gets a token', async () => {
    await workspace.write('program.ts', PROGRAM);
    expect(await workspace.compile('program.ts')).toBe('');
    const [externalRef, customer] = [unique('case'), unique('cust')];
    const values = [new URL(await running.baseUrl()).origin, running.api.key, externalRef, customer];
    const said = await workspace.run(process.execPath, join('out', 'program.js'), ...values);
    const { id, token, ...rest } = JSON.parse(said) as Record<string, unknown>;
    expect(rest).toEqual({
      read: id,
      listed: [id],
      names: ['Ada', 'Bob'],
      state: 'active',
      greeting: 'Ada will be with you shortly.',
      timers: { inactive: 'PT1H', closed: 'P1D' },
      person: 'Robert',
      code: 'not_found',
    });
    const verdict = await running.sandbox.control('POST', '/sandbox/tokens/verify', { token });
    expect(verdict).toMatchObject({ valid: true });
  });

  it('does not compile with a wrong path, a missing field or a wrong type', async () => {
    const start = PROGRAM.slice(0, PROGRAM.indexOf('function must'));
    await workspace.write('mistakes.ts', [start.trim(), ...MISTAKES].join('\n'));
    const said = await workspace.compile('mistakes.ts');
    const first = start.trim().split('\n').length + 1;
    const lines = [...said.matchAll(/^mistakes\.ts\((\d+),/gm)].map(([, line]) => Number(line) - first);
    expect([...new Set(lines)]).toEqual(MISTAKES.map((_, index) => index));
  });
});
