import type { NotedCall, World } from '../world/world.js';

export interface TwilioParticipant {
  sid: string;
  conversation_sid: string;
  identity: string | null;
  attributes: string;
  messaging_binding: { address?: string; proxy_address?: string } | null;
  /** Names of the roles in the conversation, and of its User in the chat service; null where there is none. */
  role: string | null;
  serviceRole: string | null;
}

export interface TwilioMessage {
  sid: string;
  conversation_sid: string;
  index: number;
  body: string | null;
  attributes: string;
}

export interface TwilioConversation {
  sid: string;
  unique_name: string | null;
  friendly_name: string | null;
  attributes: string;
  state: string;
  /** Timers, in seconds. */
  inactive_after: number | null;
  closed_after: number | null;
  next_message_index: number;
  participants: TwilioParticipant[];
  messages: TwilioMessage[];
  /** Messages whose sending was to land late: there may have been so many twins, for a while. */
  lateMessages: number;
}

interface State {
  conversations: Omit<TwilioConversation, 'participants' | 'messages' | 'lateMessages'>[];
  participants: (TwilioParticipant & { role_sid: string | null })[];
  messages: TwilioMessage[];
  roles: { sid: string; friendly_name: string }[];
  users: { identity: string; role_sid: string }[];
}

const LATE = ['delay', 'reset-before'];

/** What the sandbox has: all of it, and once more by its REST API where that could differ. */
export async function conversationsAtTwilio(world: World): Promise<TwilioConversation[]> {
  const [state, { requests }] = await Promise.all([
    world.control<State>('GET', '/sandbox/state?full=true'),
    world.control<{ requests: NotedCall[] }>('GET', '/sandbox/requests'),
  ]);
  const participants = grouped(withRoles(state));
  const messages = grouped(state.messages);
  const late = new Map<string, number>();
  for (const { method, path, fault } of requests) {
    const sid = /\/Conversations\/(CH\w+)\/Messages$/.exec(path)?.[1];
    if (method === 'POST' && sid && LATE.includes(fault ?? '')) late.set(sid, (late.get(sid) ?? 0) + 1);
  }
  return state.conversations.map((conversation) => ({
    ...conversation,
    participants: participants.get(conversation.sid) ?? [],
    messages: messages.get(conversation.sid) ?? [],
    lateMessages: late.get(conversation.sid) ?? 0,
  }));
}

/** By name: that of a role which the service has made ends with our id. */
function withRoles({ participants, roles, users }: State): TwilioParticipant[] {
  const nameOf = new Map(roles.map(({ sid, friendly_name }) => [sid, friendly_name.replace(/ cvk_.*$/, '')]));
  const serviceRoleOf = new Map(users.map(({ identity, role_sid }) => [identity, nameOf.get(role_sid)]));
  return participants.map((participant) => ({
    ...participant,
    role: nameOf.get(participant.role_sid ?? '') ?? null,
    serviceRole: serviceRoleOf.get(participant.identity ?? '') ?? null,
  }));
}

/** A JSON text's member, or null. */
export function memberOf(text: string, name: string): unknown {
  try {
    return (JSON.parse(text) as Record<string, unknown>)[name] ?? null;
  } catch {
    return null;
  }
}

function grouped<T extends { conversation_sid: string }>(rows: T[]): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const row of rows) {
    const group = groups.get(row.conversation_sid) ?? [];
    group.push(row);
    groups.set(row.conversation_sid, group);
  }
  return groups;
}
