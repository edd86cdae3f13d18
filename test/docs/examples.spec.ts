import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { beforeAll, describe, expect, it } from 'vitest';
import { useApp } from '../support/app.js';
import { expectLike } from './support/like.js';
import { tableBelow } from './support/repository.js';

/** The README's examples, sent in their order to the real application. */
const readme = readFileSync('README.md', 'utf8');

interface Example {
  curl: string;
  /** The documented answer, when one follows. */
  answer: string | null;
}

const examples: Example[] = [
  ...readme.matchAll(/^```sh\n(curl [^`]*?)^```\n(?:\n```http\n([^`]*?)^```\n)?/gm),
].map(([, curl, answer]) => ({ curl: curl!, answer: answer ?? null }));

interface Call {
  url: string;
  method: string;
  headers: [string, string][];
  body: string | null;
}

/** Reads a command line as a shell would, as far as the README goes: quotes, and variables where they are expanded. */
function wordsOf(command: string, variables: Record<string, string>): string[] {
  const expand = (text: string): string => text.replace(/\$([A-Z]+)/g, (_, name: string) => variables[name]!);
  return [...command.replaceAll('\\\n', ' ').matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(
    ([, verbatim, quoted, plain]) => verbatim ?? expand(quoted ?? plain!),
  );
}

function callOf(command: string, variables: Record<string, string>): Call {
  const call: Call = { url: '', method: '', headers: [], body: null };
  const [curl, ...words] = wordsOf(command, variables);
  expect(curl).toBe('curl');
  while (words.length > 0) {
    const word = words.shift()!;
    if (word === '-X') call.method = words.shift()!;
    else if (word === '-H') call.headers.push(words.shift()!.split(': ') as [string, string]);
    else if (word === '-d') call.body = words.shift()!;
    else if (word !== '-sS' && word !== '-i') call.url = word;
  }
  call.method ||= call.body === null ? 'GET' : 'POST';
  return call;
}

const running = useApp();
const variables: Record<string, string> = {};

beforeAll(() => {
  variables['CONVOKE'] = `http://127.0.0.1:${(running.server.address() as AddressInfo).port}`;
  variables['SANDBOX'] = running.sandbox.baseUrl;
  variables['KEY'] = running.api.key;
});

describe('the examples of the README', () => {
  it('are there', () => expect(examples.length).toBeGreaterThanOrEqual(8));

  it.each(examples)('$curl', async ({ curl, answer }) => {
    const { url, method, headers, body } = callOf(curl, variables);
    const response = await fetch(url, { method, headers, body });
    const text = await response.text();
    if (answer === null) {
      expect(response.ok, text).toBe(true);
      return;
    }
    const [head, documented] = answer.split('\n\n') as [string, string];
    const [status, ...lines] = head.split('\n');
    expect(`HTTP/1.1 ${response.status} ${response.statusText}`, text).toBe(status);
    for (const [name, value] of lines.map((line) => line.split(': ') as [string, string])) {
      expectLike(response.headers.get(name), value, name);
    }
    expectLike(JSON.parse(text), JSON.parse(documented));
  });

  it('answer the first one again to the byte, and say so', async () => {
    const { url, method, headers, body } = callOf(examples[0]!.curl, variables);
    const response = await fetch(url, { method, headers, body });
    expect([response.status, response.headers.get('idempotent-replayed')]).toEqual([201, 'true']);
  });

  it('answer the PUT with 200 from the second time on', async () => {
    const put = examples.find(({ curl }) => curl.includes('-X PUT'))!;
    const { url, method, headers, body } = callOf(put.curl, variables);
    expect((await fetch(url, { method, headers, body })).status).toBe(200);
  });
});

it('the table of routes is that of the OpenAPI document', async () => {
  const answer = await running.api.get('/openapi.json', 200);
  const { paths } = answer.body as { paths: Record<string, object> };
  const served = Object.entries(paths).flatMap(([path, item]) =>
    Object.keys(item).map((method) => `\`${method.toUpperCase()} ${path}\``),
  );
  const documented = tableBelow(readme, '### Routes').map(([route]) => route!);
  expect([...documented].sort()).toEqual([...served].sort());
});
