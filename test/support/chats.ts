import { expect } from 'vitest';
import type { ApiClient } from './api-client.js';
import { unique, type TestApp } from './app.js';
import type { TestSandbox } from './sandbox.js';

let numbers = 0;

/** An address pair that no other test uses. */
export function addressPair(): { address: string; proxyAddress: string } {
  numbers += 1;
  const tail = String(process.pid % 10_000).padStart(4, '0') + String(numbers).padStart(4, '0');
  return { address: `+155${tail}`, proxyAddress: `+156${tail}` };
}

interface NewParticipant {
  kind?: string;
  externalId?: string;
  displayName?: string;
  role?: string;
  address?: string;
  proxyAddress?: string;
}

/** The body of a provision as the documents show it, with names of its own. */
export function supportChat({ byAddress = false } = {}) {
  const participants: NewParticipant[] = [
    { kind: 'agent', externalId: unique('agent'), displayName: 'Ada', role: 'agent' },
    { kind: 'customer', externalId: unique('cust'), displayName: 'Bob' },
  ];
  if (byAddress) participants.push({ kind: 'customer', ...addressPair(), externalId: unique('sms') });
  return {
    externalRef: unique('case'),
    friendlyName: 'Order 4711',
    attributes: { crm: 'hubspot' },
    participants,
    systemMessage: { body: 'Ada will be with you shortly.', attributes: {} },
    timers: { inactive: 'PT1H', closed: 'P1D' },
  };
}

export interface ChatContents {
  participants: { sid: string; identity: string | null; role_sid: string | null }[];
  messages: { sid: string; author: string; body: string; attributes: string }[];
}

/** What Twilio has of a conversation. */
export async function contentsOf(sandbox: TestSandbox, sid: string): Promise<ChatContents> {
  const path = `/v1/Conversations/${sid}`;
  const [{ participants }, { messages }] = await Promise.all([
    sandbox.twilio<Pick<ChatContents, 'participants'>>(`${path}/Participants?PageSize=100`),
    sandbox.twilio<Pick<ChatContents, 'messages'>>(`${path}/Messages?PageSize=100`),
  ]);
  return { participants, messages };
}

/** The part of an answered participant that tests go on with. */
export interface Person {
  id: string;
  twilioSid: string;
  kind: string;
  role: string | null;
  state: string;
  identity: { id: string; externalId: string; displayName: string | null; twilioIdentity: string } | null;
  address: string | null;
}

/** A chat that stands, as it was answered, with its people by name. */
export interface Chat {
  id: string;
  twilioSid: string;
  externalRef: string;
  state: string;
  /** `/v1/conversations/{id}` */
  path: string;
  participants: Person[];
  ada: Person;
  bob: Person;
}

/** Provisions the documents' chat: Ada the agent, Bob the customer, and a greeting. */
export async function provision(api: ApiClient, changes: object = {}): Promise<Chat> {
  const body = { ...supportChat(), timers: undefined, ...changes };
  const { body: chat } = await api.post<Chat>('/v1/conversations', body, 201);
  const [ada, bob] = chat.participants;
  return { ...chat, path: `/v1/conversations/${chat.id}`, ada: ada!, bob: bob! };
}

/** A conversation role with these permissions, made at Twilio by somebody else. Answers its sid. */
export async function roleAtTwilio(
  sandbox: TestSandbox,
  friendlyName: string,
  permissions: string[],
): Promise<string> {
  const form: [string, string][] = [
    ['FriendlyName', friendlyName],
    ['Type', 'conversation'],
    ...permissions.map((name): [string, string] => ['Permission', name]),
  ];
  return (await sandbox.write<{ sid: string }>('POST', '/v1/Roles', form)).sid;
}

/**
 * Who is in a chat, here and at Twilio alike, all of them joined: by display name or address, in the order of their
 * coming.
 */
export async function namesIn({ api, sandbox }: TestApp, chat: Chat): Promise<(string | null)[]> {
  const { body } = await api.get<Chat>(chat.path, 200);
  const { participants } = await contentsOf(sandbox, chat.twilioSid);
  const here = body.participants.map(({ twilioSid, state }) => `${twilioSid} ${state}`).sort();
  expect(here).toEqual(participants.map(({ sid }) => `${sid} joined`).sort());
  return body.participants.map(({ identity, address }) => identity?.displayName ?? address);
}

/** What was said in a chat after the greeting, as Twilio has it. */
export async function textsIn(
  { sandbox }: Pick<TestApp, 'sandbox'>,
  { twilioSid }: Pick<Chat, 'twilioSid'>,
): Promise<string[]> {
  return (await contentsOf(sandbox, twilioSid)).messages.slice(1).map(({ body }) => body);
}
