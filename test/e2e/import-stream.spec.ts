import { setTimeout as pace } from 'node:timers/promises';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { IdentityResponse } from '../../src/identities/identity.dto.js';
import { unique, useApp } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import { importAll, RunningImport } from '../support/import-client.js';
import { expectProblem } from '../support/problems.js';
import { sendRaw } from '../support/raw-http.js';

const running = useApp();

const person = (more: object = {}) => ({ kind: 'customer', externalId: unique('streamed'), ...more });

const line = (body: object): string => `${JSON.stringify(body)}\n`;

const start = async () => new RunningImport(await running.baseUrl(), running.api.key);

const isKnown = async (externalId: string): Promise<boolean> => {
  const { body } = await running.api.get<{ data: object[] }>(`/v1/identities?externalId=${externalId}`, 200);
  return body.data.length > 0;
};

describe('an import under way', () => {
  it('is answered line by line while it is being sent', async () => {
    const importing = await start();
    for (let sent = 1; sent <= 3; sent += 1) {
      const body = person();
      await importing.send(line(body));
      await eventually(() => expect(importing.results).toHaveLength(sent));
      expect(await isKnown(body.externalId)).toBe(true);
    }
    importing.end();
    expect((await importing.done).map(({ status }) => status)).toEqual(['created', 'created', 'created']);
  });

  it('reads no more than its answer is read', async () => {
    const fields = Object.fromEntries(Array.from({ length: 20 }, (_, n) => [`unknown${n}`, n]));
    const text = line({ ...fields, padding: 'x'.repeat(700) }).repeat(100);
    const pieces = 600;
    const importing = await start();
    await importing.send(line(person()));
    await eventually(() => expect(importing.results).toHaveLength(1));
    importing.pause();
    let sent = 0;
    const sending = (async () => {
      for (; sent < pieces; sent += 1) await importing.send(text);
      importing.end();
    })();
    // Nothing has left for a second: the service reads no more.
    const seen: number[] = [];
    while (seen.filter((one) => one === sent).length < 40) {
      seen.push(sent);
      await pace(25);
    }
    expect(sent).toBeLessThan(pieces);
    importing.resume();
    await sending;
    expect(await importing.done).toHaveLength(pieces * 100 + 1);
  });

  it('stops when the client goes away; what was answered is written, half a line is not', async () => {
    const [whole, half] = [person(), person()];
    const importing = await start();
    await importing.send(line(whole) + JSON.stringify(half));
    await eventually(() => expect(importing.results).toHaveLength(1));
    importing.drop();
    await expect(importing.done).rejects.toThrow();
    expect(await isKnown(whole.externalId)).toBe(true);
    // The service has noticed: the connection is gone.
    await eventually(async () => expect(await connections()).toBe(0));
    expect(await isKnown(half.externalId)).toBe(false);
  });

  const connections = () =>
    new Promise<number>((resolve, reject) =>
      running.server.getConnections((error, count) => (error ? reject(error) : resolve(count))),
    );
});

describe('the time of an import', () => {
  const allow = (ms: number) => {
    running.server.requestTimeout = ms;
    running.server.headersTimeout = ms;
  };
  let usual = 0;
  beforeAll(() => (usual = running.server.requestTimeout));
  afterEach(() => allow(usual));

  it('ends when nothing more comes: the last line says from where to send again', async () => {
    allow(300);
    const importing = await start();
    await importing.send(line(person()) + JSON.stringify(person()));
    expect(await importing.done).toEqual([
      { line: 1, status: 'created', id: expect.any(String) as string },
      {
        line: 2,
        status: 'failed',
        code: 'request_timeout',
        errors: [{ field: 'line', message: expect.any(String) as string }],
        ended: true,
      },
    ]);
  });

  it('is not that of other requests: it may last, as long as something comes', async () => {
    allow(1000);
    const importing = await start();
    const slow = sendRaw(
      running.server,
      'POST /v1/tokens HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 5\r\n\r\n{',
    );
    const end = Date.now() + 8000;
    let sent = 0;
    for (; Date.now() < end; sent += 1) {
      await importing.send(line(person()));
      await pace(250);
    }
    // Another request of that time is over meanwhile.
    const { status, headers, body } = await slow;
    expectProblem({ status, headers, text: body }, 'request_timeout');
    importing.end();
    const results = await importing.done;
    expect(results.map(({ status: one }) => one)).toEqual(Array.from({ length: sent }, () => 'created'));
  });
});

describe('imports at once', () => {
  it('of the same people, in any order and beside PUTs, make each once and wait for nobody in a ring', async () => {
    const people = Array.from({ length: 1500 }, (_, n) => person({ displayName: `Person ${n}` }));
    const orders = [people, [...people].reverse(), people.slice(700), [...people.slice(0, 900)].reverse()];
    const baseUrl = await running.baseUrl();
    const imports = orders.map((order, n) =>
      importAll(
        baseUrl,
        running.api.key,
        order.map((body) => line({ ...body, attributes: { by: n } })).join(''),
      ),
    );
    const puts = people.slice(0, 60).map(({ externalId, ...body }) =>
      running.api
        .put<IdentityResponse>(
          `/v1/identities/by-external-id/${externalId}`,
          { ...body, attributes: {} },
          201,
        )
        .then(
          () => 1,
          () => running.api.put(`/v1/identities/by-external-id/${externalId}`, body, 200).then(() => 0),
        ),
    );
    const results = (await Promise.all(imports)).flat();
    const putCreated = (await Promise.all(puts)).reduce<number>((sum, one) => sum + one, 0);
    expect(results.filter(({ status }) => status === 'failed')).toEqual([]);
    const created = results.filter(({ status }) => status === 'created');
    expect(created.length + putCreated).toBe(people.length);
    expect(new Set(results.map(({ id }) => id)).size).toBe(people.length);
  });
});
