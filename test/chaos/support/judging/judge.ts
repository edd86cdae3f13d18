import {
  conversationsAtTwilio,
  memberOf,
  type TwilioConversation,
  type TwilioMessage,
  type TwilioParticipant,
} from './at-twilio.js';
import { compareAnswers } from './compare-answers.js';
import type { ChatRecord, PersonRecord, Recorder } from '../load/record.js';
import type { World } from '../world/world.js';

/** Of the conversations that the service makes. */
const UNIQUE_NAME = /^cvk_([0-9a-f-]{36})$/;

/**
 * Compares what the sandbox has with what was accepted, then what the service answers with both. Every difference is
 * listed.
 */
export async function judge(world: World, recorder: Recorder): Promise<string[]> {
  const found: string[] = [...recorder.complaints];
  const conversations = await conversationsAtTwilio(world);
  const byName = new Map<string, TwilioConversation[]>();
  for (const conversation of conversations) {
    const name = String(memberOf(conversation.attributes, 'chat'));
    byName.set(name, [...(byName.get(name) ?? []), conversation]);
  }
  for (const chat of recorder.chats) {
    const there = byName.get(chat.name) ?? [];
    byName.delete(chat.name);
    found.push(...judgeChat(chat, there).map((text) => `${chat.name}: ${text}`));
  }
  for (const [name, strangers] of byName) {
    for (const { sid } of strangers) found.push(`${sid} at Twilio is nobody's (${name})`);
  }
  found.push(...(await orphans(world, conversations)));
  found.push(...(await compareAnswers(world, recorder, conversations)));
  const dump = process.env['CHAOS_DUMP'];
  if (dump !== undefined && found.length > 0) await world.dump(dump);
  return found;
}

function judgeChat(chat: ChatRecord, there: TwilioConversation[]): string[] {
  const sids = there.map(({ sid }) => sid).join(', ');
  if (there.length > 1) return [`${there.length} conversations at Twilio: ${sids}`];
  const [conversation] = there;
  if (chat.gone === 'yes') return conversation ? [`was deleted, and ${sids} is at Twilio`] : [];
  if (chat.made === 'no') return conversation ? [`was refused, and ${sids} is at Twilio`] : [];
  if (!conversation) return chat.made === 'yes' ? ['was accepted, and is not at Twilio'] : [];
  return [
    ...judgePeople(chat, conversation),
    ...judgeMessages(chat, conversation),
    ...judgeSettings(chat, conversation),
  ].map((text) => `${text} (${conversation.state} ${sids})`);
}

function judgePeople(chat: ChatRecord, { participants }: TwilioConversation): string[] {
  const found: string[] = [];
  const there = new Map<string, TwilioParticipant[]>();
  for (const participant of participants) {
    const who = String(memberOf(participant.attributes, 'who'));
    there.set(who, [...(there.get(who) ?? []), participant]);
  }
  for (const [who, person] of chat.people) {
    const copies = there.get(who) ?? [];
    there.delete(who);
    if (copies.length > 1) found.push(`${who} is in ${copies.length} times`);
    if (person.fate === 'yes' && copies.length === 0) found.push(`${who} is not in`);
    if (person.fate === 'no' && copies.length > 0) found.push(`${who} was removed, and is in`);
    const [copy] = copies;
    if (person.fate === 'yes' && copy)
      found.push(...judgePerson(person, copy).map((text) => `${who} ${text}`));
  }
  for (const who of there.keys()) found.push(`${who} is in, and nobody asked for it`);
  return found;
}

function judgePerson(person: PersonRecord, there: TwilioParticipant): string[] {
  const { address = null, proxyAddress = null } = person.pair ?? {};
  return differences(
    ['v', memberOf(there.attributes, 'v'), person.v],
    ['address', there.messaging_binding?.address ?? null, address],
    ['proxyAddress', there.messaging_binding?.proxy_address ?? null, proxyAddress],
    ['role', person.role === null ? null : there.role, person.role],
    ...(person.service ? [['service role', there.serviceRole, person.service.role] as const] : []),
  );
}

function judgeMessages(chat: ChatRecord, conversation: TwilioConversation): string[] {
  const found: string[] = [];
  const { messages, lateMessages } = conversation;
  const indexOf = new Map<string, number>();
  for (const { mark, fate, body, v } of chat.said) {
    const copies = messages.filter((message) => markOf(message) === mark);
    if (copies.length > 1) found.push(`${mark} is there ${copies.length} times`);
    if (fate === 'yes' && copies.length === 0) found.push(`${mark} is not there`);
    if (fate === 'no' && copies.length > 0) found.push(`${mark} is there, and was refused or deleted`);
    const [copy] = copies;
    if (!copy) continue;
    indexOf.set(mark, copy.index);
    const wrong = differences(['body', copy.body, body], ['v', memberOf(copy.attributes, 'v'), v]);
    found.push(...wrong.map((text) => `${mark} ${text}`));
  }
  const known = new Set(chat.said.map(({ mark }) => mark));
  for (const message of messages) {
    if (!known.has(markOf(message))) found.push(`a message is there that nobody asked for: ${message.body}`);
  }
  // An index is never used twice: one that is missing was a copy, which somebody could read for a while.
  const deleted = chat.said.filter((said) => said.deleted).length;
  const missing = conversation.next_message_index - messages.length - deleted;
  if (missing > lateMessages) {
    found.push(`${missing} message(s) were there and are gone, with ${lateMessages} to land late`);
  }
  return [...found, ...judgeOrder(chat, indexOf)];
}

const markOf = ({ body }: TwilioMessage): string => (body ?? '').split(' ')[0] ?? '';

/** What was answered before the next was sent stands before it. */
function judgeOrder(chat: ChatRecord, indexOf: Map<string, number>): string[] {
  const certain = chat.said.filter(({ mark, fate }) => fate === 'yes' && indexOf.has(mark));
  return certain.flatMap((one) => {
    const overtaken = certain.find(
      (other) => other.step > one.step && indexOf.get(other.mark)! < indexOf.get(one.mark)!,
    );
    return overtaken ? [`${overtaken.mark} stands before ${one.mark}`] : [];
  });
}

function judgeSettings(chat: ChatRecord, there: TwilioConversation): string[] {
  const { inactive, closed } = chat.timers ?? {};
  return differences(
    ['name', there.friendly_name || null, chat.friendlyName],
    ['v', memberOf(there.attributes, 'v'), chat.v],
    ['state', there.state, chat.state],
    ['inactive timer', there.inactive_after, chat.timers && secondsOf(inactive)],
    ['closed timer', there.closed_after, chat.timers && secondsOf(closed)],
  );
}

/** What differs of what is known. */
function differences(...compared: (readonly [what: string, there: unknown, wanted: unknown])[]): string[] {
  return compared
    .filter(([, there, wanted]) => wanted !== undefined && there !== wanted)
    .map(([what, there, wanted]) => `has ${what} ${String(there)} instead of ${String(wanted)}`);
}

/** Of a duration such as `PT30M`, `PT1H` or `P1D`. */
function secondsOf(duration: string | undefined): number | null {
  const [, days, hours, minutes] = /^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?)?$/.exec(duration ?? '') ?? [];
  const seconds = Number(days ?? 0) * 86_400 + Number(hours ?? 0) * 3600 + Number(minutes ?? 0) * 60;
  return seconds === 0 ? null : seconds;
}

/** Conversations with our unique name that no live row knows. */
async function orphans(world: World, conversations: TwilioConversation[]): Promise<string[]> {
  const rows = await world.sql<{ id: string; twilio_sid: string }>(
    `select id, twilio_sid from conversations where state not in ('failed', 'deleted')`,
  );
  const known = new Map(rows.map(({ id, twilio_sid }) => [id, twilio_sid]));
  return conversations.flatMap(({ sid, unique_name }) => {
    const id = UNIQUE_NAME.exec(unique_name ?? '')?.[1] ?? '';
    return known.get(id) === sid ? [] : [`${sid} (${unique_name}) is an orphan: no live row knows it`];
  });
}
