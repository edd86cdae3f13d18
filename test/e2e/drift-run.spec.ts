import { beforeAll, describe, expect, it } from 'vitest';
import { otherService } from '../support/access.js';
import { serviceEnv, unique, useApp } from '../support/app.js';
import { startChild, untilSaid, type Child } from '../support/child.js';
import { provision, type Chat } from '../support/chats.js';
import { drift, findings } from '../support/drift.js';
import { eventually } from '../support/eventually.js';

/** More than two pages of the script's. */
const CHATS = 230;
const AT_ONCE = 10;

const test = useApp();
const { sandbox } = test;
const chats: Chat[] = [];
let other: Chat;
let otherId = '';

beforeAll(async () => {
  const make = async (): Promise<void> => {
    while (chats.length < CHATS) {
      const kept = chats.push(null as unknown as Chat) - 1;
      const participants = [{ kind: 'bot', externalId: unique('bot') }];
      chats[kept] = await provision(test.api, { participants, systemMessage: undefined });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, make));
  const service = await otherService(test.api);
  otherId = service.id;
  other = await eventually(() => provision(service.admin));
}, 120_000);

/** `npm run drift -- …`, without npm. */
function run(args: string[], more: Record<string, string> = {}): Child {
  const env = {
    PATH: process.env['PATH'],
    ...serviceEnv(test.database.url, sandbox),
    LOG_LEVEL: 'error',
    ...more,
  };
  return startChild([process.execPath, 'dist/src/drift.js', ...args], { env });
}

async function ended(child: Child): Promise<{ status: number | string; output: string }> {
  return { status: await child.ended, output: child.output() };
}

/** How many conversations a run says that it has compared. */
function comparedIn(output: string): number {
  return Number([...output.matchAll(/^conversations: (\d+) compared/gm)].at(-1)?.[1] ?? 0);
}

const rename = ({ twilioSid }: Chat, base = '/v1') =>
  sandbox.write('POST', `${base}/Conversations/${twilioSid}`, [['FriendlyName', 'Another']]);

describe('GET /v1/drift, over hundreds of conversations', () => {
  it('compares each once, page by page, with few calls at a time', async () => {
    const drifted = [0, 57, 58, 199, CHATS - 1].map((index) => chats[index]!);
    for (const chat of drifted) await rename(chat);
    const since = await sandbox.last();
    const pages = await drift(test.api, { limit: 40 });
    const ours = pages.filter(({ part }) => part === 'conversations');
    expect(ours.map(({ checked }) => checked)).toEqual([40, 40, 40, 40, 40, 30]);
    const ids = ours.flatMap(({ data }) => data.map(({ conversation }) => conversation?.id));
    expect(ids.sort()).toEqual(drifted.map(({ id }) => id).sort());
    const theirs = pages.filter(({ part }) => part === 'orphans');
    expect(theirs.reduce((sum, { checked }) => sum + checked, 0)).toBe(CHATS);
    const asked = await sandbox.requestsBesideRoles(since);
    expect(asked.length).toBeLessThanOrEqual(3 * CHATS + Math.ceil(CHATS / 40) + 1);
  }, 60_000);

  it('goes on where it was, whatever is made and deleted meanwhile', async () => {
    const { body: first } = await test.api.get('/v1/drift?limit=50', 200);
    const gone = chats.pop()!;
    await test.api.delete(gone.path, 204);
    const made = await provision(test.api);
    await rename(made);
    const found: (string | null | undefined)[] = [];
    for (let cursor = first.nextCursor as string | null; cursor !== null;) {
      const { body } = await test.api.get(`/v1/drift?limit=50&cursor=${cursor}`, 200);
      found.push(...body.data.map((one: { conversation: { id: string } }) => one.conversation.id));
      cursor = body.nextCursor;
    }
    expect(found).toContain(made.id);
    expect(found).not.toContain(gone.id);
    chats.push(made);
  }, 60_000);
});

describe('npm run drift', () => {
  it('ends with 1 and changes nothing; with --repair with 0, and nothing is left', async () => {
    const before = await findings(test.api);
    expect(before.length).toBeGreaterThan(1);
    const reported = await ended(run(['--service', sandbox.config.chatServiceSid]));
    expect(reported.status, reported.output).toBe(1);
    expect(reported.output).toMatch(/^conversations: 100 compared so far; \d differences in all$/m);
    for (const { conversation } of before)
      expect(reported.output).toContain(`conversation_friendly_name: conversation ${conversation!.id} `);
    expect(reported.output).not.toContain('Another');
    expect(await findings(test.api)).toEqual(before);
    const repaired = await ended(run(['--repair', '--service', sandbox.config.chatServiceSid]));
    expect(repaired.status, repaired.output).toBe(0);
    expect(repaired.output).toContain('; adopt: repaired');
    expect(await findings(test.api)).toEqual([]);
    const clean = await ended(run(['--service', sandbox.config.chatServiceSid]));
    expect(clean.status, clean.output).toBe(0);
  }, 120_000);

  it('walks all chat services unless one is named', async () => {
    const { body: service } = await test.api.get(`/v1/services/${otherId}`, 200);
    await rename(other, `/v1/Services/${service.twilioSid}`);
    const one = await ended(run(['--service', sandbox.config.chatServiceSid]));
    expect(one.status, one.output).toBe(0);
    const all = await ended(run([]));
    expect(all.status, all.output).toBe(1);
    expect(all.output).toContain(`conversation ${other.id} `);
    const theirs = await ended(run(['--repair', '--service', otherId]));
    expect(theirs.status, theirs.output).toBe(0);
  }, 120_000);

  it('tries a page again while Twilio fails', async () => {
    const busy = { type: 'status', status: 429, code: 20429, retryAfterSeconds: 3 };
    await sandbox.fault({ method: 'GET', path: '/Conversations/', times: 1 }, busy);
    const result = await ended(run(['--service', otherId]));
    expect(result.status, result.output).toBe(0);
  }, 60_000);

  it('ends with 2 and says where it can go on, when it is told to stop', async () => {
    const slow = { type: 'delay', ms: 20 };
    await sandbox.fault({ method: 'GET', path: '/Conversations/', times: 10_000 }, slow);
    const args = ['--service', sandbox.config.chatServiceSid];
    const child = run(args);
    await untilSaid(child, /conversations: \d+ compared/);
    child.process.kill('SIGTERM');
    const stopped = await ended(child);
    await sandbox.clearFaults();
    expect(stopped.status, stopped.output).toBe(2);
    const [, cursor] = /--from (\S+)/.exec(stopped.output) ?? [];
    const rest = await ended(run([...args, '--from', cursor!]));
    expect(rest.status, rest.output).toBe(0);
    expect(comparedIn(stopped.output) + comparedIn(rest.output)).toBe(CHATS);
  }, 120_000);

  it.each([
    [['--nonsense'], 'Usage'],
    [['--readd'], '--readd and --delete-orphans go with --repair'],
    [['--from', 'x'], '--from goes with --service'],
    [['--service', 'nobody'], 'There is no chat service nobody'],
  ])('ends with 2 and says why: %j', async (args, why) => {
    const result = await ended(run(args));
    expect(result.status, result.output).toBe(2);
    expect(result.output).toContain(why);
  });

  it('ends with 2 where the environment is not usable', async () => {
    const result = await ended(run([], { DATABASE_URL: '' }));
    expect(result.status, result.output).toBe(2);
    expect(result.output).toContain('DATABASE_URL: is required');
  });
});
