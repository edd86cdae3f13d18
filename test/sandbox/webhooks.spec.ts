import twilio from 'twilio';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Harness, Received, Receiver } from './support/harness.js';
import { eventually, harness, receiver, refusal } from './support/harness.js';

const ASKED = { xTwilioWebhookEnabled: 'true' } as const;

describe('webhooks', () => {
  let sandbox: Harness;
  let account: Receiver;
  let service: Receiver;

  beforeAll(async () => {
    sandbox = await harness();
  });

  afterAll(() => sandbox.stop());

  beforeEach(async () => {
    await sandbox.control('POST', '/reset');
    [account, service] = await Promise.all([receiver(), receiver()]);
  });

  afterEach(async () => {
    await Promise.all([account.stop(), service.stop()]);
  });

  const EVENTS = [
    'onConversationAdded',
    'onConversationUpdated',
    'onConversationStateUpdated',
    'onMessageAdded',
  ];

  const configure = (filters: string[], urls: { pre?: string; post?: string }): Promise<unknown> =>
    sandbox.v1.configuration.webhooks().update({
      filters,
      method: 'POST',
      ...(urls.pre === undefined ? {} : { preWebhookUrl: urls.pre }),
      ...(urls.post === undefined ? {} : { postWebhookUrl: urls.post }),
    });

  const first = (from: Receiver, type: string): Promise<Received> =>
    eventually(() => {
      const found = from.received.find(({ form }) => form['EventType'] === type);
      if (found === undefined) throw new Error(`No ${type} yet, only ${from.events().join()}`);
      return found;
    });

  describe('after a change', () => {
    it('a post-hook carries what happened, signed so that the official library accepts it', async () => {
      await configure(EVENTS, { post: `${account.url}/hook?tenant=1` });
      const made = await sandbox.v1.conversations.create({ friendlyName: 'Case é & 1', ...ASKED });
      const { form, headers, url } = await first(account, 'onConversationAdded');
      expect(form).toMatchObject({
        AccountSid: sandbox.config.accountSid,
        EventType: 'onConversationAdded',
        Source: 'API',
        ConversationSid: made.sid,
        FriendlyName: 'Case é & 1',
        ChatServiceSid: made.chatServiceSid,
        MessagingServiceSid: made.messagingServiceSid,
        Attributes: '{}',
        State: 'active',
      });
      const signature = String(headers['x-twilio-signature']);
      expect(twilio.validateRequest(sandbox.config.authToken, signature, account.url + url, form)).toBe(true);
      expect(twilio.validateRequest('another token', signature, account.url + url, form)).toBe(false);
      expect(headers['i-twilio-idempotency-token']).toMatch(/^[0-9a-f-]{36}$/);
    });

    it('one by GET puts the same in a query, and signs that', async () => {
      await sandbox.v1.configuration
        .webhooks()
        .update({ filters: EVENTS, method: 'GET', postWebhookUrl: `${account.url}/hook` });
      await sandbox.v1.conversations.create(ASKED);
      const { url, method, headers } = await first(account, 'onConversationAdded');
      expect(method).toBe('GET');
      const signature = String(headers['x-twilio-signature']);
      expect(twilio.validateRequest(sandbox.config.authToken, signature, account.url + url, {})).toBe(true);
    });

    it('a REST change without the header fires none, and one that is not in the filters neither', async () => {
      await configure(EVENTS, { post: account.url });
      const { sid } = await sandbox.v1.conversations.create();
      await sandbox.v1.conversations(sid).participants.create({ identity: 'anna', ...ASKED });
      await sandbox.v1.conversations(sid).update({ friendlyName: 'last', ...ASKED });
      await first(account, 'onConversationUpdated');
      expect(account.events()).toEqual(['onConversationUpdated']);
    });

    it('a service with a webhook of its own replaces the account, for that service alone', async () => {
      await configure(EVENTS, { post: account.url });
      const { sid } = await sandbox.v1.services.create({ friendlyName: 'own' });
      await sandbox.v1
        .services(sid)
        .configuration.webhooks()
        .update({ postWebhookUrl: service.url, filters: EVENTS, method: 'POST' });
      await sandbox.v1.services(sid).conversations.create({ friendlyName: 'in own', ...ASKED });
      await sandbox.v1.conversations.create({ friendlyName: 'in default', ...ASKED });
      expect((await first(service, 'onConversationAdded')).form['FriendlyName']).toBe('in own');
      expect((await first(account, 'onConversationAdded')).form['FriendlyName']).toBe('in default');
      expect([account.events(), service.events()]).toEqual([
        ['onConversationAdded'],
        ['onConversationAdded'],
      ]);
    });

    it('every kind of object tells of its adding, changing and removal', async () => {
      const filters = ['Conversation', 'Message', 'Participant', 'User'].flatMap((kind) =>
        ['Added', 'Updated', 'Removed'].map((what) => `on${kind}${what}`),
      );
      await configure(filters, { post: account.url });
      const made = await sandbox.v1.conversations.create(ASKED);
      const inside = sandbox.v1.conversations(made.sid);
      const member = await inside.participants.create({ identity: 'anna', ...ASKED });
      await inside.participants(member.sid).update({ attributes: '{"a":1}', ...ASKED });
      const said = await inside.messages.create({ body: 'hello', author: 'anna', ...ASKED });
      await inside.messages(said.sid).update({ body: 'hello again', ...ASKED });
      await inside.messages(said.sid).remove(ASKED);
      await inside.participants(member.sid).remove(ASKED);
      await sandbox.v1.users('anna').update({ friendlyName: 'Anna', ...ASKED });
      await inside.remove(ASKED);
      await first(account, 'onConversationRemoved');
      const expected = filters
        .filter((name) => !['onUserRemoved', 'onConversationUpdated'].includes(name))
        .sort();
      await eventually(() => expect(account.events().sort()).toEqual(expected));
      const removed = await first(account, 'onMessageRemoved');
      expect(removed.form).toMatchObject({ MessageSid: said.sid, Index: '0', ParticipantSid: member.sid });
      expect(removed.form['DateRemoved']).toMatch(/Z$/);
    });

    it('a scoped webhook hears its own conversation, a trigger its keyword, and ReplayAfter what was before', async () => {
      const made = await sandbox.v1.conversations.create();
      const inside = sandbox.v1.conversations(made.sid);
      for (const body of ['zero', 'one', 'two']) await inside.messages.create({ body });
      await inside.webhooks.create({
        target: 'webhook',
        'configuration.url': `${account.url}/replay`,
        'configuration.method': 'post',
        'configuration.filters': ['onMessageAdded'],
        'configuration.replayAfter': 0,
      });
      await eventually(() =>
        expect(account.received.map(({ form }) => form['Body']).sort()).toEqual(['one', 'two']),
      );
      await inside.webhooks.create({
        target: 'trigger',
        'configuration.url': `${service.url}/trigger`,
        'configuration.method': 'post',
        'configuration.triggers': ['HELP'],
      });
      await inside.messages.create({ body: 'nothing', ...ASKED });
      await inside.messages.create({ body: 'please help me', ...ASKED });
      const triggered = await first(service, 'onMessageAdded');
      expect(triggered.form['Body']).toBe('please help me');
      expect(service.received).toHaveLength(1);
    });
  });

  describe('before a change', () => {
    const asked = (event: string): Promise<unknown> => configure([event], { pre: account.url });

    it('a pre-hook rewrites a message: what is stored and answered is the new one', async () => {
      await asked('onMessageAdd');
      account.answer = (_, response) =>
        void response.end(
          JSON.stringify({ body: 'rewritten', author: 'bot', attributes: '{"b":2}', index: 9 }),
        );
      const { sid } = await sandbox.v1.conversations.create();
      const inside = sandbox.v1.conversations(sid);
      const said = await inside.messages.create({ body: 'original', author: 'anna', ...ASKED });
      expect(said).toMatchObject({ body: 'rewritten', author: 'bot', attributes: '{"b":2}', index: 0 });
      expect((await inside.messages(said.sid).fetch()).body).toBe('rewritten');
      expect(account.received[0]?.form).toMatchObject({ EventType: 'onMessageAdd', Body: 'original' });
      expect(account.received[0]?.form).not.toHaveProperty('MessageSid');
    });

    it('it renames a conversation, and may answer nothing at all', async () => {
      await asked('onConversationAdd');
      account.answer = (_, response) => void response.end('{"friendly_name":"theirs"}');
      expect((await sandbox.v1.conversations.create({ friendlyName: 'mine', ...ASKED })).friendlyName).toBe(
        'theirs',
      );
      account.answer = (_, response) => void response.end();
      expect((await sandbox.v1.conversations.create({ friendlyName: 'mine', ...ASKED })).friendlyName).toBe(
        'mine',
      );
    });

    it.each([
      [403, 50056],
      [500, 50057],
    ])('an answer of %i refuses the change with %i, and nothing is done', async (status, code) => {
      await asked('onMessageAdd');
      account.answer = (_, response) => void response.writeHead(status).end();
      const { sid } = await sandbox.v1.conversations.create();
      const messages = sandbox.v1.conversations(sid).messages;
      expect(await refusal(messages.create({ body: 'no', ...ASKED }))).toMatchObject({ status: 400, code });
      expect(await messages.list()).toEqual([]);
    });

    it('an answer that makes no sense is an error to the caller', async () => {
      await asked('onMessageAdd');
      const { sid } = await sandbox.v1.conversations.create();
      const messages = sandbox.v1.conversations(sid).messages;
      account.answer = (_, response) => void response.end('{"attributes":"{broken"}');
      expect(await refusal(messages.create({ body: 'x', ...ASKED }))).toMatchObject({ code: 50304 });
      account.answer = (_, response) => void response.end('no JSON');
      expect(await refusal(messages.create({ body: 'x', ...ASKED }))).toMatchObject({ code: 50054 });
    });

    it('one that hangs for six seconds lets the change through after five, unchanged', async () => {
      await asked('onMessageAdd');
      account.answer = (_, response) => void setTimeout(() => response.end('{"body":"too late"}'), 6000);
      const { sid } = await sandbox.v1.conversations.create();
      const from = performance.now();
      const said = await sandbox.v1.conversations(sid).messages.create({ body: 'on time', ...ASKED });
      const waited = performance.now() - from;
      expect(said.body).toBe('on time');
      expect(waited).toBeGreaterThan(4900);
      expect(waited).toBeLessThan(6000);
    });

    it('it is not asked without the header, nor about what its filters leave out', async () => {
      await asked('onConversationAdd');
      const { sid } = await sandbox.v1.conversations.create();
      await sandbox.v1.conversations(sid).messages.create({ body: 'x', ...ASKED });
      expect(account.received).toEqual([]);
    });
  });

  it('a failed connection is tried again with the same idempotency token, as the URL asks', async () => {
    await configure(['onConversationAdded'], { post: `${account.url}/hook#rc=2&rp=5xx` });
    account.answer = (_, response) => void response.writeHead(account.received.length < 3 ? 503 : 200).end();
    await sandbox.v1.conversations.create(ASKED);
    await eventually(() => expect(account.received).toHaveLength(3));
    const tokens = account.received.map(({ headers }) => headers['i-twilio-idempotency-token']);
    expect(new Set(tokens).size).toBe(1);
    expect(account.received[0]?.url).toBe('/hook');
  });
});
