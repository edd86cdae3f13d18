import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/app-config.js';
import { createApp } from '../../src/configure-app.js';
import { ApiClient } from '../support/api-client.js';
import { serviceEnv } from '../support/app.js';
import { useTestDatabase } from '../support/database.js';
import { supportChat } from '../support/chats.js';
import { useSandbox } from '../support/sandbox.js';
import { verdictOf, type Opened } from '../support/token-sessions.js';

/** The account's two keys while they are being rotated, and a replica of each release. */
const NEW = { sid: `SK${'b'.repeat(32)}`, secret: 'the-new-key-secret-of-the-account' };
const database = useTestDatabase();
const sandbox = useSandbox({ secondApiKeySid: NEW.sid, secondApiKeySecret: NEW.secret });
const apps: NestFastifyApplication[] = [];
const apis: ApiClient[] = [];

async function startReplica(more: Record<string, string>): Promise<void> {
  const env = { ...serviceEnv(database.url, sandbox), ...more };
  const app = await createApp(loadConfig(env));
  apps.push(app);
  await app.listen(0, '127.0.0.1');
  apis.push(new ApiClient(app.getHttpServer(), env['BOOTSTRAP_API_KEY']!));
}

beforeAll(async () => {
  await startReplica({});
  await startReplica({ TWILIO_SIGNING_KEY_SID: NEW.sid, TWILIO_SIGNING_KEY_SECRET: NEW.secret });
});
afterAll(() => Promise.all(apps.map((app) => app.close())));

const issuerOf = (token: string): unknown =>
  (JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()) as { iss: unknown }).iss;

it('while one replica has the new key and one the old, Twilio takes the tokens of both, each signed by its own', async () => {
  const [old, next] = apis as [ApiClient, ApiClient];
  await old.post('/v1/identities', { kind: 'customer', externalId: 'bob' }, 201);
  for (const [api, sid] of [
    [old, sandbox.config.apiKeySid],
    [next, NEW.sid],
  ] as const) {
    const { body } = await api.post<Opened>('/v1/tokens', { externalId: 'bob', session: {} }, 201);
    expect(issuerOf(body.token)).toBe(sid);
    expect(await verdictOf({ sandbox }, body.token)).toMatchObject({ valid: true });
    const { refreshToken } = body.session;
    // A session goes on at whichever replica.
    const other = api === old ? next : old;
    const refreshed = await other.post<Opened>('/v1/tokens/refresh', { refreshToken }, 200, { key: null });
    expect(issuerOf(refreshed.body.token)).not.toBe(sid);
    expect(await verdictOf({ sandbox }, refreshed.body.token)).toMatchObject({ valid: true });
  }
});

it('calls to Twilio go on with the key that they had', async () => {
  await apis[1]!.post('/v1/conversations', supportChat(), 201);
});
