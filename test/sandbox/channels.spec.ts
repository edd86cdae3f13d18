import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Harness, Receiver } from './support/harness.js';
import { eventually, harness, receiver } from './support/harness.js';

const CUSTOMER = '+15551230001';
const DESK = '+15559990001';

describe('SMS and WhatsApp', () => {
  let sandbox: Harness;
  let hooks: Receiver;

  beforeAll(async () => {
    sandbox = await harness();
  });

  afterAll(() => sandbox.stop());

  beforeEach(async () => {
    await sandbox.control('POST', '/reset');
    hooks = await receiver();
  });

  afterEach(() => hooks.stop());

  const withCustomer = async (address = CUSTOMER, proxy = DESK) => {
    const { sid } = await sandbox.v1.conversations.create();
    const inside = sandbox.v1.conversations(sid);
    const member = await inside.participants.create({
      'messagingBinding.address': address,
      'messagingBinding.proxyAddress': proxy,
    });
    return { sid, inside, member };
  };

  const inbound = (from: string, to: string, body: string) =>
    sandbox.control('POST', '/inbound', { from, to, body });

  const autoCreation = { 'autoCreation.enabled': true, 'autoCreation.type': 'webhook' } as const;

  describe('receipts', () => {
    it('go from queued to sent to delivered as the clock goes on, each with a webhook', async () => {
      await sandbox.v1.configuration
        .webhooks()
        .update({ filters: ['onDeliveryUpdated'], postWebhookUrl: hooks.url, method: 'POST' });
      const { inside, member, sid } = await withCustomer();
      const said = await inside.messages.create({ body: 'hello' });
      expect(said.delivery).toEqual({
        ...{ total: 1, sent: 'none', delivered: 'none', read: 'none', failed: 'none', undelivered: 'none' },
      });
      expect(await inside.messages(said.sid).deliveryReceipts.list()).toEqual([]);
      await sandbox.control('POST', '/clock', { advance: 'PT1M' });
      const [receipt] = await inside.messages(said.sid).deliveryReceipts.list();
      expect(receipt).toMatchObject({ status: 'delivered', participantSid: member.sid, errorCode: 0 });
      expect(receipt?.channelMessageSid).toMatch(/^SM[0-9a-f]{32}$/);
      expect((await inside.messages(said.sid).fetch()).delivery).toMatchObject({
        sent: 'all',
        delivered: 'all',
        read: 'none',
      });
      await eventually(() => expect(hooks.received).toHaveLength(2));
      expect(hooks.received.map(({ form }) => form['Status']).sort()).toEqual(['delivered', 'sent']);
      expect(hooks.received[0]?.form).toMatchObject({ ConversationSid: sid, MessageSid: said.sid });
    });

    it('can be driven one by one: some read, some failed, and the end is the end', async () => {
      const { inside, member, sid } = await withCustomer();
      const other = await inside.participants.create({
        'messagingBinding.address': 'whatsapp:+15551230002',
        'messagingBinding.proxyAddress': `whatsapp:${DESK}`,
      });
      const said = await inside.messages.create({ body: 'hello' });
      const drive = (participantSid: string, status: string, errorCode?: number) =>
        sandbox.control('POST', '/receipts', {
          ...{ conversationSid: sid, messageSid: said.sid, participantSid, status },
          ...(errorCode === undefined ? {} : { errorCode }),
        });
      expect((await drive(member.sid, 'failed', 30005)).body).toEqual({ changed: 1 });
      expect((await drive(other.sid, 'read')).status).toBe(200);
      expect((await drive(member.sid, 'delivered')).status).toBe(409);
      await sandbox.control('POST', '/clock', { advance: 'PT1M' });
      expect((await inside.messages(said.sid).fetch()).delivery).toEqual({
        ...{ total: 2, sent: 'some', delivered: 'some', read: 'some', failed: 'some', undelivered: 'none' },
      });
      const statuses = (await inside.messages(said.sid).deliveryReceipts.list()).map((one) => [
        one.status,
        one.errorCode,
      ]);
      expect(statuses).toEqual([
        ['failed', 30005],
        ['read', 0],
      ]);
    });

    it('fail for the number that nobody can reach, and there are none for chat participants', async () => {
      const { inside } = await withCustomer('+15005550009');
      const said = await inside.messages.create({ body: 'hello' });
      await sandbox.control('POST', '/clock', { advance: 'PT1M' });
      const [receipt] = await inside.messages(said.sid).deliveryReceipts.list();
      expect(receipt).toMatchObject({ status: 'failed', errorCode: 30006 });
      const { sid } = await sandbox.v1.conversations.create();
      await sandbox.v1.conversations(sid).participants.create({ identity: 'anna' });
      expect((await sandbox.v1.conversations(sid).messages.create({ body: 'x' })).delivery).toBeNull();
    });
  });

  describe('an inbound message', () => {
    it('reaches the open conversation of its pair, from its participant, and wakes it', async () => {
      const { inside, member, sid } = await withCustomer();
      await inside.update({ state: 'inactive' });
      const { status, body } = await inbound(CUSTOMER, DESK, 'are you there?');
      expect({ status, sid: body['conversationSid'] }).toEqual({ status: 200, sid });
      const [said] = await inside.messages.list();
      expect(said).toMatchObject({ body: 'are you there?', author: CUSTOMER, participantSid: member.sid });
      expect((await inside.fetch()).state).toBe('active');
    });

    it('makes a conversation where the address configuration says so, with its webhook, and is its first message', async () => {
      const { sid: service } = await sandbox.v1.services.create({ friendlyName: 'inbound' });
      await sandbox.v1.addressConfigurations.create({
        type: 'sms',
        address: DESK,
        ...autoCreation,
        'autoCreation.conversationServiceSid': service,
        'autoCreation.webhookUrl': `${hooks.url}/auto`,
        'autoCreation.webhookMethod': 'post',
        'autoCreation.webhookFilters': ['onMessageAdded', 'onParticipantAdded'],
      });
      const { body } = await inbound(CUSTOMER, DESK, 'first');
      const inside = sandbox.v1.services(service).conversations(String(body['conversationSid']));
      const [member] = await inside.participants.list();
      expect(member?.messagingBinding).toEqual({ type: 'sms', address: CUSTOMER, proxy_address: DESK });
      expect((await inside.messages.list()).map((one) => [one.body, one.participantSid])).toEqual([
        ['first', member?.sid],
      ]);
      await eventually(() => expect(hooks.events().sort()).toEqual(['onMessageAdded', 'onParticipantAdded']));
      expect((await inbound(CUSTOMER, DESK, 'second')).body['conversationSid']).toBe(body['conversationSid']);
    });

    it('after the conversation is closed, makes a new one', async () => {
      await sandbox.v1.addressConfigurations.create({ type: 'sms', address: DESK, ...autoCreation });
      const first = await inbound(CUSTOMER, DESK, 'first');
      await sandbox.v1.conversations(String(first.body['conversationSid'])).update({ state: 'closed' });
      const second = await inbound(CUSTOMER, DESK, 'again');
      expect(second.body['conversationSid']).toMatch(/^CH/);
      expect(second.body['conversationSid']).not.toBe(first.body['conversationSid']);
    });

    it('is dropped without a configuration, and when a pre-hook refuses the conversation', async () => {
      expect((await inbound(CUSTOMER, DESK, 'nobody')).body).toMatchObject({
        conversationSid: null,
        messageSid: null,
      });
      await sandbox.v1.addressConfigurations.create({ type: 'sms', address: DESK, ...autoCreation });
      await sandbox.v1.configuration
        .webhooks()
        .update({ filters: ['onConversationAdd'], preWebhookUrl: hooks.url, method: 'POST' });
      hooks.answer = (_, response) => void response.writeHead(403).end();
      expect((await inbound(CUSTOMER, DESK, 'refused')).body['conversationSid']).toBeNull();
      expect(hooks.received[0]?.form).toMatchObject({
        EventType: 'onConversationAdd',
        Source: 'SMS',
        MessageBody: 'refused',
        'MessagingBinding.Address': CUSTOMER,
      });
      expect(await sandbox.v1.conversations.list()).toEqual([]);
    });
  });

  it('group texting: an agent with a projected address, customers by address alone', async () => {
    const { sid } = await sandbox.v1.conversations.create();
    const { participants } = sandbox.v1.conversations(sid);
    const agent = await participants.create({ identity: 'agent', 'messagingBinding.projectedAddress': DESK });
    expect(agent).toMatchObject({
      identity: 'agent',
      messagingBinding: { type: 'sms', projected_address: DESK },
    });
    const customer = await participants.create({ 'messagingBinding.address': CUSTOMER });
    expect(customer.messagingBinding).toEqual({ type: 'sms', address: CUSTOMER });
    const removed = await sandbox.v1
      .conversations(sid)
      .participants(agent.sid)
      .update({ 'messagingBinding.projectedAddress': 'null' });
    expect(removed.messagingBinding).toBeNull();
  });
});
