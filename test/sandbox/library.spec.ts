import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Harness, V1 } from './support/harness.js';
import { harness, refusal } from './support/harness.js';

const MANY = 250;

/** What the library's classes of a list have in common. */
interface Resources {
  list(options?: { pageSize?: number }): Promise<{ sid?: string }[]>;
}

describe('the official library, with nothing changed but the host it calls', () => {
  let sandbox: Harness;
  let v1: V1;

  beforeAll(async () => {
    sandbox = await harness();
    v1 = sandbox.v1;
  });

  afterAll(() => sandbox.stop());

  let counter = 0;
  const name = (): string => `name-${++counter}`;
  const number = (): string => `+1555${1_000_000 + ++counter}`;
  const gone = async (call: Promise<unknown>): Promise<void> => {
    expect(await refusal(call)).toMatchObject({ status: 404, code: 20404 });
  };

  describe.each(['default', 'named'])('in the %s service', (scope) => {
    let service: string;
    // Both scopes have the same resources; the library only types them apart.
    let space: ReturnType<V1['services']>;
    let base: string;

    beforeAll(async () => {
      if (scope === 'default') {
        ({ sid: service } = await v1.services(sandbox.config.chatServiceSid).fetch());
        space = v1 as unknown as typeof space;
        base = `${sandbox.baseUrl}/v1`;
        return;
      }
      ({ sid: service } = await v1.services.create({ friendlyName: 'named' }));
      space = v1.services(service);
      base = `${sandbox.baseUrl}/v1/Services/${service}`;
    });

    it('conversations: create, fetch by sid and unique name, update, remove', async () => {
      const uniqueName = name();
      const made = await space.conversations.create({
        uniqueName,
        friendlyName: 'Case',
        attributes: '{"a":1}',
      });
      expect(made).toMatchObject({
        chatServiceSid: service,
        state: 'active',
        uniqueName,
        attributes: '{"a":1}',
      });
      expect(made.url).toBe(`${base}/Conversations/${made.sid}`);
      expect((await space.conversations(uniqueName).fetch()).sid).toBe(made.sid);
      const updated = await space
        .conversations(made.sid)
        .update({ friendlyName: 'Closed', state: 'inactive' });
      expect(updated).toMatchObject({ friendlyName: 'Closed', state: 'inactive', uniqueName });
      expect(await space.conversations(made.sid).remove()).toBe(true);
      await gone(space.conversations(made.sid).fetch());
      await gone(space.conversations(uniqueName).fetch());
    });

    it('participants: chat and SMS, roles and users, fetch by identity, update, remove', async () => {
      const { sid } = await space.conversations.create();
      const inside = space.conversations(sid);
      const identity = name();
      const chat = await inside.participants.create({ identity });
      const { defaultConversationRoleSid } = await v1.services(service).configuration().fetch();
      expect(chat).toMatchObject({ identity, messagingBinding: null, roleSid: defaultConversationRoleSid });
      expect((await space.users(identity).fetch()).identity).toBe(identity);
      const [address, proxy] = [number(), number()];
      const sms = await inside.participants.create({
        'messagingBinding.address': address,
        'messagingBinding.proxyAddress': proxy,
      });
      expect(sms.messagingBinding).toEqual({ type: 'sms', address, proxy_address: proxy });
      expect(sms).toMatchObject({ identity: null, roleSid: null });
      expect((await inside.participants(identity).fetch()).sid).toBe(chat.sid);
      const role = await space.roles.create({
        friendlyName: 'r',
        type: 'conversation',
        permission: ['sendMessage'],
      });
      expect((await inside.participants(chat.sid).update({ roleSid: role.sid })).roleSid).toBe(role.sid);
      expect(await inside.participants(sms.sid).remove()).toBe(true);
      expect((await inside.participants.list()).map((one) => one.sid)).toEqual([chat.sid]);
    });

    it('messages: author, index, order, update, remove; the index goes on', async () => {
      const { sid } = await space.conversations.create();
      const inside = space.conversations(sid);
      const author = await inside.participants.create({ identity: name() });
      const greeting = await inside.messages.create({ body: 'Welcome' });
      expect(greeting).toMatchObject({ author: 'system', participantSid: null, index: 0, delivery: null });
      const said = await inside.messages.create({ body: 'hi', author: author.identity });
      expect(said).toMatchObject({ participantSid: author.sid, index: 1 });
      expect((await inside.messages(said.sid).update({ body: 'hello' })).body).toBe('hello');
      expect(await inside.messages(said.sid).remove()).toBe(true);
      expect((await inside.messages.create({ body: 'more' })).index).toBe(2);
      expect((await inside.messages.list({ order: 'desc' })).map(({ index }) => index)).toEqual([2, 0]);
    });

    it('users: create, fetch by identity, update, remove; who is removed leaves every conversation', async () => {
      const identity = name();
      const role = await space.roles.create({
        friendlyName: 'u',
        type: 'service',
        permission: ['joinConversation'],
      });
      const made = await space.users.create({ identity, friendlyName: 'Anna', roleSid: role.sid });
      expect(made).toMatchObject({ identity, chatServiceSid: service, roleSid: role.sid, isOnline: null });
      expect((await space.users(identity).update({ attributes: '{"a":1}' })).attributes).toBe('{"a":1}');
      const { sid } = await space.conversations.create();
      await space.conversations(sid).participants.create({ identity });
      expect(await space.users(made.sid).remove()).toBe(true);
      await gone(space.users(identity).fetch());
      expect(await space.conversations(sid).participants.list()).toEqual([]);
    });

    it('roles: four to begin with, create, update replaces the list, remove', async () => {
      const names = (await space.roles.list()).map(({ type, friendlyName }) => `${type}: ${friendlyName}`);
      expect(names.slice(0, 4)).toEqual([
        'service: service admin',
        'service: service user',
        'conversation: channel admin',
        'conversation: channel user',
      ]);
      const made = await space.roles.create({
        friendlyName: 'mine',
        type: 'conversation',
        permission: ['sendMessage'],
      });
      const updated = await space
        .roles(made.sid)
        .update({ permission: ['leaveConversation', 'addParticipant'] });
      expect(updated.permissions).toEqual(['leaveConversation', 'addParticipant']);
      expect(await space.roles(made.sid).remove()).toBe(true);
      await gone(space.roles(made.sid).fetch());
    });

    it('scoped webhooks: create, fetch, update, list, remove', async () => {
      const { sid } = await space.conversations.create();
      const { webhooks } = space.conversations(sid);
      const made = await webhooks.create({
        target: 'webhook',
        'configuration.url': 'https://example.com/a',
        'configuration.method': 'get',
        'configuration.filters': ['onMessageAdded'],
      });
      expect(made.configuration).toEqual({
        url: 'https://example.com/a',
        method: 'get',
        filters: ['onMessageAdded'],
      });
      const updated = await space
        .conversations(sid)
        .webhooks(made.sid)
        .update({ 'configuration.method': 'post' });
      expect(updated.configuration).toMatchObject({ method: 'post', filters: ['onMessageAdded'] });
      expect((await webhooks.list()).map((one) => one.sid)).toEqual([made.sid]);
      expect(await space.conversations(sid).webhooks(made.sid).remove()).toBe(true);
      await gone(space.conversations(sid).webhooks(made.sid).fetch());
    });

    it('user conversations: unread messages, horizon, notification level, leaving', async () => {
      const identity = name();
      const { sid } = await space.conversations.create();
      const inside = space.conversations(sid);
      await inside.participants.create({ identity });
      for (const body of ['zero', 'one', 'two']) await inside.messages.create({ body });
      const mine = space.users(identity).userConversations;
      const [only] = await mine.list();
      expect(only).toMatchObject({
        conversationSid: sid,
        unreadMessagesCount: null,
        notificationLevel: 'default',
      });
      const of = space.users(identity).userConversations(sid);
      const updated = await of.update({ lastReadMessageIndex: 0, notificationLevel: 'muted' });
      expect(updated).toMatchObject({
        lastReadMessageIndex: 0,
        unreadMessagesCount: 2,
        notificationLevel: 'muted',
      });
      expect((await inside.participants(identity).fetch()).lastReadMessageIndex).toBe(0);
      expect(await of.remove()).toBe(true);
      expect(await inside.participants.list()).toEqual([]);
      expect(await mine.list()).toEqual([]);
    });

    it('participant conversations: by identity and by address, in the order of the sids', async () => {
      const identity = name();
      const address = number();
      const sids: string[] = [];
      for (let count = 0; count < 3; count++) {
        const { sid } = await space.conversations.create();
        sids.push(sid);
        const { participants } = space.conversations(sid);
        await participants.create({ identity });
        await participants.create({
          'messagingBinding.address': address,
          'messagingBinding.proxyAddress': number(),
        });
      }
      const byIdentity = await space.participantConversations.list({ identity });
      expect(byIdentity.map(({ conversationSid }) => conversationSid)).toEqual(sids.sort());
      expect(byIdentity[0]).toMatchObject({ participantIdentity: identity, conversationState: 'active' });
      const byAddress = await space.participantConversations.list({ address });
      expect(byAddress.map(({ conversationSid }) => conversationSid)).toEqual(sids);
    });

    it(`lists page over ${MANY} items, each once, following next_page_url`, async () => {
      const { sid } = await space.conversations.create();
      const inside = space.conversations(sid);
      const all = async (create: (index: number) => Promise<{ sid: string }>): Promise<string[]> => {
        const sids: string[] = [];
        for (let index = 0; index < MANY; index++) sids.push((await create(index)).sid);
        return sids;
      };
      const expected = await Promise.all([
        all(() => space.conversations.create()),
        all((index) => inside.participants.create({ identity: `p-${index}` })),
        all((index) => inside.messages.create({ body: `m-${index}` })),
        all(() => space.users.create({ identity: name() })),
        all((index) =>
          space.roles.create({
            friendlyName: `r-${index}`,
            type: 'service',
            permission: ['joinConversation'],
          }),
        ),
      ]);
      const lists: Resources[] = [
        space.conversations,
        inside.participants,
        inside.messages,
        space.users,
        space.roles,
      ];
      for (const [index, list] of lists.entries()) {
        const sids = (await list.list({ pageSize: 40 })).map((one) => one.sid);
        expect(new Set(sids).size).toBe(sids.length);
        expect(sids).toEqual(expect.arrayContaining(expected[index] ?? []));
      }
      expect((await inside.messages.list({ limit: 60, pageSize: 25 })).map(({ index }) => index)).toEqual(
        Array.from({ length: 60 }, (_, index) => index),
      );
    });

    it('ConversationWithParticipants is answered initializing, and active soon after with everybody in it', async () => {
      const identities = [name(), name()];
      const made = await space.conversationWithParticipants.create({
        uniqueName: name(),
        participant: [
          ...identities.map((identity) => JSON.stringify({ identity, attributes: '{"a":1}' })),
          JSON.stringify({ messaging_binding: { address: number(), proxy_address: number() } }),
        ],
      });
      expect(made.state).toBe('initializing');
      const after = await space.conversations(made.sid).fetch();
      expect(after.state).toBe('active');
      const members = await space.conversations(made.sid).participants.list();
      expect(members.map(({ identity }) => identity)).toEqual([...identities, null]);
    });
  });
});
