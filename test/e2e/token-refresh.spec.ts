import { randomBytes } from 'node:crypto';
import request from 'supertest';
import { describe, expect, it } from 'vitest';
import { SessionStore } from '../../src/tokens/sessions/session-store.js';
import { useApp } from '../support/app.js';
import { provision } from '../support/chats.js';
import { expectInvalid, expectProblem } from '../support/problems.js';
import {
  claimsOf,
  openSession,
  partsOf,
  pass,
  refresh,
  sessionsOf,
  verdictOf,
} from '../support/token-sessions.js';

const running = useApp();
const GRACE_SECONDS = 20;

describe('POST /v1/tokens/refresh', () => {
  it('200: answers the next access token, which Twilio takes, and the next refresh token; the end stays', async () => {
    const first = await openSession(running, { ttlSeconds: 900 });
    const response = await refresh(running, first.session.refreshToken);
    expect(response.status).toBe(200);
    const { body: next } = response;
    expect(next).toEqual({
      ...first,
      token: next.token,
      expiresAt: next.expiresAt,
      refreshAfter: next.refreshAfter,
      session: { ...first.session, refreshToken: next.session.refreshToken },
    });
    expect(next.session.refreshToken).not.toBe(first.session.refreshToken);
    const { iat, exp } = claimsOf(next.token);
    expect(exp - iat).toBe(900);
    const { twilioIdentity: identity } = first.identity;
    expect(await verdictOf(running, next.token)).toMatchObject({ valid: true, identity });
    expect(response.headers['cache-control']).toBe('no-store');
  });

  it('200: carries the push credential of the first token on', async () => {
    const pushCredentialSid = `CR${'a'.repeat(32)}`;
    const first = await openSession(running, { pushCredentialSid });
    const { body } = await refresh(running, first.session.refreshToken);
    expect(claimsOf(body.token).grants).toMatchObject({ chat: { push_credential_sid: pushCredentialSid } });
  });

  it('200: a used token is answered with the same successor while its grace lasts, used or not', async () => {
    const { session } = await openSession(running);
    const second = (await refresh(running, session.refreshToken)).body.session.refreshToken;
    await pass(running, GRACE_SECONDS - 5);
    expect((await refresh(running, session.refreshToken)).body.session.refreshToken).toBe(second);
    const third = (await refresh(running, second)).body.session.refreshToken;
    expect((await refresh(running, session.refreshToken)).body.session.refreshToken).toBe(second);
    expect((await refresh(running, second)).body.session.refreshToken).toBe(third);
    expect((await refresh(running, third)).status).toBe(200);
  });

  it('200: of a hundred at once with one token all get the same successor, and it is good', async () => {
    const { session, identity } = await openSession(running);
    const answers = await Promise.all(
      Array.from({ length: 100 }, () => refresh(running, session.refreshToken)),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array(100).fill(200));
    const successors = new Set(answers.map(({ body }) => body.session.refreshToken));
    expect(successors.size).toBe(1);
    expect((await refresh(running, [...successors][0])).status).toBe(200);
    expect((await sessionsOf(running, identity.id)).data).toHaveLength(1);
  });

  it('200: what was given for a used token can be read by who has that token alone, and goes after its grace', async () => {
    const { session } = await openSession(running);
    const { body } = await refresh(running, session.refreshToken);
    const graces = () =>
      running.sql('select g::text as row, successor from token_session_graces g where session_id = $1', [
        session.id,
      ]) as Promise<{ row: string; successor: Buffer }[]>;
    const [grace] = await graces();
    for (const part of partsOf(body.session.refreshToken)) {
      expect(grace!.row).not.toContain(Buffer.from(part).toString('hex'));
      expect(grace!.successor.includes(Buffer.from(part, 'base64url'))).toBe(false);
    }
    await running.app.get(SessionStore).dropGraces();
    expect(await graces()).toHaveLength(1);
    await pass(running, GRACE_SECONDS + 1);
    await running.app.get(SessionStore).dropGraces();
    expect(await graces()).toEqual([]);
  });

  it('401 refresh_token_reused: after its grace a used token ends the session for everybody', async () => {
    const { session, identity } = await openSession(running);
    const { body: next } = await refresh(running, session.refreshToken);
    await pass(running, GRACE_SECONDS + 1);
    expectProblem(await refresh(running, session.refreshToken), 'refresh_token_reused');
    expectProblem(await refresh(running, next.session.refreshToken), 'unauthorized');
    expectProblem(await refresh(running, session.refreshToken), 'unauthorized');
    const { data } = await sessionsOf(running, identity.id, '?ended=true');
    expect(data).toMatchObject([{ id: session.id, endReason: 'reused' }]);
  });

  it('401 refresh_token_reused: one that was used many refreshes ago ends it as well', async () => {
    const { session } = await openSession(running);
    let newest = session.refreshToken;
    for (let count = 0; count < 5; count += 1) {
      newest = (await refresh(running, newest)).body.session.refreshToken;
      await pass(running, GRACE_SECONDS + 1);
    }
    expectProblem(await refresh(running, session.refreshToken), 'refresh_token_reused');
    expectProblem(await refresh(running, newest), 'unauthorized');
  });

  it('401: a session ends in its time, however often it was refreshed', async () => {
    const opened = await openSession(running, { session: { ttlSeconds: 300 } });
    await pass(running, 200);
    const { body: next } = await refresh(running, opened.session.refreshToken);
    expect(next.session.expiresAt).not.toBe(opened.session.expiresAt);
    await pass(running, 99);
    const { body: last } = await refresh(running, next.session.refreshToken);
    await pass(running, 2);
    expectProblem(await refresh(running, last.session.refreshToken), 'unauthorized');
    expectProblem(await refresh(running, opened.session.refreshToken), 'unauthorized');
  });

  it('401: what nobody was given is unknown, and ends nothing', async () => {
    const { session } = await openSession(running);
    const random = () => randomBytes(32).toString('base64url');
    const [family, secret] = partsOf(session.refreshToken);
    const guesses = [
      `cvr_${random()}_${random()}`,
      `cvr_${random()}_${secret}`,
      `cvr_${session.id}_${secret}`,
      `cvr_${family}`,
      `${session.refreshToken} `,
      session.refreshToken.toUpperCase(),
      running.api.key,
      session.id,
      'x',
      '\u0000',
      "' or 1=1 --",
    ];
    for (const guess of guesses) {
      const response = await refresh(running, guess);
      expectProblem(response, 'unauthorized');
      expect(response.headers['www-authenticate']).toMatch(/^Bearer /);
    }
    expect((await refresh(running, session.refreshToken)).status).toBe(200);
  });

  it('401: says no more of one that is over than of one that never was', async () => {
    const { session } = await openSession(running);
    await running.api.delete(`/v1/token-sessions/${session.id}`, 204);
    const over = expectProblem(await refresh(running, session.refreshToken), 'unauthorized');
    const never = `cvr_${'x'.repeat(43)}_${'y'.repeat(43)}`;
    const unknown = expectProblem(await refresh(running, never), 'unauthorized');
    expect({ ...over, requestId: '' }).toEqual({ ...unknown, requestId: '' });
  });

  it('401: an access token, or an API key in the header, is no refresh token', async () => {
    const { token } = await openSession(running);
    expectInvalid(await refresh(running, 'x'.repeat(1025)), 'refreshToken');
    expectProblem(await refresh(running, token), 'unauthorized');
    const response = await request(running.server)
      .post('/v1/tokens/refresh')
      .set('authorization', `Bearer ${running.api.key}`)
      .send({ refreshToken: 'x' });
    expectProblem(response, 'unauthorized');
  });

  it.each([[undefined], [null], [7], [['x']], [{}], ['']])(
    '400: %j is no refresh token',
    async (refreshToken) => {
      expectInvalid(await refresh(running, refreshToken), 'refreshToken');
    },
  );

  it('400: no life and no person can be asked for: those of the session hold', async () => {
    const { session } = await openSession(running);
    const { refreshToken } = session;
    const response = await request(running.server)
      .post('/v1/tokens/refresh')
      .send({ refreshToken, ttlSeconds: 900, identityId: session.id });
    expectInvalid(response, 'ttlSeconds', 'identityId');
    expect((await refresh(running, refreshToken)).status).toBe(200);
  });

  it.each(['suspended', 'erased'])(
    '403: a %s person gets nothing, at once; the token stays as it was',
    async (status) => {
      const { session, identity } = await openSession(running);
      const set = (to: string) =>
        running.sql('update identities set status = $1 where id = $2', [to, identity.id]);
      await set(status);
      for (let times = 0; times < 2; times += 1) {
        expectProblem(await refresh(running, session.refreshToken), 'identity_suspended');
      }
      await set('active');
      const { body } = await refresh(running, session.refreshToken);
      await set(status);
      for (const token of [session.refreshToken, body.session.refreshToken]) {
        expectProblem(await refresh(running, token), 'identity_suspended');
      }
    },
  );

  it('404: who is no longer in the conversation of the session gets nothing', async () => {
    const chat = await provision(running.api);
    const { session } = await openSession(running, {
      identityId: chat.bob.identity!.id,
      conversationId: chat.twilioSid,
    });
    const { body: next } = await refresh(running, session.refreshToken);
    await running.api.delete(`${chat.path}/participants/${chat.bob.id}`, 204);
    expectProblem(await refresh(running, next.session.refreshToken), 'participant_not_found');
    expectProblem(await refresh(running, session.refreshToken), 'participant_not_found');
  });

  it('404: nor when it is deleted', async () => {
    const chat = await provision(running.api);
    const identityId = chat.bob.identity!.id;
    const { session } = await openSession(running, { identityId, conversationId: chat.id });
    await running.api.delete(chat.path, 204);
    expectProblem(await refresh(running, session.refreshToken), 'not_found');
  });

  it('409: a session of a conversation that is closed is over; one that is bound to none goes on', async () => {
    const chat = await provision(running.api);
    const identityId = chat.bob.identity!.id;
    const bound = await openSession(running, { identityId, conversationId: chat.id });
    const free = await openSession(running, { identityId });
    await running.api.post(`${chat.path}/close`, {}, 200);
    expectProblem(await refresh(running, bound.session.refreshToken), 'conversation_closed');
    expect((await refresh(running, free.session.refreshToken)).status).toBe(200);
  });
});
