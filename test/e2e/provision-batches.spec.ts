import { Client } from 'pg';
import { describe, expect, it } from 'vitest';
import { unique, useApp } from '../support/app.js';
import { eventually } from '../support/eventually.js';

const running = useApp();

interface Answered {
  status: number;
  retryAfter: string | null;
  body: { code?: string; detail?: string; errors?: { field: string }[] };
}

async function provision(body: object): Promise<Answered> {
  const response = await fetch(`${await running.baseUrl()}/v1/conversations`, {
    method: 'POST',
    headers: { authorization: `Bearer ${running.api.key}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  const answer = (await response.json()) as Answered['body'];
  return { status: response.status, retryAfter: response.headers.get('retry-after'), body: answer };
}

const chat = (externalId = unique('c')) => ({ participants: [{ kind: 'customer', externalId }] });

const waitingStatements = () =>
  running.sql(
    `select pid from pg_stat_activity
    where datname = current_database() and application_name = 'convoke' and wait_event_type = 'Lock'`,
  ) as Promise<{ pid: number }[]>;

/** Has `work` done while nothing can be provisioned: what it sends waits, first in two statements, then for them. */
async function whileStuck(work: (sent: Promise<Answered>[]) => Promise<void>): Promise<Answered[]> {
  const blocker = new Client({ connectionString: running.database.url });
  await blocker.connect();
  try {
    await blocker.query('begin');
    await blocker.query('lock table participants in exclusive mode');
    const sent = [provision(chat())];
    await eventually(async () => expect(await waitingStatements()).toHaveLength(1));
    sent.push(provision(chat()));
    await eventually(async () => expect(await waitingStatements()).toHaveLength(2));
    await work(sent);
    await blocker.query('rollback');
    return await Promise.all(sent);
  } finally {
    await blocker.end();
  }
}

describe('Of provisions that come together', () => {
  it('each is refused for its own reason, with nothing of it written, and the others are made', async () => {
    const ref = unique('ref');
    const agent = unique('agent');
    const suspended = unique('suspended');
    await running.api.post('/v1/conversations', { ...chat(), externalRef: ref }, 201);
    await running.api.put(`/v1/identities/by-external-id/${agent}`, { kind: 'agent' }, 201);
    const { body: person } = await running.api.put(
      `/v1/identities/by-external-id/${suspended}`,
      { kind: 'customer' },
      201,
    );
    await running.api.post(`/v1/identities/${person.id}/suspend`, {}, 200);
    const stranger = (n: number): { kind: string; externalId: string } => ({
      kind: 'customer',
      externalId: `${ref}-stranger-${n}`,
    });
    const beside = (n: number, other: object) => ({ participants: [stranger(n), other] });
    const wanted: [object, number, string][] = [
      [chat(), 201, ''],
      [
        beside(1, { kind: 'customer', externalId: agent }),
        409,
        'participants.1: the identity is of the kind agent.',
      ],
      [chat(), 201, ''],
      [beside(2, { externalId: unique('nobody') }), 400, 'participants.1.kind'],
      [beside(3, { identityId: '01900000-0000-7000-8000-000000000000' }), 400, 'participants.1.identityId'],
      [
        beside(4, { kind: 'customer', externalId: suspended }),
        403,
        'participants.1: the identity is suspended.',
      ],
      [{ ...beside(5, { kind: 'agent', externalId: agent }), externalRef: ref }, 409, 'externalRef'],
      [
        { participants: [stranger(6), { externalId: agent, kind: 'agent' }, { identityId: person.id }] },
        403,
        'participants.2: the identity is suspended.',
      ],
      [chat(), 201, ''],
    ];
    const answers = await whileStuck(async (sent) => {
      sent.push(...wanted.map(([body]) => provision(body)));
      await eventually(async () => expect(await waitingStatements()).toHaveLength(2));
    });
    const got = answers.slice(2).map(({ status, body }) => [status, JSON.stringify(body)] as const);
    for (const [n, [, status, words]] of wanted.entries()) {
      expect([n, got[n]![0]]).toEqual([n, status]);
      expect(got[n]![1]).toContain(words);
    }
    const strangers = await running.sql(`select from identities where external_id like $1`, [
      `${ref}-stranger%`,
    ]);
    expect(strangers).toEqual([]);
  });

  it('503 with Retry-After for all, when their connections are lost; and those that come after are made', async () => {
    const answers = await whileStuck(async (sent) => {
      sent.push(...Array.from({ length: 20 }, () => provision(chat())));
      for (const { pid } of await waitingStatements())
        await running.sql('select pg_terminate_backend($1)', [pid]);
    });
    for (const { status, retryAfter, body } of answers.slice(0, 2)) {
      expect([status, retryAfter, body.code]).toEqual([503, '1', 'unavailable']);
    }
    for (const { status } of answers.slice(2)) expect([201, 503]).toContain(status);
    for (let n = 0; n < 5; n += 1) expect((await provision(chat())).status).toBe(201);
  });

  it('503 with Retry-After for all who waited too long for a lock; and those that come after are made', async () => {
    const answers = await whileStuck(async (sent) => {
      sent.push(...Array.from({ length: 20 }, () => provision(chat())));
      await Promise.all(sent.slice(0, 2));
    });
    for (const { status, retryAfter } of answers.slice(0, 2))
      expect([status, retryAfter]).toEqual([503, '1']);
    for (const { status } of answers) expect([201, 503]).toContain(status);
    for (let n = 0; n < 5; n += 1) expect((await provision(chat())).status).toBe(201);
  });
});
