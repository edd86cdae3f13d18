import { describe, expect, it } from 'vitest';
import type { Form } from './harness.js';
import type { Errors } from './errors.js';
import { long, number, projected, RL, sms, US } from './errors.js';

/** What is refused of participants: a part of the errors that `errors.spec.ts` provokes. */
export function participantErrors(errors: Errors): void {
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
      await errors.expected(errors.post(`${await errors.conversation()}/Participants`, form), status, code);
    });

    it('409 50433 for the same identity, or the same address, twice', async () => {
      const inside = await errors.conversation();
      const pair = sms(number(), number());
      await errors.member(inside, { Identity: 'anna' });
      await errors.member(inside, pair);
      await errors.expected(errors.post(`${inside}/Participants`, { Identity: 'anna' }), 409, 50433);
      await errors.expected(errors.post(`${inside}/Participants`, pair), 409, 50433);
    });

    it('409 50416 for a pair that is bound, naming the other conversation, until that is closed', async () => {
      const [first, second] = [await errors.conversation(), await errors.conversation()];
      const pair = sms(number(), number());
      await errors.member(first, pair);
      const message = await errors.expected(errors.post(`${second}/Participants`, pair), 409, 50416);
      expect(message).toContain(first.replace('/Conversations/', 'in Conversation '));
      await errors.post(first, { State: 'closed' });
      await errors.member(second, pair);
    });

    it('50205 for a role of the other type', async () => {
      const RoleSid = await errors.made('/Roles', {
        FriendlyName: 'r',
        Type: 'service',
        Permission: 'joinConversation',
      });
      await errors.expected(
        errors.post(`${await errors.conversation()}/Participants`, { Identity: 'x', RoleSid }),
        400,
        50205,
      );
    });

    it('50516 and 50421 for a horizon that is no number, or beyond the last message', async () => {
      const one = await errors.member(await errors.conversation(), { Identity: 'reader' });
      await errors.expected(errors.post(one, { LastReadMessageIndex: 'many' }), 400, 50516);
      await errors.expected(errors.post(one, { LastReadMessageIndex: '0' }), 400, 50421);
      await errors.expected(errors.post(one, {}), 400, 20161);
    });

    it('50437, 50440, 50441 and 50444 for what group texting does not allow', async () => {
      const inside = await errors.conversation();
      const speaker = number();
      const projection = await errors.member(inside, projected(speaker));
      await errors.expected(errors.post(`${inside}/Participants`, projected(speaker)), 409, 50437);
      await errors.expected(errors.post(projection, projected('null')), 400, 50440);
      const chat = await errors.member(inside, { Identity: 'chat' });
      await errors.expected(errors.post(chat, { 'MessagingBinding.ProxyAddress': number() }), 400, 50441);
      await errors.expected(errors.post(chat, { Identity: 'another' }), 400, 50444);
      await errors.expected(
        errors.post(`${inside}/Messages`, { Author: 'stranger', Body: 'hi' }),
        400,
        50513,
      );
      expect((await errors.post(projection, { Identity: 'speaker' })).body.identity).toBe('speaker');
    });

    it('50436 for the 11th of a group, 50418 for the 51st at an address', async () => {
      const group = await errors.conversation();
      await errors.member(group, projected(number()));
      for (let count = 0; count < 9; count++)
        await errors.member(group, { 'MessagingBinding.Address': number() });
      await errors.expected(
        errors.post(`${group}/Participants`, { 'MessagingBinding.Address': number() }),
        400,
        50436,
      );
      const inside = await errors.conversation();
      for (let count = 0; count < 50; count++) await errors.member(inside, sms(number(), number()));
      await errors.expected(errors.post(`${inside}/Participants`, sms(number(), number())), 400, 50418);
    });

    it('50417 for the 1,001st participant', async () => {
      const inside = await errors.conversation();
      for (let count = 0; count < 1000; count++)
        await errors.post(`${inside}/Participants`, { Identity: `p-${count}` });
      await errors.expected(errors.post(`${inside}/Participants`, { Identity: 'one more' }), 400, 50417);
    });

    it('50208 for the 1,001st open conversation of one identity; closed ones do not count', async () => {
      const Identity = 'busy';
      let last = '';
      for (let count = 0; count < 1000; count++) {
        last = await errors.conversation();
        await errors.post(`${last}/Participants`, { Identity });
      }
      const more = await errors.conversation();
      await errors.expected(errors.post(`${more}/Participants`, { Identity }), 400, 50208);
      await errors.post(last, { State: 'closed' });
      await errors.member(more, { Identity });
    });

    it('50451 for a search by both, 20001 by neither', async () => {
      const path = '/v1/ParticipantConversations';
      await errors.expected(errors.sandbox.call('GET', `${path}?Identity=a&Address=b`), 400, 50451);
      await errors.expected(errors.sandbox.call('GET', path), 400, 20001);
    });
  });
}
