import { memberOf, type TwilioConversation } from './at-twilio.js';
import { Client } from './client.js';
import { Random } from './random.js';
import type { ChatRecord, Recorder } from './record.js';
import type { World } from './world.js';

interface ShownChat {
  id: string;
  twilioSid: string;
  state: string;
  friendlyName: string | null;
  participants: { twilioSid: string; state: string; attributes: Record<string, unknown> }[];
}

/** Compares what the service answers with what the sandbox has, and stored answers with those that were given. */
export async function compareAnswers(
  world: World,
  recorder: Recorder,
  conversations: TwilioConversation[],
): Promise<string[]> {
  const client = new Client(world, new Random(world.settings.seed));
  const byName = new Map(conversations.map((one) => [String(memberOf(one.attributes, 'chat')), one]));
  const found: string[] = [];
  for (const chat of recorder.chats) {
    const differences = [
      ...(await compareChat(client, chat, byName.get(chat.name))),
      ...(await compareReplays(client, chat)),
    ];
    found.push(...differences.map((text) => `${chat.name}: ${text}`));
  }
  return found;
}

async function compareChat(client: Client, chat: ChatRecord, there?: TwilioConversation): Promise<string[]> {
  const list = await client.once('GET', `/v1/conversations?externalRef=${chat.name}`, undefined);
  const shown = (JSON.parse(list.text) as { data: ShownChat[] }).data.filter(
    ({ state }) => state !== 'failed',
  );
  if (!there) return shown.map(({ state }) => `is shown as ${state}, and is not at Twilio`);
  const [one] = shown;
  if (!one || shown.length > 1) return [`is shown ${shown.length} times, and is at Twilio`];
  const found: string[] = [];
  if (one.twilioSid !== there.sid) found.push(`is shown as ${one.twilioSid}, and is ${there.sid} at Twilio`);
  if (one.state !== there.state) found.push(`is shown as ${one.state}, and is ${there.state} at Twilio`);
  if (one.friendlyName !== (there.friendly_name || null)) {
    found.push(`is shown as called ${one.friendlyName}, and is ${there.friendly_name} at Twilio`);
  }
  const people = one.participants.map(
    (person) => `${person.twilioSid} ${person.state} ${canonical(person.attributes)}`,
  );
  const there_ = there.participants.map(
    ({ sid, attributes }) => `${sid} joined ${canonical(JSON.parse(attributes))}`,
  );
  if (people.sort().join() !== there_.sort().join()) {
    found.push(`people are shown as ${people.join(', ')}, and are ${there_.join(', ')} at Twilio`);
  }
  return found;
}

async function compareReplays(client: Client, chat: ChatRecord): Promise<string[]> {
  const found: string[] = [];
  for (const { path, key, body, status, text } of chat.answers) {
    const again = await client.once('POST', path, body, { key });
    const same = again.status === status && again.text === text;
    const erased = chat.gone === 'yes' && (again.status === 410 || again.status === 404);
    if (!same && !erased) found.push(`the key of ${path} gives ${again.status} ${again.text.slice(0, 200)}`);
  }
  return found;
}

function canonical(attributes: unknown): string {
  return JSON.stringify(Object.entries(attributes as object).sort(([a], [b]) => (a < b ? -1 : 1)));
}
