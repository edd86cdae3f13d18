import { memberOf, type TwilioConversation } from './at-twilio.js';
import { Client } from '../load/client.js';
import { Random } from '../world/random.js';
import type { ChatRecord, Recorder } from '../load/record.js';
import type { World } from '../world/world.js';

interface ShownChat {
  id: string;
  twilioSid: string;
  state: string;
  friendlyName: string | null;
  attributes: Record<string, unknown>;
  timers: { inactive: string | null; closed: string | null };
  participants: {
    twilioSid: string;
    state: string;
    role: string | null;
    address: string | null;
    attributes: Record<string, unknown>;
  }[];
}

interface ShownMessage {
  twilioSid: string;
  state: string;
  index: number;
  body: string;
  attributes: Record<string, unknown>;
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
  const found = [
    different('sid', one.twilioSid, there.sid),
    different('state', one.state, there.state),
    different('name', one.friendlyName, there.friendly_name || null),
    different('attributes', canonical(one.attributes), canonical(JSON.parse(there.attributes))),
    chat.timers && different('inactive timer', one.timers.inactive, chat.timers.inactive ?? null),
    chat.timers && different('closed timer', one.timers.closed, chat.timers.closed ?? null),
    different('people', shownPeople(one), peopleAt(there)),
    different('messages', await shownMessages(client, one), messagesAt(there)),
    ...(await compareServiceRoles(client, chat)),
  ];
  return found.flatMap((text) => text ?? []);
}

function different(what: string, shown: unknown, there: unknown): string | undefined {
  return shown === there
    ? undefined
    : `is shown with ${what} ${String(shown)}, and has ${String(there)} at Twilio`;
}

function shownPeople({ participants }: ShownChat): string {
  const people = participants.map(({ twilioSid, state, role, address, attributes }) =>
    [twilioSid, state, address ?? role, canonical(attributes)].join(' '),
  );
  return people.sort().join();
}

function peopleAt({ participants }: TwilioConversation): string {
  const people = participants.map(({ sid, role, messaging_binding, attributes }) =>
    [sid, 'joined', messaging_binding?.address ?? role, canonical(JSON.parse(attributes))].join(' '),
  );
  return people.sort().join();
}

async function shownMessages(client: Client, { id }: ShownChat): Promise<string> {
  const list = await client.once('GET', `/v1/conversations/${id}/messages?limit=100`, undefined);
  const { data } = JSON.parse(list.text) as { data: ShownMessage[] };
  return data
    .map((one) => [one.twilioSid, one.state, one.index, one.body, canonical(one.attributes)].join(' '))
    .join();
}

/** But for what is ours in their attributes. */
function messagesAt({ messages }: TwilioConversation): string {
  return [...messages]
    .sort((one, other) => one.index - other.index)
    .map(({ sid, index, body, attributes }) => {
      const shown = { ...(JSON.parse(attributes) as object), convoke: undefined };
      return [sid, 'sent', index, body, canonical(JSON.parse(JSON.stringify(shown)))].join(' ');
    })
    .join();
}

async function compareServiceRoles(client: Client, chat: ChatRecord): Promise<(string | undefined)[]> {
  const found: (string | undefined)[] = [];
  for (const { service } of chat.people.values()) {
    if (!service) continue;
    const { text } = await client.once('GET', `/v1/identities/${service.identityId}`, undefined);
    const { serviceRole } = JSON.parse(text) as { serviceRole: string | null };
    found.push(different(`service role of ${service.identityId}`, serviceRole, service.role));
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
