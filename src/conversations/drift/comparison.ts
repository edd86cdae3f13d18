import type { ReadyChatService } from '../../chat-services/chat-services.service.js';
import { canonicalJson } from '../../common/http/command.js';
import { isStorable } from '../../common/validation/text.js';
import type { TimerDurations, UpstreamConversation, UpstreamParticipant } from '../../twilio/twilio.types.js';
import { matches, roleSidOf } from '../chat-calls.js';
import type { ConversationView, ViewedParticipant } from '../conversation.dto.js';
import type { ConversationEntity } from '../conversation.entity.js';
import { isIn } from '../participants/participant-rows.js';
import { stoppedTimers, unaskedTimers } from './timers.js';

export const CONVERSATION_DRIFTS = [
  'conversation_missing',
  'conversation_state',
  'conversation_timers',
  'conversation_friendly_name',
  'conversation_attributes',
  'participant_missing',
  'participant_replaced',
  'participant_extra',
  'participant_role',
  'participant_attributes',
  'participant_address',
  'message_twin',
] as const;

/**
 * What a repair does: `adopt` writes what Twilio has into our rows, `update` gives Twilio what our rows have, `remove`
 * takes away at Twilio. `none`: nothing that is safe.
 */
export const REPAIRS = ['adopt', 'update', 'remove', 'none'] as const;
export type Repair = (typeof REPAIRS)[number];

/** Somebody in a conversation: by our row, by what Twilio has, or by both. */
export interface DriftedParticipant {
  id: string | null;
  twilioSid: string | null;
  identity: { id: string; externalId: string | null } | null;
}

/** One thing in which the rows of a conversation and Twilio differ. */
export interface ConversationFinding {
  kind: (typeof CONVERSATION_DRIFTS)[number];
  participant: DriftedParticipant | null;
  message: { id: string; twilioSid: string } | null;
  ours: unknown;
  twilio: unknown;
  repair: Repair;
}

/** A message at Twilio that bears the id of one of ours, which is there under another sid. */
export interface Twin {
  id: string;
  twilioSid: string;
  recordedSid: string;
}

/** What Twilio has of one conversation; `conversation` is null when it is missing. */
export interface UpstreamChat {
  conversation: UpstreamConversation | null;
  participants: UpstreamParticipant[];
  twins: Twin[];
  /** The account's, where a timer runs that we have not asked for; null where they do not matter, or cannot be told. */
  defaultTimers: TimerDurations | null;
}

type Draft = Pick<ConversationFinding, 'kind' | 'ours' | 'twilio' | 'repair'> &
  Partial<Pick<ConversationFinding, 'participant' | 'message'>>;

const finding = (draft: Draft): ConversationFinding => ({ participant: null, message: null, ...draft });

/** All in which a conversation differs, the conversation first. Only for one that has settled and is not gone here. */
export function compareConversation(
  view: ConversationView,
  service: ReadyChatService,
  upstream: UpstreamChat,
): ConversationFinding[] {
  const { conversation } = view;
  const there = upstream.conversation;
  if (!there) {
    return [
      finding({ kind: 'conversation_missing', ours: conversation.state, twilio: null, repair: 'adopt' }),
    ];
  }
  const open = there.state !== 'closed';
  return [
    ...compareState(conversation, there),
    ...compareTimers(conversation, upstream),
    ...compareFacts(conversation, there),
    ...compareParticipants(view, service, upstream.participants, open),
    ...upstream.twins.map(({ id, twilioSid, recordedSid }) =>
      finding({
        kind: 'message_twin',
        message: { id, twilioSid },
        ours: recordedSid,
        twilio: twilioSid,
        repair: open ? 'remove' : 'none',
      }),
    ),
  ];
}

/** Twilio's own transitions are adopted. What was closed here stays closed: it is closed there as well. */
function compareState({ state }: ConversationEntity, there: UpstreamConversation): ConversationFinding[] {
  if (there.state === state || there.state === 'initializing') return [];
  const repair = state === 'closed' ? 'update' : 'adopt';
  return [finding({ kind: 'conversation_state', ours: state, twilio: there.state, repair })];
}

/** Twilio tells when a timer fires, not which duration it was given: all that can be compared is whether one runs. */
function compareTimers({ timers }: ConversationEntity, upstream: UpstreamChat): ConversationFinding[] {
  const there = upstream.conversation;
  const stopped = there ? stoppedTimers(timers, there) : [];
  const unasked = unaskedTimers(timers, upstream);
  if (!there || stopped.length + unasked.length === 0) return [];
  const { dateInactive, dateClosed } = there.timers;
  return [
    finding({
      kind: 'conversation_timers',
      ours: timers,
      twilio: {
        dateInactive: dateInactive?.toISOString() ?? null,
        dateClosed: dateClosed?.toISOString() ?? null,
      },
      repair: unasked.length > 0 ? 'update' : 'adopt',
    }),
  ];
}

/** Somebody with the rights for it has changed them at Twilio, a browser perhaps: that is adopted. */
function compareFacts(ours: ConversationEntity, there: UpstreamConversation): ConversationFinding[] {
  const name = there.friendlyName || null;
  const renamed = finding({
    kind: 'conversation_friendly_name',
    ours: ours.friendlyName,
    twilio: name,
    repair: isStorable(name) ? 'adopt' : 'none',
  });
  return [
    ...(name === ours.friendlyName ? [] : [renamed]),
    ...compareAttributes('conversation_attributes', ours.attributes, there.attributes),
  ];
}

function compareAttributes(
  kind: ConversationFinding['kind'],
  ours: Record<string, unknown>,
  text: string,
  participant: DriftedParticipant | null = null,
): ConversationFinding[] {
  const theirs = attributesOf(text);
  if (theirs !== null && canonicalJson(theirs) === canonicalJson(ours)) return [];
  const repair = theirs === null ? 'none' : 'adopt';
  return [finding({ kind, participant, ours, twilio: theirs ?? text, repair })];
}

/** Attributes as rows keep them; null for what is no object, or what no row can hold. */
export function attributesOf(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text === '' ? '{}' : text);
    const isObject = value !== null && typeof value === 'object' && !Array.isArray(value);
    return isObject && isStorable(value) ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

function compareParticipants(
  { participants }: ConversationView,
  service: ReadyChatService,
  there: UpstreamParticipant[],
  open: boolean,
): ConversationFinding[] {
  const paired = pair(participants, there);
  const findings = participants
    .filter(({ participant }) => isIn(participant))
    .flatMap((one) => compareParticipant(one, paired.get(one), service, open));
  const known = new Set(paired.values());
  const extra = there.filter((other) => !known.has(other));
  return [...findings, ...extra.map((other) => extraOf(other, participants, open))];
}

/** Who Twilio has for each who is in: by sid, else by identity or address pair. */
export function pair(
  participants: readonly ViewedParticipant[],
  there: UpstreamParticipant[],
): Map<ViewedParticipant, UpstreamParticipant> {
  const bySid = new Map(there.map((other) => [other.sid, other]));
  const present = participants.filter(({ participant }) => isIn(participant));
  const paired = new Map<ViewedParticipant, UpstreamParticipant>();
  for (const one of present) {
    const other = bySid.get(one.participant.twilioSid ?? '');
    if (other) paired.set(one, other);
  }
  const taken = new Set(paired.values());
  for (const one of present) {
    if (paired.has(one)) continue;
    const other = there.find(
      (candidate) => !taken.has(candidate) && matches(candidate, one.participant, one.identity),
    );
    if (other) paired.set(one, other);
    if (other) taken.add(other);
  }
  return paired;
}

function compareParticipant(
  { participant: row, identity }: ViewedParticipant,
  other: UpstreamParticipant | undefined,
  service: ReadyChatService,
  open: boolean,
): ConversationFinding[] {
  const participant = named({ participant: row, identity }, other?.sid ?? row.twilioSid);
  const at = (draft: Draft): ConversationFinding => finding({ participant, ...draft });
  // He went with his User, which we have deleted; what is closed keeps saying who was in.
  if (!other && !open && (identity?.deleting || identity?.status === 'erased')) return [];
  if (!other)
    return [at({ kind: 'participant_missing', ours: row.twilioSid, twilio: null, repair: 'adopt' })];
  const replaced = other.sid !== row.twilioSid;
  const roleSid = roleSidOf(row, service);
  const hasOtherRole = row.address === null && roleSid !== null && other.roleSid !== roleSid;
  const [ours, theirs] = [addressOf(row), addressOf(other.messagingBinding)];
  return [
    ...(replaced
      ? [at({ kind: 'participant_replaced', ours: row.twilioSid, twilio: other.sid, repair: 'adopt' })]
      : []),
    // Rights are decided here: whoever has got others at Twilio loses them.
    ...(hasOtherRole
      ? [
          at({
            kind: 'participant_role',
            ours: roleSid,
            twilio: other.roleSid,
            repair: open ? 'update' : 'none',
          }),
        ]
      : []),
    ...compareAttributes('participant_attributes', row.attributes, other.attributes, participant),
    ...(canonicalJson(ours) === canonicalJson(theirs)
      ? []
      : [at({ kind: 'participant_address', ours, twilio: theirs, repair: 'adopt' })]),
  ];
}

/** The addresses by which somebody is reached, as a row keeps them. */
export function addressOf(
  binding: { address: string | null; proxyAddress: string | null; projectedAddress: string | null } | null,
) {
  const { address = null, proxyAddress = null, projectedAddress = null } = binding ?? {};
  return { address, proxyAddress, projectedAddress };
}

/** Somebody at Twilio who is not to be in; he may have been in before. */
function extraOf(
  other: UpstreamParticipant,
  participants: readonly ViewedParticipant[],
  open: boolean,
): ConversationFinding {
  const before = participants.findLast(({ participant, identity }) => matches(other, participant, identity));
  const { identity, messagingBinding, roleSid } = other;
  return finding({
    kind: 'participant_extra',
    participant: before ? named(before, other.sid) : { id: null, twilioSid: other.sid, identity: null },
    ours: before?.participant.state ?? null,
    twilio: { identity, roleSid, ...addressOf(messagingBinding) },
    repair: open ? 'remove' : 'none',
  });
}

function named({ participant, identity }: ViewedParticipant, twilioSid: string | null): DriftedParticipant {
  return {
    id: participant.id,
    twilioSid,
    identity: identity && { id: identity.id, externalId: identity.externalId },
  };
}
