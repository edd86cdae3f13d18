import { describe, expect, it } from 'vitest';
import { loadConfig } from '../config/app-config.js';
import { nameParameter, PathParameterError, sidParameter } from './path-parameters.js';
import { TwilioGateway } from './twilio.gateway.js';

const SID = `CH${'0aF1'.repeat(8)}`;
const IS = SID.replace('CH', 'IS');
const MB = SID.replace('CH', 'MB');

/** Each of these makes another path than the one that was meant, when it is put into a URL as it is. */
const ATTACKS = [
  ['', 'the collection'],
  ['.', 'the collection'],
  ['..', 'the parent'],
  ['%2e%2e', 'the parent, once a URL parser has read it'],
  ['.%2E', 'the parent, likewise'],
  ['%2e', 'the collection'],
  ['../..', 'further up'],
  ['..\\..', 'further up: a backslash is a slash in http URLs'],
  ['a/b', 'something below'],
  ['a?x=1', 'with a query'],
  ['a#b', 'cut at the fragment'],
  ['a b', 'encoded'],
  ['%41', 'another name: A'],
  ['a\nb', 'another name: parsers drop line ends'],
  ['a\tb', 'another name: parsers drop tabs'],
  [' ..', 'the parent: parsers strip blanks'],
  ['é', 'encoded'],
  ['a\u0000', 'cut, somewhere'],
  ['x'.repeat(256), 'too long'],
] as const;

describe('a path parameter', () => {
  it.each(ATTACKS)('is refused when it is %j (%s)', (value) => {
    expect(() => nameParameter('CH', value)).toThrow(PathParameterError);
    expect(() => sidParameter('CH', value)).toThrow(PathParameterError);
  });

  it('is refused when it is no string at all', () => {
    for (const value of [undefined, null, 7, {}, ['a'], { toString: () => SID }] as unknown as string[]) {
      expect(() => nameParameter('CH', value)).toThrow(PathParameterError);
      expect(() => sidParameter('CH', value)).toThrow(PathParameterError);
    }
  });

  it('passes unchanged when it is a sid or a safe name, and stays one segment of a URL', () => {
    const names = [SID, 'cvk_0193-ab', 'agent.7', '...', 'a:b@c+d=e', 'x'.repeat(255)];
    for (const name of names) {
      expect(nameParameter('CH', name)).toBe(name);
      expect(new URL(`https://host/v1/Conversations/${name}`).pathname).toBe(`/v1/Conversations/${name}`);
    }
  });

  it('is a sid of the kind that is meant: a participant is not removed by the sid of a conversation', () => {
    expect(sidParameter('CH', SID)).toBe(SID);
    for (const wrong of [
      SID.replace('CH', 'MB'),
      SID.slice(0, -1),
      `${SID}0`,
      SID.toLowerCase(),
      `${SID}\n`,
      'cvk_1',
    ]) {
      expect(() => sidParameter('CH', wrong)).toThrow(PathParameterError);
    }
  });

  it('is not repeated in the error', () => {
    expect(() => sidParameter('MB', 'customer-secret')).toThrow(
      /^Not usable in a path to Twilio: a value that is no MB… sid$/,
    );
  });
});

describe('every method of the gateway', () => {
  it('refuses such a parameter before anything is sent', async () => {
    const bad = '..';
    const beforeSend = () => expect.fail('about to be sent');
    const at = { serviceSid: IS, beforeSend };
    const where = { serviceSid: bad, beforeSend };
    const gateway = new TwilioGateway(
      loadConfig({
        DATABASE_URL: 'postgres://localhost/unused',
        TWILIO_ACCOUNT_SID: SID.replace('CH', 'AC'),
        TWILIO_API_KEY_SID: SID.replace('CH', 'SK'),
        TWILIO_API_KEY_SECRET: 'a-secret-of-the-api-key',
        TWILIO_CHAT_SERVICE_SID: IS,
      }),
    );
    const calls: (() => Promise<unknown>)[] = [
      () => gateway.createConversation(where, { uniqueName: 'x' }),
      () => gateway.findConversation(at, bad),
      () => gateway.updateConversation(at, bad, {}),
      () => gateway.deleteConversation(at, bad),
      () => gateway.deleteConversation(at, 'a-unique-name'),
      () => gateway.addParticipant(at, bad, { identity: 'x' }),
      () => gateway.findParticipant(at, SID, bad),
      () => gateway.listParticipants(at, bad),
      () => gateway.updateParticipant(at, SID, bad, {}),
      () => gateway.removeParticipant(at, SID, bad),
      () => gateway.removeParticipant(at, SID, 'an-identity'),
      () => gateway.removeParticipant(at, bad, MB),
      () => gateway.createMessage(at, bad, {}),
      () => gateway.findMessage(at, SID, bad),
      () => gateway.listMessages(at, bad),
      () => gateway.pageMessages(at, bad),
      () => gateway.pageConversations({ serviceSid: bad }),
      () => gateway.updateMessage(at, SID, bad, {}),
      () => gateway.deleteMessage(at, SID, bad),
      () => gateway.findService(bad, at),
      () => gateway.deleteService(bad, at),
      () => gateway.createRole(where, { friendlyName: 'x', type: 'service', permissions: [] }),
      () => gateway.findRole(at, bad),
      () => gateway.listRoles(where),
      () => gateway.updateRole(at, bad, []),
      () => gateway.deleteRole(at, bad),
      () => gateway.createUser(where, { identity: 'x' }),
      () => gateway.findUser(at, bad),
      () => gateway.updateUser(at, bad, {}),
      () => gateway.deleteUser(at, bad),
      () => gateway.listUserConversations(at, bad),
    ];
    for (const call of calls) await expect(call()).rejects.toThrow(PathParameterError);
    expect(() => gateway.eachMessage(at, bad)).toThrow(PathParameterError);
    await gateway.onApplicationShutdown();
  });
});
