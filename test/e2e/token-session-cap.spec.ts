import { describe, expect, it } from 'vitest';
import { useApp, useReplica } from '../support/app.js';
import { expectProblem } from '../support/problems.js';
import { newPerson, openSession, refresh, sessionsOf, type Opened } from '../support/token-sessions.js';

const running = useApp();
const other = useReplica(running);

const MOST = 50;

/** As many as asked, one after the other. */
async function openMany(identityId: string, count: number): Promise<Opened[]> {
  const opened: Opened[] = [];
  while (opened.length < count) opened.push(await openSession(running, { identityId }));
  return opened;
}

const idsOf = (opened: Opened[]): string[] => opened.map(({ session }) => session.id);

async function listed(identityId: string, query = ''): Promise<string[]> {
  const { data } = await sessionsOf(running, identityId, `?limit=100${query}`);
  return data.map(({ id }) => id);
}

const rowsOf = async (identityId: string): Promise<number> =>
  (await running.sql('select id from token_sessions where identity_id = $1', [identityId])).length;

/** Rows as other replicas would have left them: 200 of a person, the ids later than any that is made here. */
const insert = (identityId: string, endedAt: string): Promise<unknown> =>
  running.sql(
    `insert into token_sessions (id, service_id, identity_id, ttl_seconds, family_hash, token_hash, expires_at,
      ended_at, end_reason)
    select overlay(gen_random_uuid()::text placing 'ffffffff-ffff-7' from 1 for 15)::uuid, i.service_id, i.id, 3600,
      sha256(gen_random_uuid()::text::bytea), '\\x00', now() + interval '1 day', ${endedAt},
      case when ${endedAt} is not null then 'revoked' end
    from identities i, generate_series(1, 200) where i.id = $1`,
    [identityId],
  );

describe('the token sessions of one person', () => {
  it('are 50 at most: another ends the oldest, at once, and no other', async () => {
    const identityId = await newPerson(running);
    const [stranger] = await openMany(await newPerson(running), 1);
    const opened = await openMany(identityId, MOST);
    expect(await listed(identityId)).toHaveLength(MOST);
    const [oldest, second] = opened as [Opened, Opened];
    const { body: next } = await refresh(running, oldest.session.refreshToken);
    const newer = await openMany(identityId, 1);
    // Within the grace too.
    for (const token of [oldest.session.refreshToken, next.session.refreshToken]) {
      expectProblem(await refresh(running, token), 'unauthorized');
    }
    for (const { session } of [second, ...newer, stranger!]) {
      expect((await refresh(running, session.refreshToken)).status).toBe(200);
    }
    expect(await listed(identityId)).toEqual(idsOf([...opened.slice(1), ...newer]).reverse());
    const { data } = await sessionsOf(running, identityId, '?ended=true');
    expect(data).toMatchObject([{ id: oldest.session.id, endReason: 'displaced' }]);
  });

  it('are 50 at most, however many are made at once, on two replicas', async () => {
    const identityId = await newPerson(running);
    const opened = await Promise.all(
      Array.from({ length: 120 }, (_, count) => openSession([running, other][count % 2]!, { identityId })),
    );
    const alive = await listed(identityId);
    expect(alive).toHaveLength(MOST);
    const answers = await Promise.all(
      opened.map(async ({ session }) => {
        const { status } = await refresh(running, session.refreshToken);
        return status === 200 ? [session.id] : [];
      }),
    );
    expect(answers.flat().sort()).toEqual(alive.sort());
  });

  it('do not end the one that was just made, by whatever clock the others were', async () => {
    const identityId = await newPerson(running);
    await insert(identityId, 'null::timestamptz');
    const { session } = await openSession(running, { identityId });
    expect((await refresh(running, session.refreshToken)).status).toBe(200);
    expect(await listed(identityId)).toHaveLength(MOST);
  });

  it('go in the order in which Postgres got them, whatever the clocks by which their ids were made', async () => {
    const identityId = await newPerson(running);
    await insert(identityId, 'null::timestamptz');
    await running.sql(
      `update token_sessions set created_at = now() - interval '1 hour' where identity_id = $1`,
      [identityId],
    );
    const opened = await openMany(identityId, 3);
    for (const { session } of opened) expect((await refresh(running, session.refreshToken)).status).toBe(200);
    expect(await listed(identityId)).toHaveLength(MOST);
  });

  it('leave no more than 50 behind that are over, however many there were', async () => {
    const identityId = await newPerson(running);
    await insert(identityId, 'now()');
    await openMany(identityId, 1);
    expect(await listed(identityId, '&ended=true')).toHaveLength(MOST);
    expect(await rowsOf(identityId)).toBe(MOST + 1);
  });
});
