import { conversationsAtTwilio, memberOf, type TwilioConversation } from './at-twilio.js';
import { compareAnswers } from './compare-answers.js';
import type { ChatRecord, Recorder } from './record.js';
import type { World } from './world.js';

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
  const there = new Map<string, string[]>();
  for (const { attributes } of participants) {
    const who = String(memberOf(attributes, 'who'));
    there.set(who, [...(there.get(who) ?? []), attributes]);
  }
  for (const [who, { fate, v }] of chat.people) {
    const copies = there.get(who) ?? [];
    there.delete(who);
    if (copies.length > 1) found.push(`${who} is in ${copies.length} times`);
    if (fate === 'yes' && copies.length === 0) found.push(`${who} is not in`);
    if (fate === 'no' && copies.length > 0) found.push(`${who} was removed, and is in`);
    const shown = copies[0] === undefined ? v : memberOf(copies[0], 'v');
    if (fate === 'yes' && shown !== v) found.push(`${who} has v ${String(shown)} instead of ${String(v)}`);
  }
  for (const who of there.keys()) found.push(`${who} is in, and nobody asked for it`);
  return found;
}

function judgeMessages(chat: ChatRecord, conversation: TwilioConversation): string[] {
  const found: string[] = [];
  const { messages, lateMessages } = conversation;
  const indexOf = new Map<string, number>();
  for (const { mark, fate } of chat.said) {
    const copies = messages.filter(({ body }) => body === mark);
    if (copies.length > 1) found.push(`${mark} is there ${copies.length} times`);
    if (fate === 'yes' && copies.length === 0) found.push(`${mark} is not there`);
    if (fate === 'no' && copies.length > 0) found.push(`${mark} is there, and was refused`);
    if (copies[0]) indexOf.set(mark, copies[0].index);
  }
  const known = new Set(chat.said.map(({ mark }) => mark));
  for (const { body } of messages) {
    if (!known.has(body ?? '')) found.push(`a message is there that nobody asked for: ${body}`);
  }
  // An index is never used twice: one that is missing was a copy, which somebody could read for a while.
  const missing = conversation.next_message_index - messages.length;
  if (missing > lateMessages) {
    found.push(`${missing} message(s) were there and are gone, with ${lateMessages} to land late`);
  }
  return [...found, ...judgeOrder(chat, indexOf)];
}

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

function judgeSettings(chat: ChatRecord, conversation: TwilioConversation): string[] {
  const found: string[] = [];
  const name = conversation.friendly_name || null;
  if (chat.friendlyName !== undefined && name !== chat.friendlyName) {
    found.push(`is called ${name} instead of ${chat.friendlyName}`);
  }
  const state = chat.closed === 'yes' ? 'closed' : 'active';
  if (conversation.state !== state) found.push(`is ${conversation.state} instead of ${state}`);
  return found;
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
