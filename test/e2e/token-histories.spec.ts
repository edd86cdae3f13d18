import type { Server } from 'node:http';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/app-config.js';
import { createApp } from '../../src/configure-app.js';
import { ApiClient } from '../support/api-client.js';
import { serviceEnv, useApp } from '../support/app.js';
import { expectProblem } from '../support/problems.js';
import { newPerson, openSession, pass, refresh, type Opened } from '../support/token-sessions.js';

/** Two replicas on one database. */
const running = useApp();
let other: NestFastifyApplication | undefined;
let otherApi: ApiClient;
beforeAll(async () => {
  const env = serviceEnv(running.database.url, running.sandbox);
  other = await createApp(loadConfig(env));
  await other.listen(0, '127.0.0.1');
  otherApi = new ApiClient(other.getHttpServer(), env['BOOTSTRAP_API_KEY']!);
});
afterAll(() => other?.close());

const servers = (): [Server, Server] => [running.server, other!.getHttpServer()];

const GRACE_MS = 20_000;
const LIFE_SECONDS = 300;

/** What a history may hold. `replica` is who is asked. */
type Step =
  | { do: 'refresh'; replica: 0 | 1 }
  | { do: 'replay'; replica: 0 | 1; back: number }
  | { do: 'race'; callers: number }
  | { do: 'pass'; seconds: number }
  | { do: 'suspend'; active: boolean }
  | { do: 'revoke'; replica: 0 | 1; all: boolean };

const replica = fc.constantFrom(0 as const, 1 as const);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('refresh' as const), replica }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('replay' as const),
      replica,
      back: fc.integer({ min: 1, max: 4 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('race' as const), callers: fc.integer({ min: 2, max: 8 }) }),
  },
  // Some way off the ends of grace and session, whatever their sum: the test itself takes time too.
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('pass' as const), seconds: fc.constantFrom(8, 27, 90) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('suspend' as const), active: fc.boolean() }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('revoke' as const), replica, all: fc.boolean() }),
  },
);

/** A session as it should be: what was given, when each was used first, and whether it is over. */
class Model {
  readonly tokens: string[];
  readonly usedAt: number[] = [];
  readonly end: number;
  over = false;
  active = true;
  private passedMs = 0;

  constructor(readonly opened: Opened) {
    this.tokens = [opened.session.refreshToken];
    this.end = this.now + LIFE_SECONDS * 1000;
  }

  get now(): number {
    return Date.now() + this.passedMs;
  }

  async pass(seconds: number): Promise<void> {
    await pass(running, seconds);
    this.passedMs += seconds * 1000;
  }

  /** Presents a token, and holds the answer to what it must be. */
  async present(index: number, server: Server): Promise<void> {
    const response = await refresh({ server }, this.tokens[index]);
    const newest = this.tokens.length - 1;
    if (this.over || this.now >= this.end) return void expectProblem(response, 'unauthorized');
    if (index < newest && this.now - this.usedAt[index]! > GRACE_MS) {
      this.over = true;
      return void expectProblem(response, 'refresh_token_reused');
    }
    if (!this.active) return void expectProblem(response, 'identity_suspended');
    expect(response.status, response.text).toBe(200);
    const { session } = response.body;
    expect(session.id).toBe(this.opened.session.id);
    if (index < newest) return void expect(session.refreshToken).toBe(this.tokens[index + 1]);
    expect(this.tokens).not.toContain(session.refreshToken);
    this.tokens.push(session.refreshToken);
    this.usedAt[index] = this.now;
  }

  /** Many present the newest token at once, at both replicas: one successor for all. */
  async race(callers: number): Promise<void> {
    if (this.over || !this.active || this.now >= this.end) return;
    const newest = this.tokens.at(-1);
    const answers = await Promise.all(
      Array.from({ length: callers }, (_, count) => refresh({ server: servers()[count % 2]! }, newest)),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array(callers).fill(200));
    const successors = [...new Set(answers.map(({ body }) => body.session.refreshToken))];
    expect(successors).toHaveLength(1);
    this.usedAt[this.tokens.length - 1] = this.now;
    this.tokens.push(successors[0]!);
  }
}

async function take(model: Model, step: Step): Promise<void> {
  const { identity, session } = model.opened;
  const newest = model.tokens.length - 1;
  if (step.do === 'refresh') await model.present(newest, servers()[step.replica]);
  else if (step.do === 'replay')
    await model.present(Math.max(0, newest - step.back), servers()[step.replica]);
  else if (step.do === 'race') await model.race(step.callers);
  else if (step.do === 'pass') await model.pass(step.seconds);
  else if (step.do === 'suspend') {
    model.active = step.active;
    const status = step.active ? 'active' : 'suspended';
    await running.sql('update identities set status = $1 where id = $2', [status, identity.id]);
  } else {
    const api = [running.api, otherApi][step.replica]!;
    if (step.all) await api.delete(`/v1/identities/${identity.id}/token-sessions`, 204);
    else
      await api.delete(`/v1/token-sessions/${session.id}`, model.over || model.now >= model.end ? 404 : 204);
    model.over = true;
  }
}

describe('a token session on two replicas', () => {
  it('goes through any history of refreshes, replays, races, pauses and revocations as it should', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 24 }), async (steps) => {
        const opened = await openSession(running, { session: { ttlSeconds: LIFE_SECONDS } });
        const model = new Model(opened);
        for (const one of steps) await take(model, one);
        const rows = await running.sql('select id from token_sessions where identity_id = $1', [
          opened.identity.id,
        ]);
        expect(rows).toHaveLength(1);
      }),
      { numRuns: 60, endOnFailure: true },
    );
  }, 120_000);

  it('locks nobody out when a hundred present one token at once: one successor, which goes on', async () => {
    const { session, identity } = await openSession(running);
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, count) =>
        refresh({ server: servers()[count % 2]! }, session.refreshToken),
      ),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array(100).fill(200));
    const successors = [...new Set(answers.map(({ body }) => body.session.refreshToken))];
    expect(successors).toHaveLength(1);
    let newest = successors[0]!;
    for (const server of [...servers(), ...servers()]) {
      await pass(running, 30);
      const { status, body } = await refresh({ server }, newest);
      expect(status).toBe(200);
      newest = body.session.refreshToken;
    }
    const rows = await running.sql('select id from token_sessions where identity_id = $1', [identity.id]);
    expect(rows).toEqual([{ id: session.id }]);
  });

  it('is refused everywhere as soon as it has been revoked anywhere', async () => {
    for (let times = 0; times < 20; times += 1) {
      const { session } = await openSession(running);
      const { body } = await refresh({ server: servers()[1] }, session.refreshToken);
      await otherApi.delete(`/v1/token-sessions/${session.id}`, 204);
      for (const server of servers()) {
        expectProblem(await refresh({ server }, body.session.refreshToken), 'unauthorized');
        expectProblem(await refresh({ server }, session.refreshToken), 'unauthorized');
      }
    }
  });

  it('is over for good when it is revoked amid many refreshes and other revocations', async () => {
    const identityId = await newPerson(running);
    const opened = await Promise.all(Array.from({ length: 8 }, () => openSession(running, { identityId })));
    const refreshes = opened.flatMap(({ session }) =>
      servers().map((server) => refresh({ server }, session.refreshToken)),
    );
    const revoking = [running.api, otherApi, running.api].map((api) =>
      api.delete(`/v1/identities/${identityId}/token-sessions`, 204),
    );
    const answers = await Promise.all(refreshes);
    await Promise.all(revoking);
    for (const { status } of answers) expect([200, 401]).toContain(status);
    const tokens = [
      ...opened.map(({ session }) => session.refreshToken),
      ...answers.flatMap(({ status, body }) => (status === 200 ? [body.session.refreshToken] : [])),
    ];
    for (const token of tokens) {
      expectProblem(await refresh({ server: servers()[0] }, token), 'unauthorized');
    }
  });
});
