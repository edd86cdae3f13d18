import { appendFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { defaultConfig } from '../../src/sandbox/config.js';
import { Sandbox } from '../../src/sandbox/sandbox.js';
import { OPERATIONS } from '../../src/sandbox/api/operations.js';
import { perform } from '../../src/sandbox/api/perform.js';
import type { Form, Harness } from './support/harness.js';
import { harness } from './support/harness.js';
import type { Folder, SandboxProcess } from './support/process.js';
import { endSandboxProcesses, sandboxProcess, temporaryFolder } from './support/process.js';

const KILLS = 10;
const WRITES = 2000;
const AT_ONCE = 16;

describe('what was answered is kept', () => {
  let folder: Folder;

  beforeEach(() => {
    folder = temporaryFolder();
  });

  afterEach(async () => {
    await endSandboxProcesses();
    folder.remove();
  });

  const start = (settings: Record<string, string> = {}): Promise<SandboxProcess> =>
    sandboxProcess({ SANDBOX_DATA_DIR: folder.path, ...settings });

  const stateOf = async ({ control }: Pick<Harness, 'control'>): Promise<Record<string, { sid: string }[]>> =>
    (await control('GET', '/state?full=true')).body as unknown as Record<string, { sid: string }[]>;

  const sidsOf = (state: Record<string, { sid: string }[]>): Set<string> =>
    new Set(Object.values(state).flatMap((records) => records.map(({ sid }) => sid)));

  /** A conversation, somebody in it and something said, over and over; each answered sid is noted. */
  const write = async (
    sandbox: SandboxProcess,
    answered: Map<string, unknown>,
    counter: { left: number },
  ) => {
    const post = async (path: string, form: Form): Promise<string> => {
      counter.left -= 1;
      const { status, body } = await sandbox.call('POST', path, form);
      expect(status).toBe(201);
      answered.set(body.sid, body);
      return body.sid;
    };
    while (counter.left > 0) {
      const sid = await post('/v1/Conversations', { UniqueName: `case-${crypto.randomUUID()}` });
      const inside = `/v1/Conversations/${sid}`;
      await post(`${inside}/Participants`, { Identity: `person-${crypto.randomUUID()}` });
      await post(`${inside}/Messages`, { Body: 'said', Attributes: '{"x":"é"}' });
    }
  };

  it(`a SIGKILL in the middle of ${WRITES} writes loses none that was answered, ${KILLS} times in a row`, async () => {
    const answered = new Map<string, unknown>();
    for (let round = 0; round < KILLS; round++) {
      // So small that compaction runs, and is killed, too.
      const sandbox = await start({ SANDBOX_COMPACT_BYTES: '200000' });
      const kept = sidsOf(await stateOf(sandbox));
      expect([...answered.keys()].filter((sid) => !kept.has(sid))).toEqual([]);
      const before = answered.size;
      const moment = before + Math.floor(WRITES * (0.1 + 0.8 * Math.random()));
      const counter = { left: WRITES };
      const writers = Array.from({ length: AT_ONCE }, () => write(sandbox, answered, counter));
      const outcome = Promise.allSettled(writers);
      while (answered.size < moment && counter.left > 0) await new Promise(setImmediate);
      await sandbox.kill('SIGKILL');
      await outcome;
      expect(answered.size).toBeLessThan(before + WRITES);
    }
    const last = await start();
    const kept = sidsOf(await stateOf(last));
    expect([...answered.keys()].filter((sid) => !kept.has(sid))).toEqual([]);
    process.stdout.write(`durability: ${answered.size} answered writes, ${KILLS} kills, none lost\n`);
    await last.kill('SIGTERM');
  }, 180_000);

  it('a restart answers the same bytes for the same resource, unique names and pairs still taken', async () => {
    const first = await start();
    const { body } = await first.call('POST', '/v1/Conversations', {
      UniqueName: 'case',
      Attributes: '{"a":"ü"}',
    });
    const inside = `/v1/Conversations/${body.sid}`;
    const pair = {
      'MessagingBinding.Address': '+15551230001',
      'MessagingBinding.ProxyAddress': '+15559990001',
    };
    await first.call('POST', `${inside}/Participants`, pair);
    await first.call('POST', `${inside}/Messages`, { Body: 'one' });
    const removed = await first.call('POST', `${inside}/Messages`, { Body: 'two' });
    await first.call('DELETE', `${inside}/Messages/${removed.body.sid}`);
    await first.control('POST', '/clock', { advance: 'P1D' });
    const before = await stateOf(first);
    expect(await first.kill('SIGTERM')).toBe(0);

    const second = await start();
    expect(await stateOf(second)).toEqual(before);
    const again = await second.call('POST', '/v1/Conversations', { UniqueName: 'case' });
    expect(again.body.code).toBe(50353);
    const other = await second.call('POST', '/v1/Conversations', {});
    const bound = await second.call('POST', `/v1/Conversations/${other.body.sid}/Participants`, pair);
    expect(bound.body.code).toBe(50416);
    expect(bound.body.message).toContain(body.sid);
    const next = await second.call('POST', `${inside}/Messages`, { Body: 'three' });
    expect(next.body['index'], 'an index is never used twice').toBe(2);
    expect(Date.parse(String(next.body['date_created'])) - Date.now()).toBeGreaterThan(80_000_000);
    await second.kill('SIGTERM');
  });

  it('a torn last line is told, dropped, and written over', async () => {
    const first = await start();
    const { body } = await first.call('POST', '/v1/Conversations', { UniqueName: 'whole' });
    await first.kill('SIGKILL');
    appendFileSync(journal(), '[1790000000000,99,["conversation",{"sid":"CHto');

    const second = await start();
    expect(second.errors()).toMatch(/dropped a torn last line of 46 bytes/);
    expect((await second.call('GET', '/v1/Conversations/whole')).body.sid).toBe(body.sid);
    const after = await second.call('POST', '/v1/Conversations', { UniqueName: 'after' });
    await second.kill('SIGKILL');

    const third = await start();
    expect(third.errors()).toBe('');
    expect((await third.call('GET', '/v1/Conversations/after')).body.sid).toBe(after.body.sid);
    await third.kill('SIGTERM');
  });

  it('damage in the middle of the journal stops the start and names the line', async () => {
    const first = await start();
    await first.call('POST', '/v1/Conversations', {});
    await first.kill('SIGTERM');
    const lines = readFileSync(journal(), 'utf8').split('\n');
    writeFileSync(journal(), [lines[0], 'rubbish', ...lines.slice(1)].join('\n'));
    await expect(start()).rejects.toThrow(/journal-0\.jsonl: line 2 is damaged/);
  });

  const journal = (): string =>
    join(
      folder.path,
      readdirSync(folder.path).find((name) => name.startsWith('journal'))!,
    );

  it('compaction keeps the state and throws away what it replaced', async () => {
    const first = await harness({ dataDir: folder.path, compactBytes: 20_000 });
    for (let count = 0; count < 200; count++) {
      await first.call('POST', '/v1/Conversations/same', { FriendlyName: `${count}` });
      if (count === 0) await first.call('POST', '/v1/Conversations', { UniqueName: 'same' });
    }
    const before = await stateOf(first);
    await first.stop();
    const names = readdirSync(folder.path);
    expect(names.filter((name) => name.startsWith('snapshot'))).toHaveLength(1);
    expect(names).toHaveLength(2);
    const second = await harness({ dataDir: folder.path });
    expect(await stateOf(second)).toEqual(before);
    await second.stop();
  });

  it('a reset is kept too: nothing of what was before comes back', async () => {
    const first = await start();
    await first.call('POST', '/v1/Conversations', { UniqueName: 'gone' });
    await first.control('POST', '/reset');
    await first.kill('SIGKILL');
    const second = await start();
    expect((await second.control('GET', '/state')).body).toMatchObject({
      services: 1,
      conversations: 0,
      roles: 4,
    });
    await second.kill('SIGTERM');
  });

  it('participants that were still to be added when the process died leave their conversation closed', async () => {
    const first = await harness({ dataDir: folder.path });
    const { body } = await first.call('POST', '/v1/Conversations', { UniqueName: 'half' });
    await first.stop();
    const journaled = readFileSync(journal(), 'utf8').replace('"state":"active"', '"state":"initializing"');
    writeFileSync(journal(), journaled);
    const second = await harness({ dataDir: folder.path });
    expect((await second.call('GET', `/v1/Conversations/${body.sid}`)).body['state']).toBe('closed');
    await second.stop();
  });

  it('a data folder of another account stops the start', async () => {
    const first = await harness({ dataDir: folder.path });
    await first.stop();
    await expect(harness({ dataDir: folder.path, accountSid: `AC${'1'.repeat(32)}` })).rejects.toThrow(
      /belongs to/,
    );
  });

  it('100,000 conversations are there again within seconds', async () => {
    const conversations = 100_000;
    await fill(folder.path, conversations);
    const from = performance.now();
    const sandbox = await start();
    const seconds = (performance.now() - from) / 1000;
    process.stdout.write(
      `durability: ${conversations} conversations started again in ${seconds.toFixed(1)} s\n`,
    );
    expect((await sandbox.control('GET', '/state')).body).toMatchObject({
      conversations,
      participants: conversations,
    });
    expect((await sandbox.call('GET', '/v1/Conversations/case-77777')).status).toBe(200);
    await sandbox.kill('SIGKILL');
    expect(seconds).toBeLessThan(15);
  }, 120_000);
});

/** Through the sandbox's own rules and journal, only without a server in front. */
async function fill(dataDir: string, count: number): Promise<void> {
  const config = { ...defaultConfig(), dataDir };
  const sandbox = new Sandbox(config, () => undefined);
  const operation = (path: string) => OPERATIONS.find((one) => one.path === path && one.does === 'create')!;
  const authorization = `Basic ${btoa(`${config.accountSid}:${config.authToken}`)}`;
  const post = (path: string, parameters: Record<string, string>, body: string): { sid: string } => {
    const incoming = { method: 'POST', url: path, host: 'localhost', authorization, webhooks: false };
    const outgoing = perform(sandbox, operation(path), { ...incoming, path: parameters, body });
    if (outgoing instanceof Promise || outgoing.status !== 201) throw new Error(JSON.stringify(outgoing));
    return JSON.parse(outgoing.body) as { sid: string };
  };
  for (let index = 0; index < count; index++) {
    const { sid } = post('/Conversations', {}, `UniqueName=case-${index}&FriendlyName=Case%20${index}`);
    post(
      '/Conversations/:ConversationSid/Participants',
      { ConversationSid: sid },
      `Identity=person-${index % 1000}`,
    );
    if (index % 1000 === 0) await new Promise(setImmediate);
  }
  await sandbox.stop();
}
