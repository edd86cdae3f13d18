import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Harness, V1 } from './support/harness.js';
import { harness, refusal } from './support/harness.js';

const MANY = 250;

describe('the official library on the account, and on lists', () => {
  let sandbox: Harness;
  let v1: V1;

  beforeAll(async () => {
    sandbox = await harness();
    v1 = sandbox.v1;
  });

  afterAll(() => sandbox.stop());

  let counter = 0;
  const number = (): string => `+1555${1_000_000 + ++counter}`;
  const gone = async (call: Promise<unknown>): Promise<void> => {
    expect(await refusal(call)).toMatchObject({ status: 404, code: 20404 });
  };

  it('services: create, list, remove with everything in them', async () => {
    const { sid } = await v1.services.create({ friendlyName: 'short-lived' });
    const space = v1.services(sid);
    const made = await space.conversations.create({ uniqueName: 'inside' });
    await space.conversations(made.sid).participants.create({ identity: 'anna' });
    expect((await v1.services.list()).map((one) => one.sid)).toContain(sid);
    expect(await v1.services(sid).remove()).toBe(true);
    await gone(space.conversations(made.sid).fetch());
    await gone(v1.services(sid).fetch());
    const { body } = await sandbox.control('GET', '/state?full=true');
    expect(JSON.stringify(body)).not.toContain(sid);
  });

  it('what belongs to one service is not found in another', async () => {
    const { sid } = await v1.services.create({ friendlyName: 'other' });
    const made = await v1.conversations.create({ uniqueName: 'mine' });
    await gone(v1.services(sid).conversations(made.sid).fetch());
    await gone(v1.services(sid).conversations('mine').fetch());
  });

  it('configuration: account, service, webhooks, notifications', async () => {
    expect(await v1.configuration().update({ defaultInactiveTimer: 'PT5M' })).toMatchObject({
      defaultInactiveTimer: 'PT5M',
      defaultChatServiceSid: sandbox.config.chatServiceSid,
    });
    expect(
      (await v1.configuration().update({ defaultInactiveTimer: 'PT0S' })).defaultInactiveTimer,
    ).toBeNull();
    const { sid } = await v1.services.create({ friendlyName: 'configured' });
    const { configuration } = v1.services(sid);
    expect((await configuration().update({ reachabilityEnabled: true })).reachabilityEnabled).toBe(true);
    expect(await configuration.webhooks().fetch()).toMatchObject({
      preWebhookUrl: null,
      postWebhookUrl: null,
    });
    const notified = await configuration.notifications().update({ 'newMessage.withMedia.enabled': true });
    expect(notified.newMessage).toMatchObject({ enabled: false, with_media: { enabled: true } });
    expect(notified.logEnabled).toBe(false);
  });

  it('a service made the default is what the short paths mean', async () => {
    const before = (await v1.configuration().fetch()).defaultChatServiceSid;
    const { sid } = await v1.services.create({ friendlyName: 'new default' });
    await v1.configuration().update({ defaultChatServiceSid: sid });
    expect((await v1.conversations.create()).chatServiceSid).toBe(sid);
    await v1.configuration().update({ defaultChatServiceSid: before });
  });

  it('address configurations: create, fetch by sid and address, update, list by type, remove', async () => {
    const address = number();
    const made = await v1.addressConfigurations.create({
      type: 'sms',
      address,
      'autoCreation.enabled': true,
      'autoCreation.type': 'default',
    });
    expect((await v1.addressConfigurations(address).fetch()).sid).toBe(made.sid);
    const updated = await v1.addressConfigurations(made.sid).update({ friendlyName: 'Front desk' });
    expect(updated).toMatchObject({
      friendlyName: 'Front desk',
      autoCreation: { enabled: true, type: 'default' },
    });
    expect((await v1.addressConfigurations.list({ type: 'sms' })).map(({ sid }) => sid)).toEqual([made.sid]);
    expect(await v1.addressConfigurations.list({ type: 'whatsapp' })).toEqual([]);
    expect(await v1.addressConfigurations(made.sid).remove()).toBe(true);
  });

  it('credentials and bindings: create, update, list by type and identity, remove', async () => {
    const made = await v1.credentials.create({ type: 'apn', friendlyName: 'push', sandbox: true });
    expect(made).toMatchObject({ type: 'apn', sandbox: 'True' });
    expect((await v1.credentials(made.sid).update({ friendlyName: 'renamed' })).friendlyName).toBe('renamed');
    const registered = await sandbox.control('POST', '/bindings', {
      identity: 'anna',
      bindingType: 'apn',
      credentialSid: made.sid,
      endpoint: 'device',
    });
    const { bindings } = v1.services(sandbox.config.chatServiceSid);
    const bySid = (list: { sid: string }[]): string[] => list.map(({ sid }) => sid);
    expect(bySid(await bindings.list({ identity: ['anna'], bindingType: ['apn'] }))).toEqual([
      registered.body.sid,
    ]);
    expect(await bindings.list({ identity: ['ben'] })).toEqual([]);
    expect(await v1.services(sandbox.config.chatServiceSid).bindings(registered.body.sid).remove()).toBe(
      true,
    );
    expect(await v1.credentials(made.sid).remove()).toBe(true);
  });

  it('conversations are listed by their latest message, or, with dates, by creation', async () => {
    const { sid } = await v1.services.create({ friendlyName: 'ordered' });
    const { conversations } = v1.services(sid);
    const old = await conversations.create({ dateCreated: new Date('2020-01-01T00:00:00Z') });
    const recent = await conversations.create();
    const sids = (list: { sid: string }[]): string[] => list.map((one) => one.sid);
    expect(sids(await conversations.list())).toEqual([recent.sid, old.sid]);
    await v1.services(sid).conversations(old.sid).messages.create({ body: 'news' });
    expect(sids(await conversations.list())).toEqual([old.sid, recent.sid]);
    expect(sids(await conversations.list({ startDate: '2019-01-01' }))).toEqual([recent.sid, old.sid]);
    expect(sids(await conversations.list({ endDate: '2020-01-01' }))).toEqual([old.sid]);
    await v1.services(sid).conversations(old.sid).update({ state: 'closed' });
    expect(sids(await conversations.list({ state: 'closed' }))).toEqual([old.sid]);
  });

  it('a page can be turned back to', async () => {
    const { sid } = await v1.conversations.create();
    const { messages } = v1.conversations(sid);
    for (let index = 0; index < 7; index++) await messages.create({ body: `${index}` });
    const first = await messages.page({ pageSize: 3 });
    const second = await first.nextPage();
    const third = await second?.nextPage();
    const bodies = (page?: { instances: { body: string }[] }): string[] =>
      page?.instances.map(({ body }) => body) ?? [];
    expect([first, second, third].map((page) => bodies(page))).toEqual([
      ['0', '1', '2'],
      ['3', '4', '5'],
      ['6'],
    ]);
    expect(third?.nextPageUrl).toBeUndefined();
    expect(bodies(await third?.previousPage())).toEqual(['3', '4', '5']);
    const back = await (await third?.previousPage())?.previousPage();
    expect(bodies(back)).toEqual(['0', '1', '2']);
    expect(back?.previousPageUrl).toBeUndefined();
  });

  it('a page larger than the maximum is cut to it, and the rest follows', async () => {
    const { sid } = await v1.conversations.create();
    for (let index = 0; index < 120; index++)
      await v1.conversations(sid).messages.create({ body: `${index}` });
    expect((await v1.conversations(sid).messages.page({ pageSize: 500 })).instances).toHaveLength(100);
    expect(await v1.conversations(sid).messages.list({ limit: 110 })).toHaveLength(110);
  });

  describe(`lists that ${MANY} items page through, each once`, () => {
    const expectAll = (listed: string[], made: string[]): void => {
      expect(new Set(listed).size).toBe(listed.length);
      expect(listed).toEqual(expect.arrayContaining(made));
    };
    const many = async (create: (index: number) => Promise<string>): Promise<string[]> => {
      const made: string[] = [];
      for (let index = 0; index < MANY; index++) made.push(await create(index));
      return made;
    };
    const sids = (list: { sid: string }[]): string[] => list.map(({ sid }) => sid);

    it('services, credentials and address configurations', async () => {
      const services = await many(
        async () => (await v1.services.create({ friendlyName: 'one of many' })).sid,
      );
      expectAll(sids(await v1.services.list({ pageSize: 40 })), services);
      const credentials = await many(async () => (await v1.credentials.create({ type: 'fcm' })).sid);
      expectAll(sids(await v1.credentials.list({ pageSize: 40 })), credentials);
      const addresses = await many(
        async () => (await v1.addressConfigurations.create({ type: 'sms', address: number() })).sid,
      );
      expectAll(sids(await v1.addressConfigurations.list({ pageSize: 40 })), addresses);
    });

    it('bindings', async () => {
      const { sid: credentialSid } = await v1.credentials.create({ type: 'fcm' });
      const order = { bindingType: 'fcm', credentialSid, endpoint: 'device' };
      const bindings = await many(
        async (index) =>
          (await sandbox.control('POST', '/bindings', { identity: `p-${index}`, ...order })).body.sid,
      );
      expectAll(
        sids(await v1.services(sandbox.config.chatServiceSid).bindings.list({ pageSize: 40 })),
        bindings,
      );
    });

    it('the conversations of a user, and of a participant', async () => {
      const made = await many(async () => {
        const { sid } = await v1.conversations.create();
        await v1.conversations(sid).participants.create({ identity: 'everywhere' });
        return sid;
      });
      const mine = await v1.users('everywhere').userConversations.list({ pageSize: 40 });
      expectAll(
        mine.map(({ conversationSid }) => conversationSid),
        made,
      );
      const found = await v1.participantConversations.list({ identity: 'everywhere', pageSize: 40 });
      expectAll(
        found.map(({ conversationSid }) => conversationSid),
        made,
      );
    });

    it('receipts and scoped webhooks up to their limits', async () => {
      const { sid } = await v1.conversations.create();
      const inside = v1.conversations(sid);
      for (let count = 0; count < 50; count++) {
        await inside.participants.create({
          'messagingBinding.address': number(),
          'messagingBinding.proxyAddress': number(),
        });
      }
      const said = await inside.messages.create({ body: 'to all' });
      await sandbox.control('POST', '/clock', { advance: 'PT1M' });
      const receipts = sids(await inside.messages(said.sid).deliveryReceipts.list({ pageSize: 20 }));
      expect(new Set(receipts).size).toBe(50);
      const webhook = { target: 'webhook', 'configuration.url': 'https://example.com/' } as const;
      for (let count = 0; count < 5; count++) {
        await inside.webhooks.create({ ...webhook, 'configuration.filters': ['onMessageAdded'] });
      }
      expect(new Set(sids(await inside.webhooks.list({ pageSize: 2 }))).size).toBe(5);
    });
  });
});
