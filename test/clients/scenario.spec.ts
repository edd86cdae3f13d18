import { createClient } from '@hey-api/openapi-ts';
import openapiTypescript, { astToString } from 'openapi-typescript';
import { join, resolve } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { unique, useApp } from '../support/app.js';
import { hasTool } from '../support/tools.js';
import { HEY_API, OPENAPI_FETCH } from './typescript-programs.js';
import { useWorkspace } from './workspace.js';

/** One case from its beginning to its end, by clients that were generated from the documents alone. */
const running = useApp();
const workspace = useWorkspace();

let origin: string;

beforeAll(async () => {
  origin = new URL(await running.baseUrl()).origin;
});

const SEEN = {
  provisioned: { state: 'active', people: ['ada', 'bob'] },
  replayed: true,
  transferred: ['bob', 'lin'],
  sent: { state: 'sent', author: 'Bob' },
  listed: ['Ada will be with you shortly.', 'Lin takes over.', 'Hello Lin'],
  transcript: [
    ['system', 'Ada will be with you shortly.'],
    ['system', 'Lin takes over.'],
    ['Bob', 'Hello Lin'],
  ],
  closed: 'closed',
  refused: 'conversation_closed',
  receipt: true,
  erased: { status: 'erased', externalId: null },
};

const sees = async (program: string, ...before: string[]): Promise<unknown> =>
  JSON.parse(await workspace.run(program, ...before, origin, running.api.key, unique('case')));

describe('A case is provisioned, handed over, talked in, written out, closed and erased', () => {
  it('by openapi-typescript and openapi-fetch, compiled with tsc --strict', async () => {
    const schema = await openapiTypescript(new URL('/openapi.json', origin));
    await workspace.write('schema.d.ts', astToString(schema));
    await workspace.write('fetch.ts', OPENAPI_FETCH);
    expect(await workspace.compile('fetch.ts')).toBe('');
    expect(await sees(process.execPath, join('out', 'fetch.js'))).toEqual(SEEN);
  }, 120_000);

  it.each(['/openapi.json', '/openapi-3.0.json'])(
    'by @hey-api/openapi-ts out of %s, compiled with tsc --strict',
    async (path) => {
      await createClient({
        input: `${origin}${path}`,
        output: { path: join(workspace.folder, 'hey'), clean: true, module: { extension: '.js' } },
        logs: { level: 'silent' },
      });
      await workspace.write('hey.ts', HEY_API);
      expect(await workspace.compile('hey.ts')).toBe('');
      expect(await sees(process.execPath, join('out', 'hey.js'))).toEqual(SEEN);
    },
    120_000,
  );

  it.skipIf(!hasTool('OpenAPI::Client of Perl', 'perl', '-MOpenAPI::Client', '-e', '1'))(
    'by OpenAPI::Client in Perl, out of /openapi-3.0.json',
    async () => {
      const seen = await sees('perl', resolve('test/clients/scenario.pl'));
      expect(seen).toEqual({ ...SEEN, checked: 'Invalid input' });
    },
  );
});
