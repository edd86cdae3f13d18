import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Harness, Receiver } from './support/harness.js';
import { eventually, harness, receiver, refusal } from './support/harness.js';

interface Noted {
  sequence: number;
  method: string;
  path: string;
  parameters: Record<string, string>;
  status: number | null;
  durationMs: number | null;
  fault: string | null;
}

describe('faults, through the official library', () => {
  let sandbox: Harness;

  beforeAll(async () => {
    sandbox = await harness();
  });

  afterAll(() => sandbox.stop());

  beforeEach(async () => {
    await sandbox.control('POST', '/reset');
  });

  const add = async (match: object, fault: object): Promise<string> => {
    const { status, body } = await sandbox.control('POST', '/faults', { match, fault });
    expect(status).toBe(201);
    return String(body['id']);
  };

  const create = (uniqueName: string) => sandbox.v1.conversations.create({ uniqueName });
  const exists = async (uniqueName: string): Promise<boolean> => {
    const { status } = await sandbox.call('GET', `/v1/Conversations/${uniqueName}`);
    return status === 200;
  };
  const requests = async (): Promise<Noted[]> =>
    (await sandbox.control('GET', '/requests?since=0')).body['requests'] as Noted[];
  const POST = { method: 'POST', path: '/v1/Conversations$' };
  const codeOf = async (call: Promise<unknown>): Promise<unknown> => {
    try {
      await call;
    } catch (error) {
      return (error as { code?: unknown }).code;
    }
    return undefined;
  };

  it('status: an error of that status and code, Retry-After with it, and nothing done', async () => {
    await add(POST, { type: 'status', status: 429, retryAfterSeconds: 7 });
    expect(await refusal(create('a'))).toMatchObject({ status: 429, code: 20429 });
    expect(sandbox.client.httpClient.lastResponse?.headers).toMatchObject({ 'retry-after': '7' });
    expect(await exists('a')).toBe(false);
    expect((await create('a')).uniqueName).toBe('a');
    await add(POST, { type: 'status', status: 503, code: 50002 });
    expect(await refusal(create('b'))).toMatchObject({ status: 503, code: 50002 });
  });

  it('delay, applied after: the change is made when the pause ends, even if the caller has gone', async () => {
    const id = await add(POST, { type: 'delay', ms: 400 });
    const caller = new AbortController();
    const { accountSid, authToken } = sandbox.config;
    const call = fetch(`${sandbox.baseUrl}/v1/Conversations`, {
      method: 'POST',
      body: new URLSearchParams({ UniqueName: 'late' }),
      headers: { authorization: `Basic ${btoa(`${accountSid}:${authToken}`)}` },
      signal: caller.signal,
    });
    await eventually(async () => expect(await requests()).toHaveLength(1));
    caller.abort();
    await expect(call).rejects.toThrow();
    expect(await exists('late')).toBe(false);
    await eventually(async () => expect(await exists('late')).toBe(true));
    expect((await sandbox.control('DELETE', `/faults/${id}`)).status).toBe(204);
  });

  it('delay, applied before: the change is there at once, its answer later', async () => {
    await add(POST, { type: 'delay', ms: 500, applied: 'before' });
    const from = performance.now();
    const call = create('early');
    await eventually(async () => expect(await exists('early')).toBe(true));
    expect(performance.now() - from).toBeLessThan(450);
    expect((await call).uniqueName).toBe('early');
    expect(performance.now() - from).toBeGreaterThan(450);
  });

  it('delay goes on without end, unless times says otherwise', async () => {
    await add({ path: '/v1/Roles' }, { type: 'delay', ms: 60 });
    for (let count = 0; count < 3; count++) {
      const from = performance.now();
      await sandbox.v1.roles.page();
      expect(performance.now() - from).toBeGreaterThan(50);
    }
  });

  it('reset-before: the connection is cut and nothing is done', async () => {
    await add(POST, { type: 'reset-before' });
    expect(await codeOf(create('never'))).toBe('ECONNRESET');
    expect(await exists('never')).toBe(false);
    expect((await requests())[0]).toMatchObject({ method: 'POST', status: null, fault: 'reset-before' });
  });

  it('reset-before with applyAfterMs: the change lands after the caller has given up', async () => {
    await add(POST, { type: 'reset-before', applyAfterMs: 300 });
    expect(await codeOf(create('lands'))).toBe('ECONNRESET');
    expect(await exists('lands')).toBe(false);
    await eventually(async () => expect(await exists('lands')).toBe(true));
  });

  it('reset-after: the change is made, then the connection is cut', async () => {
    await add(POST, { type: 'reset-after' });
    expect(await codeOf(create('made'))).toBe('ECONNRESET');
    expect(await exists('made')).toBe(true);
    expect(await refusal(create('made'))).toMatchObject({ status: 409, code: 50353 });
  });

  it.each([true, false])(
    'hang, applied %s: no answer comes, and the change is made or not',
    async (applied) => {
      await add(POST, { type: 'hang', applied });
      const timed = sandbox.client.request({
        method: 'post',
        uri: 'https://conversations.twilio.com/v1/Conversations',
        data: { UniqueName: 'hung' },
        timeout: 300,
      });
      expect(await codeOf(timed)).toBe('ECONNABORTED');
      expect(await exists('hung')).toBe(applied);
      expect((await requests())[0]).toMatchObject({ status: null, fault: 'hang' });
    },
  );

  it('match: the nth call, so many times, by method and path; the first in order of making wins', async () => {
    await add({ ...POST, nth: 2, times: 2 }, { type: 'status', status: 500 });
    await add({ path: 'Conversations' }, { type: 'status', status: 503 });
    const statuses: number[] = [];
    for (let count = 0; count < 5; count++)
      statuses.push((await sandbox.call('POST', '/v1/Conversations', {})).status);
    expect(statuses).toEqual([503, 500, 500, 201, 201]);
    const { faults } = (await sandbox.control('GET', '/faults')).body as unknown as {
      faults: { fired: number }[];
    };
    expect(faults.map(({ fired }) => fired)).toEqual([2, 1]);
    await sandbox.control('DELETE', '/faults');
    expect((await sandbox.control('GET', '/faults')).body['faults']).toEqual([]);
  });

  it('match: a probability goes on without end and hits about that share', async () => {
    await add({ ...POST, probability: 0.3 }, { type: 'status', status: 500 });
    let hit = 0;
    for (let count = 0; count < 400; count++) {
      if ((await sandbox.call('POST', '/v1/Conversations', {})).status === 500) hit += 1;
    }
    expect(hit).toBeGreaterThan(70);
    expect(hit).toBeLessThan(180);
  });

  it('what is no fault is refused, and says why', async () => {
    const wrong = [{ fault: { type: 'nonsense' } }, { fault: { type: 'delay' } }, { match: {} }];
    for (const body of wrong) expect((await sandbox.control('POST', '/faults', body)).status).toBe(400);
    const regular = await sandbox.control('POST', '/faults', {
      match: { path: '(' },
      fault: { type: 'reset-after' },
    });
    expect(regular).toMatchObject({ status: 400, body: { code: 20001 } });
    expect((await sandbox.control('DELETE', '/faults/unknown')).status).toBe(404);
  });

  it('a reset calls off what was still to land', async () => {
    await add(POST, { type: 'reset-before', applyAfterMs: 150 });
    await add(POST, { type: 'reset-before', applyAfterMs: 150 });
    await codeOf(create('ghost'));
    await sandbox.control('POST', '/reset');
    await add({ path: '/v1/Roles' }, { type: 'delay', ms: 300 });
    await sandbox.v1.roles.page();
    expect(await exists('ghost')).toBe(false);
  });

  it('the request log notes every call at its arrival, with parameters, status and fault', async () => {
    await add({ path: '/v1/Users$' }, { type: 'delay', ms: 300 });
    const slow = sandbox.v1.users.create({ identity: 'anna' });
    await eventually(async () =>
      expect(await requests()).toMatchObject([{ status: null, durationMs: null }]),
    );
    await slow;
    await sandbox.v1.roles.page({ pageSize: 2 });
    const { requests: noted, last } = (await sandbox.control('GET', '/requests')).body as unknown as {
      requests: Noted[];
      last: number;
    };
    expect(noted).toMatchObject([
      { method: 'POST', path: '/v1/Users', parameters: { Identity: 'anna' }, status: 201, fault: 'delay' },
      { method: 'GET', path: '/v1/Roles', parameters: { PageSize: '2' }, status: 200, fault: null },
    ]);
    expect(noted[0]?.durationMs).toBeGreaterThan(290);
    expect(last).toBe(noted[1]?.sequence);
    const since = await sandbox.control('GET', `/requests?since=${noted[0]?.sequence}`);
    expect(since.body['requests']).toHaveLength(1);
    await sandbox.control('DELETE', '/requests');
    expect((await sandbox.control('GET', '/requests')).body).toEqual({ requests: [], last });
  });

  describe('of webhooks', () => {
    let hooks: Receiver;

    beforeEach(async () => {
      hooks = await receiver();
      await sandbox.v1.configuration
        .webhooks()
        .update({ filters: ['onConversationAdded'], postWebhookUrl: `${hooks.url}/hook`, method: 'POST' });
    });

    afterEach(() => hooks.stop());

    const announce = (friendlyName: string) =>
      sandbox.v1.conversations.create({ friendlyName, xTwilioWebhookEnabled: 'true' });
    const names = (): (string | undefined)[] => hooks.received.map(({ form }) => form['FriendlyName']);

    it('webhook-drop: it is never sent', async () => {
      await add({ path: '/hook' }, { type: 'webhook-drop' });
      await announce('dropped');
      await announce('sent');
      await eventually(() => expect(names()).toEqual(['sent']));
    });

    it('webhook-duplicate: it comes twice, with one idempotency token', async () => {
      await add({}, { type: 'webhook-duplicate' });
      await announce('twice');
      await eventually(() => expect(names()).toEqual(['twice', 'twice']));
      expect(new Set(hooks.received.map(({ headers }) => headers['i-twilio-idempotency-token'])).size).toBe(
        1,
      );
    });

    it('webhook-reorder: the next one overtakes it', async () => {
      await add({}, { type: 'webhook-reorder' });
      await announce('first');
      await announce('second');
      await eventually(() => expect(names()).toEqual(['second', 'first']));
    });
  });
});
