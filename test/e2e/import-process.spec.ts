import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ImportResult } from '../../src/identities/import/import.dto.js';
import { ApiClient } from '../support/api-client.js';
import { serviceEnv } from '../support/app.js';
import { useTestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { RunningImport } from '../support/import-client.js';
import { startService, type Running } from '../support/processes.js';
import { useSandbox } from '../support/sandbox.js';

const database = useTestDatabase();
const sandbox = useSandbox();
let env: Record<string, string>;
let service: Running;

beforeAll(async () => {
  // A heap that could not hold the upload and its answer as objects beside the service itself, which needs some 90 MiB.
  env = { ...serviceEnv(database.url, sandbox), NODE_OPTIONS: '--max-old-space-size=160' };
  service = await startService(env);
});
afterAll(() => service.end('SIGKILL'));

const PEOPLE = 100_000;
/** Every thousandth line is wrong. */
const isBad = (number: number): boolean => number % 1000 === 0;

const lineOf = (number: number): string =>
  isBad(number)
    ? `{"kind":"ghost","externalId":"person-${number}"}\n`
    : `{"kind":"customer","externalId":"person-${number}","attributes":{"note":"${'x'.repeat(400)}"}}\n`;

/** Resident memory of the service, in MiB. */
const memory = (): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${service.pid}/status`, 'utf8'))?.[1]) / 1024;

const begin = () => new RunningImport(service.baseUrl, env['BOOTSTRAP_API_KEY'] ?? '');

/** Sends everybody, and answers with the results and the memory of the service after each hundredth part. */
async function importEverybody(): Promise<{ results: ImportResult[]; memory: number[]; ahead: number }> {
  const importing = begin();
  const samples: number[] = [];
  let answeredBeforeTheEnd = 0;
  for (let first = 1; first <= PEOPLE; first += 1000) {
    await importing.send(Array.from({ length: 1000 }, (_, n) => lineOf(first + n)).join(''));
    samples.push(memory());
    answeredBeforeTheEnd = importing.results.length;
  }
  importing.end();
  return { results: await importing.done, memory: samples, ahead: answeredBeforeTheEnd };
}

describe('100,000 identities in one import', () => {
  it('are written, told with their lines, while memory stays as it is; sent again they are unchanged', async () => {
    const first = await importEverybody();
    expect(first.results.map(({ line }) => line)).toEqual(Array.from({ length: PEOPLE }, (_, n) => n + 1));
    const failed = first.results.filter(({ status }) => status === 'failed');
    expect(failed.map(({ line }) => line)).toEqual(Array.from({ length: 100 }, (_, n) => (n + 1) * 1000));
    expect(new Set(failed.flatMap(({ errors = [] }) => errors.map(({ field }) => field)))).toEqual(
      new Set(['kind']),
    );
    expect(first.results.filter(({ status }) => status === 'created')).toHaveLength(PEOPLE - 100);
    // Most was answered while the rest was still being sent.
    expect(first.ahead).toBeGreaterThan(PEOPLE / 2);
    const settled = first.memory.slice(20);
    expect(Math.max(...settled) - (first.memory[20] ?? 0)).toBeLessThan(60);

    const again = await importEverybody();
    const wanted = first.results.map((result) =>
      result.status === 'created' ? { ...result, status: 'unchanged' } : result,
    );
    expect(again.results).toEqual(wanted);
    expect(Math.max(...again.memory) - (first.memory[20] ?? 0)).toBeLessThan(80);
  }, 300_000);
});

describe('SIGTERM during an import', () => {
  it('ends it after the batch under way, says from which line to send again, and the process ends well', async () => {
    const importing = begin();
    let sent = 0;
    let over = false;
    const sending = (async () => {
      for (; !over; sent += 100) {
        const people = Array.from({ length: 100 }, (_, n) => ({
          kind: 'agent',
          externalId: `stopped-${sent + n + 1}`,
        }));
        await Promise.race([
          importing.send(people.map((body) => `${JSON.stringify(body)}\n`).join('')),
          importing.done.catch(() => undefined),
        ]);
      }
    })();
    await eventually(() => expect(importing.results.length).toBeGreaterThan(500));
    const ended = service.end('SIGTERM');
    const results = await importing.done;
    over = true;
    await sending;
    expect(await ended).toBe(0);
    const last = results.at(-1);
    expect(last).toMatchObject({ line: results.length, status: 'failed', code: 'unavailable', ended: true });
    expect(results.slice(0, -1).every(({ status }) => status === 'created')).toBe(true);

    service = await startService(env);
    const api = new ApiClient(service.baseUrl, env['BOOTSTRAP_API_KEY'] ?? '');
    const known = async (line: number) =>
      (await api.get<{ data: object[] }>(`/v1/identities?externalId=stopped-${line}`, 200)).body.data.length;
    expect(await known(results.length - 1)).toBe(1);
    expect(await known(results.length)).toBe(0);
  });
});
