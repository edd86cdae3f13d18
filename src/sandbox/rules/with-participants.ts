import type { MessagingBinding, Records } from '../store/records.js';
import type { Change } from '../store/store.js';
import { fail, ApiError } from '../api/errors.js';
import { forms } from '../api/forms.js';
import type { Values } from '../api/parameters.js';
import { readParameters } from '../api/parameters.js';
import type { Call, Plan } from './call.js';
import { inState, newConversation } from './conversations.js';
import type { ParticipantForm } from './participants.js';
import { participantChanges } from './participants.js';

type Form = Values<(typeof forms)['conversationWithParticipants']>;

/** Twilio's limit for one request. */
const MOST_AT_ONCE = 10;
const BACKGROUND = { source: 'API', reason: 'EVENT' } as const;

/**
 * Twilio answers at once with an `initializing` conversation, adds the participants in the
 * background, and then makes it `active`, or `closed` when that fails.
 */
export function createConversationWithParticipants(call: Call<Form>, hooks = false): Plan {
  const { Participant: given = [], ...form } = call.form;
  if (given.length > MOST_AT_ONCE) throw fail(50426, `At most ${MOST_AT_ONCE} participants in one request`);
  const participants = given.map(readParticipant);
  const record = { ...newConversation({ ...call, form }), state: 'initializing' as const };
  // Refuses now what would fail later: everybody is planned against a conversation without members.
  planAll(call, record, participants);
  return {
    changes: [{ kind: 'conversation', record }],
    answer: record,
    intent: { event: 'onConversationAdd', record },
    then: () =>
      setImmediate(() => addInBackground(call, record.sid, form.State ?? 'active', participants, hooks)),
  };
}

function planAll(call: Call<Form>, conversation: Records['conversation'], all: ParticipantForm[]): Change[] {
  const seen = new Set<string>();
  const changes: Change[] = [];
  for (const form of all) {
    const planned = asOneOf(() => participantChanges(call, conversation, form));
    const member = planned.at(-1)?.record as Records['participant'];
    const key = member.identity ?? JSON.stringify(member.messaging_binding);
    if (seen.has(key)) throw fail(50424, 'The same participant is given twice');
    seen.add(key);
    changes.push(...planned);
  }
  return changes;
}

/** Twilio has codes of its own for what a single participant would be refused with. */
function asOneOf<T>(run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (error instanceof ApiError && error.code === 50416) throw fail(50425, error.message);
    throw error;
  }
}

function addInBackground(
  call: Call<Form>,
  sid: string,
  state: 'active' | 'inactive' | 'closed' | 'initializing',
  participants: ParticipantForm[],
  hooks: boolean,
): void {
  const { store, clock } = call;
  const conversation = store.get('conversation', sid);
  if (conversation?.state !== 'initializing') return;
  const cause = { ...BACKGROUND, hooks };
  try {
    const members = planAll(call, conversation, participants);
    const ready: Change = { kind: 'conversation', record: inState(conversation, state, clock.now()) };
    store.commit([...members, ready], cause);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    store.commit([{ kind: 'conversation', record: inState(conversation, 'closed', clock.now()) }], cause);
  }
}

interface GivenParticipant {
  identity?: string;
  messaging_binding?: Partial<MessagingBinding> | null;
  attributes?: unknown;
  role_sid?: string;
}

/** One `Participant`: JSON with the snake_case names of a participant (Twilio). */
function readParticipant(text: string): ParticipantForm {
  let given: GivenParticipant;
  try {
    given = JSON.parse(text) as GivenParticipant;
  } catch {
    throw fail(50423);
  }
  if (typeof given !== 'object' || given === null || Array.isArray(given)) throw fail(50423);
  const { identity, messaging_binding: binding, attributes, role_sid } = given;
  const raw = {
    Identity: identity,
    'MessagingBinding.Address': binding?.address,
    'MessagingBinding.ProxyAddress': binding?.proxy_address,
    'MessagingBinding.ProjectedAddress': binding?.projected_address,
    Attributes:
      typeof attributes === 'object' ? JSON.stringify(attributes) : (attributes as string | undefined),
    RoleSid: role_sid,
  };
  const texts = Object.entries(raw).filter(([, value]) => value !== undefined && value !== null);
  const wrong = texts.find(([, value]) => typeof value !== 'string');
  if (wrong !== undefined) throw fail(50424, `Participant: ${wrong[0]} is not a text`);
  return readParameters(
    Object.fromEntries(texts) as Record<string, string>,
    forms.participantCreate,
    'post body',
  );
}
