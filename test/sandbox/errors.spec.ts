import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CODES } from '../../src/sandbox/api/errors.js';
import type { Answer, Form, Harness } from './support/harness.js';
import { harness } from './support/harness.js';
import { CH, Errors, long, name, number, RL, sms, US } from './support/errors.js';
import { participantErrors } from './support/participant-errors.js';

/** Codes that other tests provoke, or that only a fault gives. */
const ELSEWHERE = {
  webhooks: [50054, 50056, 50057],
  controlAndFaults: [20403, 20500, 20503],
};

describe("Twilio's error codes, each provoked by what it is for", () => {
  const errors = new Errors();

  beforeAll(async () => {
    errors.sandbox = await harness();
  });

  afterAll(() => errors.sandbox.stop());

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
      await errors.expected(errors.post('/Conversations', form), status, code);
    });

    it('409 50353 for a unique name that is taken, also on update, but not in another service', async () => {
      const UniqueName = name();
      await errors.made('/Conversations', { UniqueName });
      await errors.expected(errors.post('/Conversations', { UniqueName }), 409, 50353);
      await errors.expected(errors.post(await errors.conversation(), { UniqueName }), 409, 50353);
      const service = await errors.made('/Services', { FriendlyName: 'another' });
      await errors.made(`/Services/${service}/Conversations`, { UniqueName });
    });

    it('50377 for a closed one, 50347 for an update of nothing, 20404 for what is not there', async () => {
      const inside = await errors.conversation();
      await errors.expected(errors.post(inside, {}), 400, 50347);
      await errors.post(inside, { State: 'closed' });
      await errors.expected(errors.post(inside, { FriendlyName: 'x' }), 400, 50377);
      await errors.expected(errors.post(`${inside}/Participants`, { Identity: 'x' }), 400, 50377);
      const message = await errors.expected(
        errors.sandbox.call('GET', `/v1/Conversations/${CH}`),
        404,
        20404,
      );
      expect(message).toBe(`The requested resource /Conversations/${CH} was not found`);
      await errors.expected(errors.post('/Nothing', {}), 404, 20404);
    });

    it('20003 for wrong credentials, 20004 for a method that is none', async () => {
      const headers = { authorization: `Basic ${btoa('AC:wrong')}` };
      await errors.expected(errors.sandbox.call('GET', '/v1/Conversations', undefined, headers), 401, 20003);
      await errors.expected(errors.sandbox.call('PUT', '/v1/Conversations'), 405, 20004);
    });

    it('19038 for a page token that is none', async () => {
      await errors.expected(errors.sandbox.call('GET', '/v1/Conversations?PageToken=PTx'), 400, 19038);
    });
  });

  participantErrors(errors);

  it.each<[number, number, Form]>([
    [400, 50501, {}],
    [400, 50501, { Body: '' }],
    [400, 50504, { Body: long(32 * 1024 + 1) }],
    [400, 50310, { Body: 'x', Author: long(257) }],
    [400, 50303, { Body: 'x', Attributes: JSON.stringify(long(4 * 1024)) }],
    [400, 50506, { MediaSid: 'ME1' }],
  ])('of messages: %i %i', async (status, code, form) => {
    await errors.expected(errors.post(`${await errors.conversation()}/Messages`, form), status, code);
  });

  it('of messages: 50504 above 1,600 characters where somebody reads by SMS', async () => {
    const inside = await errors.conversation();
    expect((await errors.post(`${inside}/Messages`, { Body: long(1601) })).status).toBe(201);
    await errors.member(inside, sms(number(), number()));
    await errors.expected(errors.post(`${inside}/Messages`, { Body: long(1601) }), 400, 50504);
  });

  it('of users: 50201, 50204, 50206, 50102', async () => {
    const Identity = name();
    await errors.made('/Users', { Identity });
    await errors.expected(errors.post('/Users', { Identity }), 409, 50201);
    await errors.expected(errors.post('/Users', { Identity: '' }), 400, 50204);
    await errors.expected(errors.post('/Users', { Identity: US }), 400, 50206);
    await errors.expected(errors.post('/Users', { Identity: name(), RoleSid: RL }), 404, 50102);
    const message = await errors.expected(errors.post('/Users', {}), 400, 20001);
    expect(message).toBe('Missing required parameter Identity in the post body');
    await errors.expected(errors.sandbox.call('GET', `/v1/Users/${US}`), 404, 20404);
    const inside = await errors.conversation();
    await errors.member(inside, { Identity });
    await errors.expected(
      errors.post(`/Users/${Identity}${inside}`, { NotificationLevel: 'loud' }),
      400,
      50210,
    );
  });

  it('of roles: 50104, 50105, and none without permissions', async () => {
    const role = { FriendlyName: 'r', Type: 'conversation', Permission: 'sendMessage' };
    await errors.expected(errors.post('/Roles', { ...role, Permission: ['sendMessage', 'fly'] }), 400, 50104);
    await errors.expected(errors.post('/Roles', { ...role, Permission: 'createConversation' }), 400, 50104);
    await errors.expected(errors.post('/Roles', { ...role, Type: 'deployment' }), 400, 50105);
    await errors.expected(errors.post('/Roles', { FriendlyName: 'r', Type: 'service' }), 400, 20001);
  });

  it('of services and their configuration: 50000, 50106, 50055, 50077, 50078, 50209', async () => {
    await errors.expected(errors.post('/Services', {}), 400, 50000);
    const service = await errors.made('/Services', { FriendlyName: 's' });
    const path = `/Services/${service}`;
    await errors.expected(
      errors.post(`${path}/Configuration`, { DefaultConversationCreatorRoleSid: RL }),
      404,
      50106,
    );
    await errors.expected(errors.post('/Configuration/Webhooks', { Method: 'PUT' }), 400, 50055);
    await errors.expected(errors.post('/Configuration/Webhooks', { PreWebhookUrl: 'ftp://x' }), 400, 50077);
    await errors.expected(errors.post(`${path}/Configuration/Webhooks`, { PostWebhookUrl: 'x' }), 400, 50078);
    await errors.expected(errors.sandbox.call('GET', `/v1${path}/Bindings?BindingType=fax`), 400, 50209);
  });

  it('of scoped webhooks: 50361 for the sixth, and 50362 to 50372', async () => {
    const webhooks = `${await errors.conversation()}/Webhooks`;
    const url = { 'Configuration.Url': 'https://example.com/' };
    const good = { Target: 'webhook', ...url, 'Configuration.Filters': 'onMessageAdded' };
    const trigger = { Target: 'trigger', ...url };
    await errors.expected(errors.post(webhooks, url), 400, 50368);
    await errors.expected(errors.post(webhooks, { ...good, Target: 'pigeon' }), 400, 50364);
    await errors.expected(
      errors.post(webhooks, { ...good, 'Configuration.Filters': 'messages' }),
      400,
      50365,
    );
    await errors.expected(
      errors.post(webhooks, { Target: 'webhook', 'Configuration.Filters': 'onMessageAdded' }),
      400,
      50369,
    );
    await errors.expected(errors.post(webhooks, { Target: 'webhook', ...url }), 400, 50370);
    await errors.expected(errors.post(webhooks, trigger), 400, 50371);
    await errors.expected(
      errors.post(webhooks, { ...trigger, 'Configuration.Triggers': [...'abcdef'] }),
      400,
      50362,
    );
    await errors.expected(
      errors.post(webhooks, { ...trigger, 'Configuration.Triggers': long(249) }),
      400,
      50366,
    );
    await errors.expected(
      errors.post(webhooks, { ...good, 'Configuration.Url': `https://example.com/${long(512)}` }),
      400,
      50372,
    );
    await errors.expected(errors.post(webhooks, { Target: 'studio' }), 400, 50367);
    for (let count = 0; count < 5; count++) await errors.made(webhooks, good);
    await errors.expected(errors.post(webhooks, good), 400, 50361);
  });

  it('of address configurations: 20409 for an address that has one, 50065 for its retries', async () => {
    const address = { Type: 'sms', Address: number() };
    await errors.made('/Configuration/Addresses', address);
    await errors.expected(errors.post('/Configuration/Addresses', address), 409, 20409);
    const retries = { Type: 'sms', Address: number(), 'AutoCreation.StudioRetryCount': 'often' };
    await errors.expected(errors.post('/Configuration/Addresses', retries), 400, 50065);
  });

  it('of ConversationWithParticipants: 50423 to 50426, all before anything is made', async () => {
    const path = '/ConversationWithParticipants';
    const UniqueName = name();
    const given = (...participants: unknown[]): Form => ({
      UniqueName,
      Participant: participants.map((one) => (typeof one === 'string' ? one : JSON.stringify(one))),
    });
    const many = Array.from({ length: 11 }, (_, index) => ({ identity: `p${index}` }));
    await errors.expected(errors.post(path, given('{broken')), 400, 50423);
    await errors.expected(errors.post(path, given({ identity: 5 })), 400, 50424);
    await errors.expected(errors.post(path, given({ identity: 'twice' }, { identity: 'twice' })), 400, 50424);
    await errors.expected(errors.post(path, given(...many)), 400, 50426);
    const [address, proxy_address] = [number(), number()];
    await errors.member(await errors.conversation(), sms(address, proxy_address));
    await errors.expected(
      errors.post(path, given({ messaging_binding: { address, proxy_address } })),
      409,
      50425,
    );
    expect((await errors.sandbox.call('GET', `/v1/Conversations/${UniqueName}`)).status).toBe(404);
  });

  it('50349 for a conversation that is still initializing', async () => {
    await errors.expected(await initializing(), 409, 50349);
  });

  /** Two requests that come together: the second is sometimes read before the background work begins. */
  const initializing = async (): Promise<Answer> => {
    const UniqueName = name();
    for (;;) {
      const Participant = JSON.stringify({ identity: name() });
      const [, second] = await Promise.all([
        errors.post('/ConversationWithParticipants', { UniqueName, Participant }),
        errors.post(`/Conversations/${UniqueName}`, { FriendlyName: 'too early' }),
      ]);
      if (second.body.code === 50349) return second;
      await errors.sandbox.call('DELETE', `/v1/Conversations/${UniqueName}`);
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
    await errors.expected(
      changes('/v1/Conversations', () => ({})),
      429,
      50063,
    );
    const { body } = await eventuallyMade(limited);
    await errors.expected(
      changes(`/v1/Conversations/${body.sid}`, () => ({ FriendlyName: name() })),
      429,
      50074,
    );
    const whatsApp = sms('whatsapp:+15551230000', 'whatsapp:+15551110000');
    await errors.expected(
      await limited.call('POST', `/v1/Conversations/${body.sid}/Participants`, whatsApp),
      400,
      50415,
    );
    await limited.control('POST', '/faults', { match: { path: 'Roles' }, fault: { type: 'delay', ms: 300 } });
    const three = await Promise.all([1, 2, 3].map(() => limited.call('GET', '/v1/Roles')));
    const refused = three.find(({ status }) => status !== 200);
    expect(refused).toBeDefined();
    await errors.expected(refused!, 429, 20429);
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
    expect(CODES.filter((code) => !errors.provoked.has(code) && !elsewhere.includes(code))).toEqual([]);
    process.stdout.write(`errors: ${errors.provoked.size} of Twilio's codes provoked\n`);
  });
});
