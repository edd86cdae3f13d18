import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CODES } from '../../src/sandbox/api/errors.js';
import type { Answer, Form, Harness } from './support/harness.js';
import { harness } from './support/harness.js';

/** Codes that other tests provoke, or that only a fault gives. */
const ELSEWHERE = {
  webhooks: [50054, 50056, 50057],
  controlAndFaults: [20403, 20500, 20503],
};

const CH = `CH${'1'.repeat(32)}`;
const US = `US${'1'.repeat(32)}`;
const RL = `RL${'1'.repeat(32)}`;
const long = (length: number): string => 'x'.repeat(length);
const sms = (address: string, proxy: string): Form => ({
  'MessagingBinding.Address': address,
  'MessagingBinding.ProxyAddress': proxy,
});
const projected = (address: string): Form => ({ 'MessagingBinding.ProjectedAddress': address });

let counter = 0;
const number = (): string => `+1555${1_000_000 + ++counter}`;
const name = (): string => `name-${++counter}`;

describe("Twilio's error codes, each provoked by what it is for", () => {
  let sandbox: Harness;
  const provoked = new Set<number>();

  beforeAll(async () => {
    sandbox = await harness();
  });

  afterAll(() => sandbox.stop());

  const post = (path: string, form: Form): Promise<Answer> => sandbox.call('POST', `/v1${path}`, form);
  const made = async (path: string, form: Form): Promise<string> => {
    const { status, body } = await post(path, form);
    expect({ status, message: body.message }).toEqual({
      status: status < 300 ? status : 201,
      message: undefined,
    });
    return body.sid;
  };
  const conversation = async (): Promise<string> => `/Conversations/${await made('/Conversations', {})}`;
  const member = async (inside: string, form: Form): Promise<string> =>
    `${inside}/Participants/${await made(`${inside}/Participants`, form)}`;

  const expectError = async (
    answer: Promise<Answer> | Answer,
    status: number,
    code: number,
  ): Promise<string> => {
    const { status: given, body } = await answer;
    expect({ status: given, code: body.code, inBody: body['status'] }).toEqual({
      status,
      code,
      inBody: status,
    });
    expect(body['more_info']).toBe(`https://www.twilio.com/docs/errors/${code}`);
    provoked.add(code);
    return body.message;
  };

  describe('of conversations', () => {
    it.each<[number, number, Form]>([
      [400, 50003, { FriendlyName: long(257) }],
      [400, 50004, { UniqueName: long(257) }],
      [400, 50390, { UniqueName: CH }],
      [400, 50303, { Attributes: JSON.stringify(long(16 * 1024)) }],
      [400, 50304, { Attributes: '{broken' }],
      [400, 50308, { DateCreated: 'yesterday' }],
      [400, 50309, { DateUpdated: '2026-13-45' }],
      [400, 50340, { MessagingServiceSid: '' }],
      [400, 50341, { MessagingServiceSid: 'MG1' }],
      [400, 50374, { State: '' }],
      [400, 50378, { State: 'open' }],
      [400, 50384, { State: 'closed' }],
      [400, 50382, { 'Timers.Inactive': 'PT5M' }],
      [400, 50375, { State: 'active', 'Timers.Inactive': 'PT59S' }],
      [400, 50376, { State: 'active', 'Timers.Closed': 'PT9M' }],
      [400, 50379, { State: 'active', 'Timers.Inactive': 'P1M' }],
      [400, 50380, { State: 'active', 'Timers.Closed': 'soon' }],
      [400, 20001, { Nonsense: '1' }],
    ])('%i %i for %o', async (status, code, form) => {
      await expectError(post('/Conversations', form), status, code);
    });

    it('409 50353 for a unique name that is taken, also on update, but not in another service', async () => {
      const UniqueName = name();
      await made('/Conversations', { UniqueName });
      await expectError(post('/Conversations', { UniqueName }), 409, 50353);
      await expectError(post(await conversation(), { UniqueName }), 409, 50353);
      const service = await made('/Services', { FriendlyName: 'another' });
      await made(`/Services/${service}/Conversations`, { UniqueName });
    });

    it('50377 for a closed one, 50347 for an update of nothing, 20404 for what is not there', async () => {
      const inside = await conversation();
      await expectError(post(inside, {}), 400, 50347);
      await post(inside, { State: 'closed' });
      await expectError(post(inside, { FriendlyName: 'x' }), 400, 50377);
      await expectError(post(`${inside}/Participants`, { Identity: 'x' }), 400, 50377);
      const message = await expectError(sandbox.call('GET', `/v1/Conversations/${CH}`), 404, 20404);
      expect(message).toBe(`The requested resource /Conversations/${CH} was not found`);
      await expectError(post('/Nothing', {}), 404, 20404);
    });

    it('20003 for wrong credentials, 20004 for a method that is none', async () => {
      const headers = { authorization: `Basic ${btoa('AC:wrong')}` };
      await expectError(sandbox.call('GET', '/v1/Conversations', undefined, headers), 401, 20003);
      await expectError(sandbox.call('PUT', '/v1/Conversations'), 405, 20004);
    });

    it('19038 for a page token that is none', async () => {
      await expectError(sandbox.call('GET', '/v1/Conversations?PageToken=PTx'), 400, 19038);
    });
  });

  describe('of participants', () => {
    it.each<[number, number, Form]>([
      [400, 20001, {}],
      [400, 50206, { Identity: US }],
      [400, 50207, { Identity: long(257) }],
      [400, 50211, { Identity: 'both', ...sms('+15551230000', '+15559990000') }],
      [404, 50109, { Identity: 'role', RoleSid: RL }],
      [400, 50407, sms('12', '+15559990000')],
      [400, 50407, sms('+15005550001', '+15559990000')],
      [400, 50408, sms('+15551230000', 'number')],
      [400, 50409, sms('+15551230000', '+15551230000')],
      [400, 50411, sms('', '+15559990000')],
      [400, 50412, sms('+15551230000', '')],
      [400, 50413, sms('+15551230000', '+15005550001')],
      [400, 50414, sms('whatsapp:+15551230000', '+15559990000')],
    ])('%i %i for %o', async (status, code, form) => {
      await expectError(post(`${await conversation()}/Participants`, form), status, code);
    });

    it('409 50433 for the same identity, or the same address, twice', async () => {
      const inside = await conversation();
      const pair = sms(number(), number());
      await member(inside, { Identity: 'anna' });
      await member(inside, pair);
      await expectError(post(`${inside}/Participants`, { Identity: 'anna' }), 409, 50433);
      await expectError(post(`${inside}/Participants`, pair), 409, 50433);
    });

    it('409 50416 for a pair that is bound, naming the other conversation, until that is closed', async () => {
      const [first, second] = [await conversation(), await conversation()];
      const pair = sms(number(), number());
      await member(first, pair);
      const message = await expectError(post(`${second}/Participants`, pair), 409, 50416);
      expect(message).toContain(first.replace('/Conversations/', 'in Conversation '));
      await post(first, { State: 'closed' });
      await member(second, pair);
    });

    it('50205 for a role of the other type', async () => {
      const RoleSid = await made('/Roles', {
        FriendlyName: 'r',
        Type: 'service',
        Permission: 'joinConversation',
      });
      await expectError(post(`${await conversation()}/Participants`, { Identity: 'x', RoleSid }), 400, 50205);
    });

    it('50516 and 50421 for a horizon that is no number, or beyond the last message', async () => {
      const one = await member(await conversation(), { Identity: 'reader' });
      await expectError(post(one, { LastReadMessageIndex: 'many' }), 400, 50516);
      await expectError(post(one, { LastReadMessageIndex: '0' }), 400, 50421);
      await expectError(post(one, {}), 400, 20161);
    });

    it('50437, 50440, 50441 and 50444 for what group texting does not allow', async () => {
      const inside = await conversation();
      const speaker = number();
      const projection = await member(inside, projected(speaker));
      await expectError(post(`${inside}/Participants`, projected(speaker)), 409, 50437);
      await expectError(post(projection, projected('null')), 400, 50440);
      const chat = await member(inside, { Identity: 'chat' });
      await expectError(post(chat, { 'MessagingBinding.ProxyAddress': number() }), 400, 50441);
      await expectError(post(chat, { Identity: 'another' }), 400, 50444);
      await expectError(post(`${inside}/Messages`, { Author: 'stranger', Body: 'hi' }), 400, 50513);
      expect((await post(projection, { Identity: 'speaker' })).body.identity).toBe('speaker');
    });

    it('50436 for the 11th of a group, 50418 for the 51st at an address', async () => {
      const group = await conversation();
      await member(group, projected(number()));
      for (let count = 0; count < 9; count++) await member(group, { 'MessagingBinding.Address': number() });
      await expectError(post(`${group}/Participants`, { 'MessagingBinding.Address': number() }), 400, 50436);
      const inside = await conversation();
      for (let count = 0; count < 50; count++) await member(inside, sms(number(), number()));
      await expectError(post(`${inside}/Participants`, sms(number(), number())), 400, 50418);
    });

    it('50417 for the 1,001st participant', async () => {
      const inside = await conversation();
      for (let count = 0; count < 1000; count++)
        await post(`${inside}/Participants`, { Identity: `p-${count}` });
      await expectError(post(`${inside}/Participants`, { Identity: 'one more' }), 400, 50417);
    });

    it('50208 for the 1,001st open conversation of one identity; closed ones do not count', async () => {
      const Identity = 'busy';
      let last = '';
      for (let count = 0; count < 1000; count++) {
        last = await conversation();
        await post(`${last}/Participants`, { Identity });
      }
      const more = await conversation();
      await expectError(post(`${more}/Participants`, { Identity }), 400, 50208);
      await post(last, { State: 'closed' });
      await member(more, { Identity });
    });

    it('50451 for a search by both, 20001 by neither', async () => {
      const path = '/v1/ParticipantConversations';
      await expectError(sandbox.call('GET', `${path}?Identity=a&Address=b`), 400, 50451);
      await expectError(sandbox.call('GET', path), 400, 20001);
    });
  });

  it.each<[number, number, Form]>([
    [400, 50501, {}],
    [400, 50501, { Body: '' }],
    [400, 50504, { Body: long(32 * 1024 + 1) }],
    [400, 50310, { Body: 'x', Author: long(257) }],
    [400, 50303, { Body: 'x', Attributes: JSON.stringify(long(4 * 1024)) }],
    [400, 50506, { MediaSid: 'ME1' }],
  ])('of messages: %i %i', async (status, code, form) => {
    await expectError(post(`${await conversation()}/Messages`, form), status, code);
  });

  it('of messages: 50504 above 1,600 characters where somebody reads by SMS', async () => {
    const inside = await conversation();
    expect((await post(`${inside}/Messages`, { Body: long(1601) })).status).toBe(201);
    await member(inside, sms(number(), number()));
    await expectError(post(`${inside}/Messages`, { Body: long(1601) }), 400, 50504);
  });

  it('of users: 50201, 50204, 50206, 50102', async () => {
    const Identity = name();
    await made('/Users', { Identity });
    await expectError(post('/Users', { Identity }), 409, 50201);
    await expectError(post('/Users', { Identity: '' }), 400, 50204);
    await expectError(post('/Users', { Identity: US }), 400, 50206);
    await expectError(post('/Users', { Identity: name(), RoleSid: RL }), 404, 50102);
    const message = await expectError(post('/Users', {}), 400, 20001);
    expect(message).toBe('Missing required parameter Identity in the post body');
    await expectError(sandbox.call('GET', `/v1/Users/${US}`), 404, 20404);
    const inside = await conversation();
    await member(inside, { Identity });
    await expectError(post(`/Users/${Identity}${inside}`, { NotificationLevel: 'loud' }), 400, 50210);
  });

  it('of roles: 50104, 50105, and none without permissions', async () => {
    const role = { FriendlyName: 'r', Type: 'conversation', Permission: 'sendMessage' };
    await expectError(post('/Roles', { ...role, Permission: ['sendMessage', 'fly'] }), 400, 50104);
    await expectError(post('/Roles', { ...role, Permission: 'createConversation' }), 400, 50104);
    await expectError(post('/Roles', { ...role, Type: 'deployment' }), 400, 50105);
    await expectError(post('/Roles', { FriendlyName: 'r', Type: 'service' }), 400, 20001);
  });

  it('of services and their configuration: 50000, 50106, 50055, 50077, 50078, 50209', async () => {
    await expectError(post('/Services', {}), 400, 50000);
    const service = await made('/Services', { FriendlyName: 's' });
    const path = `/Services/${service}`;
    await expectError(post(`${path}/Configuration`, { DefaultConversationCreatorRoleSid: RL }), 404, 50106);
    await expectError(post('/Configuration/Webhooks', { Method: 'PUT' }), 400, 50055);
    await expectError(post('/Configuration/Webhooks', { PreWebhookUrl: 'ftp://x' }), 400, 50077);
    await expectError(post(`${path}/Configuration/Webhooks`, { PostWebhookUrl: 'x' }), 400, 50078);
    await expectError(sandbox.call('GET', `/v1${path}/Bindings?BindingType=fax`), 400, 50209);
  });

  it('of scoped webhooks: 50361 for the sixth, and 50362 to 50372', async () => {
    const webhooks = `${await conversation()}/Webhooks`;
    const url = { 'Configuration.Url': 'https://example.com/' };
    const good = { Target: 'webhook', ...url, 'Configuration.Filters': 'onMessageAdded' };
    const trigger = { Target: 'trigger', ...url };
    await expectError(post(webhooks, url), 400, 50368);
    await expectError(post(webhooks, { ...good, Target: 'pigeon' }), 400, 50364);
    await expectError(post(webhooks, { ...good, 'Configuration.Filters': 'messages' }), 400, 50365);
    await expectError(
      post(webhooks, { Target: 'webhook', 'Configuration.Filters': 'onMessageAdded' }),
      400,
      50369,
    );
    await expectError(post(webhooks, { Target: 'webhook', ...url }), 400, 50370);
    await expectError(post(webhooks, trigger), 400, 50371);
    await expectError(post(webhooks, { ...trigger, 'Configuration.Triggers': [...'abcdef'] }), 400, 50362);
    await expectError(post(webhooks, { ...trigger, 'Configuration.Triggers': long(249) }), 400, 50366);
    await expectError(
      post(webhooks, { ...good, 'Configuration.Url': `https://example.com/${long(512)}` }),
      400,
      50372,
    );
    await expectError(post(webhooks, { Target: 'studio' }), 400, 50367);
    for (let count = 0; count < 5; count++) await made(webhooks, good);
    await expectError(post(webhooks, good), 400, 50361);
  });

  it('of address configurations: 20409 for an address that has one, 50065 for its retries', async () => {
    const address = { Type: 'sms', Address: number() };
    await made('/Configuration/Addresses', address);
    await expectError(post('/Configuration/Addresses', address), 409, 20409);
    const retries = { Type: 'sms', Address: number(), 'AutoCreation.StudioRetryCount': 'often' };
    await expectError(post('/Configuration/Addresses', retries), 400, 50065);
  });

  it('of ConversationWithParticipants: 50423 to 50426, all before anything is made', async () => {
    const path = '/ConversationWithParticipants';
    const UniqueName = name();
    const given = (...participants: unknown[]): Form => ({
      UniqueName,
      Participant: participants.map((one) => (typeof one === 'string' ? one : JSON.stringify(one))),
    });
    const many = Array.from({ length: 11 }, (_, index) => ({ identity: `p${index}` }));
    await expectError(post(path, given('{broken')), 400, 50423);
    await expectError(post(path, given({ identity: 5 })), 400, 50424);
    await expectError(post(path, given({ identity: 'twice' }, { identity: 'twice' })), 400, 50424);
    await expectError(post(path, given(...many)), 400, 50426);
    const [address, proxy_address] = [number(), number()];
    await member(await conversation(), sms(address, proxy_address));
    await expectError(post(path, given({ messaging_binding: { address, proxy_address } })), 409, 50425);
    expect((await sandbox.call('GET', `/v1/Conversations/${UniqueName}`)).status).toBe(404);
  });

  it('50349 for a conversation that is still initializing', async () => {
    await expectError(await initializing(), 409, 50349);
  });

  /** Two requests that come together: the second is sometimes read before the background work begins. */
  const initializing = async (): Promise<Answer> => {
    const UniqueName = name();
    for (;;) {
      const Participant = JSON.stringify({ identity: name() });
      const [, second] = await Promise.all([
        post('/ConversationWithParticipants', { UniqueName, Participant }),
        post(`/Conversations/${UniqueName}`, { FriendlyName: 'too early' }),
      ]);
      if (second.body.code === 50349) return second;
      await sandbox.call('DELETE', `/v1/Conversations/${UniqueName}`);
    }
  };

  it('limits, when configured: 20429 for requests at once, 50063 and 50074 for changes a second, 50415', async () => {
    const limited = await harness({ maxConcurrent: 2, rateLimit: 30, numbers: ['+15551110000'] });
    const changes = async (path: string, form: () => Form): Promise<Answer> => {
      for (;;) {
        const answer = await limited.call('POST', path, form());
        if (answer.status !== 201 && answer.status !== 200) return answer;
      }
    };
    await expectError(
      changes('/v1/Conversations', () => ({})),
      429,
      50063,
    );
    const { body } = await eventuallyMade(limited);
    await expectError(
      changes(`/v1/Conversations/${body.sid}`, () => ({ FriendlyName: name() })),
      429,
      50074,
    );
    const whatsApp = sms('whatsapp:+15551230000', 'whatsapp:+15551110000');
    await expectError(
      await limited.call('POST', `/v1/Conversations/${body.sid}/Participants`, whatsApp),
      400,
      50415,
    );
    await limited.control('POST', '/faults', { match: { path: 'Roles' }, fault: { type: 'delay', ms: 300 } });
    const three = await Promise.all([1, 2, 3].map(() => limited.call('GET', '/v1/Roles')));
    const refused = three.find(({ status }) => status !== 200);
    expect(refused).toBeDefined();
    await expectError(refused!, 429, 20429);
    await limited.stop();
  });

  const eventuallyMade = async (limited: Harness): Promise<Answer> => {
    for (;;) {
      const answer = await limited.call('POST', '/v1/Conversations', {});
      if (answer.status === 201) return answer;
    }
  };

  it('every code of the catalogue has been provoked here or is named as provoked elsewhere', () => {
    const elsewhere: number[] = Object.values(ELSEWHERE).flat();
    expect(CODES.filter((code) => !provoked.has(code) && !elsewhere.includes(code))).toEqual([]);
    process.stdout.write(`errors: ${provoked.size} of Twilio's codes provoked\n`);
  });
});
