import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { SessionPruning } from '../../src/tokens/sessions/session-pruning.js';
import { callerWith, otherService } from '../support/access.js';
import { useApp } from '../support/app.js';
import { provision } from '../support/chats.js';
import { expectInvalid, expectProblem } from '../support/problems.js';
import {
  claimsOf,
  newPerson,
  openSession,
  partsOf,
  pass,
  refresh,
  sessionsOf,
  verdictOf,
} from '../support/token-sessions.js';

const running = useApp();

describe('POST /v1/tokens with a session', () => {
  it('201: answers a refresh token, which is stored nowhere, and the end of the session', async () => {
    const { session, identity } = await openSession(running, { session: { ttlSeconds: 600 } });
    expect(session.refreshToken).toMatch(/^cvr_[\w-]{43}_[\w-]{43}$/);
    expect(Date.parse(session.expiresAt) - Date.now()).toBeGreaterThan(590_000);
    expect(Date.parse(session.expiresAt) - Date.now()).toBeLessThan(610_000);
    const rows = await running.sql('select s::text as row from token_sessions s where id = $1', [session.id]);
    const stored = JSON.stringify(rows);
    for (const part of partsOf(session.refreshToken)) {
      expect(stored).not.toContain(part);
      expect(stored).not.toContain(Buffer.from(part).toString('hex'));
      expect(stored).not.toContain(Buffer.from(part, 'base64url').toString('hex'));
    }
    expect(stored).toContain(createHash('sha256').update(session.refreshToken).digest('hex'));
    expect((await sessionsOf(running, identity.id)).data).toHaveLength(1);
  });

  it('201: lives a day unless asked otherwise, and each is of its own', async () => {
    const identityId = await newPerson(running);
    const [a, b] = [await openSession(running, { identityId }), await openSession(running, { identityId })];
    expect(Math.round((Date.parse(a.session.expiresAt) - Date.now()) / 60_000)).toBe(1440);
    expect(a.session.id).not.toBe(b.session.id);
    expect((await sessionsOf(running, identityId)).data.map(({ id }) => id)).toEqual([
      b.session.id,
      a.session.id,
    ]);
  });

  it('201: the access token ends with the session, but lives three minutes at the least', async () => {
    const long = await openSession(running, { ttlSeconds: 3600, session: { ttlSeconds: 900 } });
    expect(Date.parse(long.expiresAt)).toBeLessThanOrEqual(Date.parse(long.session.expiresAt) + 1000);
    await pass(running, 850);
    const { body: last } = await refresh(running, long.session.refreshToken);
    const { iat, exp } = claimsOf(last.token);
    expect(exp - iat).toBe(180);
  });

  it('403: a suspended person gets none', async () => {
    const identityId = await newPerson(running);
    await running.sql(`update identities set status = 'suspended' where id = $1`, [identityId]);
    const response = await running.api.post('/v1/tokens', { identityId, session: {} }, 403);
    expectProblem(response, 'identity_suspended');
    expect((await sessionsOf(running, identityId)).data).toEqual([]);
  });

  it('409: for a closed conversation none is made', async () => {
    const chat = await provision(running.api);
    await running.api.post(`${chat.path}/close`, {}, 200);
    const identityId = chat.bob.identity!.id;
    const body = { identityId, conversationId: chat.id, session: {} };
    expectProblem(await running.api.post('/v1/tokens', body, 409), 'conversation_closed');
    expect((await sessionsOf(running, identityId)).data).toEqual([]);
  });
});

describe('GET /v1/identities/{identity}/token-sessions', () => {
  it('200: lists those that are alive, newest first, page by page, without any token', async () => {
    const identityId = await newPerson(running);
    const opened = [];
    for (let count = 0; count < 3; count += 1) {
      opened.unshift((await openSession(running, { identityId, ttlSeconds: 900 })).session);
    }
    await refresh(running, opened[0]!.refreshToken);
    const first = await sessionsOf(running, identityId, '?limit=2');
    const second = await sessionsOf(running, identityId, `?limit=2&cursor=${first.nextCursor}`);
    expect([...first.data, ...second.data].map(({ id }) => id)).toEqual(opened.map(({ id }) => id));
    expect(second.nextCursor).toBeNull();
    expect(first.data[0]).toEqual({
      id: opened[0]!.id,
      identityId,
      conversationId: null,
      ttlSeconds: 900,
      createdAt: expect.any(String) as string,
      refreshedAt: expect.any(String) as string,
      expiresAt: opened[0]!.expiresAt,
      endedAt: null,
      endReason: null,
    });
    expect(first.data[1]?.refreshedAt).toBeNull();
  });

  it('200: shows those that are over when asked to, as long as they are kept', async () => {
    const { identity, session } = await openSession(running, { session: { ttlSeconds: 300 } });
    expect((await sessionsOf(running, identity.id, '?ended=true')).data).toEqual([]);
    await pass(running, 301);
    expect((await sessionsOf(running, identity.id)).data).toEqual([]);
    const over = async () => (await sessionsOf(running, identity.id, '?ended=true')).data.map(({ id }) => id);
    await pass(running, 30 * 86_400 - 60);
    await running.app.get(SessionPruning).prune();
    expect(await over()).toEqual([session.id]);
    await pass(running, 120);
    await running.app.get(SessionPruning).prune();
    expect(await over()).toEqual([]);
    expectProblem(await refresh(running, session.refreshToken), 'unauthorized');
  });

  it('400: what the query may not be', async () => {
    const path = `/v1/identities/${await newPerson(running)}/token-sessions`;
    expectInvalid(await running.api.get(`${path}?ended=maybe`, 400), 'ended');
    expectInvalid(await running.api.get(`${path}?limit=101`, 400), 'limit');
    expectInvalid(await running.api.get(`${path}?cursor=x`, 400), 'cursor');
  });

  it("404: another service's person, or nobody", async () => {
    const { identity } = await openSession(running);
    const { admin } = await otherService(running.api);
    for (const id of [identity.id, 'x']) {
      expectProblem(await admin.get(`/v1/identities/${id}/token-sessions`, 404), 'not_found');
    }
  });
});

describe('DELETE /v1/token-sessions/{id}', () => {
  it('204: ends that one, at once; the others of the person go on', async () => {
    const identityId = await newPerson(running);
    const [a, b] = [await openSession(running, { identityId }), await openSession(running, { identityId })];
    const { body: next } = await refresh(running, a.session.refreshToken);
    await running.api.delete(`/v1/token-sessions/${a.session.id}`, 204);
    // Within the grace too.
    for (const token of [a.session.refreshToken, next.session.refreshToken]) {
      expectProblem(await refresh(running, token), 'unauthorized');
    }
    expect((await refresh(running, b.session.refreshToken)).status).toBe(200);
    expect((await sessionsOf(running, identityId, '?ended=true')).data).toMatchObject([
      { id: a.session.id, endReason: 'revoked', endedAt: expect.any(String) as string },
    ]);
  });

  it('204: a token that is out lives to its expiry', async () => {
    const { token, session } = await openSession(running);
    await running.api.delete(`/v1/token-sessions/${session.id}`, 204);
    expect(await verdictOf(running, token)).toMatchObject({ valid: true });
  });

  it('404: one that is over, of another service, or none', async () => {
    const { session } = await openSession(running);
    const { admin } = await otherService(running.api);
    expectProblem(await admin.delete(`/v1/token-sessions/${session.id}`, 404), 'not_found');
    await running.api.delete(`/v1/token-sessions/${session.id}`, 204);
    for (const id of [session.id, 'x', '01890000-0000-7000-8000-000000000000']) {
      expectProblem(await running.api.delete(`/v1/token-sessions/${id}`, 404), 'not_found');
    }
  });

  it('403: who may not mint may not revoke', async () => {
    const { session } = await openSession(running);
    const reader = await callerWith(running.api, 'identities:write');
    expectProblem(await reader.delete(`/v1/token-sessions/${session.id}`, 403), 'missing_scope');
  });
});

describe('DELETE /v1/identities/{identity}/token-sessions', () => {
  it('204: ends all of the person, and those of nobody else; again, and with none, too', async () => {
    const identityId = await newPerson(running);
    const own = [await openSession(running, { identityId }), await openSession(running, { identityId })];
    const others = await openSession(running);
    const path = `/v1/identities/${identityId}/token-sessions`;
    await running.api.delete(path, 204);
    for (const { session } of own)
      expectProblem(await refresh(running, session.refreshToken), 'unauthorized');
    expect((await refresh(running, others.session.refreshToken)).status).toBe(200);
    await running.api.delete(path, 204);
    const { session } = await openSession(running, { identityId });
    expect((await refresh(running, session.refreshToken)).status).toBe(200);
  });

  it("404: another service's person: nothing is ended", async () => {
    const { identity, session } = await openSession(running);
    const { admin } = await otherService(running.api);
    expectProblem(await admin.delete(`/v1/identities/${identity.id}/token-sessions`, 404), 'not_found');
    expect((await refresh(running, session.refreshToken)).status).toBe(200);
  });
});
