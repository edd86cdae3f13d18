import type { ReadyChatService } from '../chat-services/chat-services.service.js';
import type { AppError } from '../common/errors/app-error.js';
import type { Lease } from '../reconciler/lease.js';
import type { OpenWish } from '../reconciler/wish-store.js';
import type { At } from '../twilio/twilio.types.js';
import type { ConversationView, ViewedParticipant } from './conversation.dto.js';
import type { Failure } from './conversation.entity.js';
import type { MessageEntity } from './messages/message.entity.js';
import type { ParticipantEntity, ParticipantState } from './participants/participant.entity.js';

/** How long before a look for late landings something may have been sent that it is for, in milliseconds. */
const LATE_WINDOW_MS = 3_600_000;

/** What the reconciler works on: the rows of one conversation, what is open about them, and what has been done. */
export class ConversationWork {
  /** Rows that differ from what Postgres has. */
  readonly changed = new Set<ParticipantEntity | MessageEntity>();
  /** Nothing that was sent before can land any more, but for what closes the conversation itself. */
  quiet = false;
  /** When the look for late landings is due, on the local monotonic clock. */
  private readonly lookAt: number | null;
  private readonly states = new Map<string, ParticipantState>();

  constructor(
    /** Of the conversation's row when this was read: a later one means that there is more. */
    readonly version: number,
    readonly view: ConversationView,
    /** Those that are not sent yet; the greeting among them. */
    readonly messages: MessageEntity[],
    /** Those that are open, in the order in which they were accepted. */
    public wishes: readonly OpenWish[],
    /** In how many milliseconds the look for late landings is due, from now; null where there is none to come. */
    lookInMs: number | null = null,
  ) {
    this.lookAt = lookInMs === null ? null : performance.now() + lookInMs;
    this.noteStates();
  }

  /** That look is still to come: something may land late. */
  get lookPending(): boolean {
    return this.lookAt !== null;
  }

  /** In milliseconds; 0 where nothing that was sent before this was read can land any more. */
  get landingMs(): number {
    return this.lookAt === null ? 0 : Math.max(0, this.lookAt - performance.now());
  }

  /** Since when something may have been sent that has landed late: counted from when the look was due, which may be long ago. */
  get lateSince(): Date {
    const overdueMs = this.lookAt === null ? 0 : Math.max(0, performance.now() - this.lookAt);
    return new Date(Date.now() - overdueMs - LATE_WINDOW_MS);
  }

  /** The state of a participant as Postgres had it when this was read, or written last. */
  stateBefore({ id }: ParticipantEntity): ParticipantState {
    return this.states.get(id) ?? 'pending';
  }

  /**
   * To be called when the rows are about to be written, with the wishes that end by it: whoever another open wish is to
   * remove is leaving, whatever has been done with him.
   */
  keepLeaving(ended: ReadonlySet<string>): void {
    const leaving = new Set(this.wishes.flatMap((wish) => (ended.has(wish.id) ? [] : leavingBy(wish))));
    for (const { participant } of this.view.participants) {
      const isIn = participant.state === 'pending' || participant.state === 'joined';
      if (isIn && leaving.has(participant.id)) participant.state = 'removing';
    }
  }

  /** The rows have been written, and these wishes have ended with it: whoever goes on has the others left. */
  written(ended: ReadonlySet<string>): void {
    this.wishes = this.wishes.filter(({ id }) => !ended.has(id));
    this.changed.clear();
    this.noteStates();
  }

  participant(id: unknown): ViewedParticipant {
    const found = this.view.participants.find(({ participant }) => participant.id === id);
    if (!found)
      throw new Error(`Conversation ${this.view.conversation.id} has no participant ${String(id)}.`);
    return found;
  }

  message(id: unknown): MessageEntity {
    const found = this.messages.find((message) => message.id === id);
    if (!found)
      throw new Error(`Conversation ${this.view.conversation.id} has no unsent message ${String(id)}.`);
    return found;
  }

  change<Row extends ParticipantEntity | MessageEntity>(row: Row, values: Partial<Row>): void {
    Object.assign(row, values, { updatedAt: new Date() });
    this.changed.add(row);
  }

  private noteStates(): void {
    for (const { participant } of this.view.participants) this.states.set(participant.id, participant.state);
  }
}

/** Whom a wish removes. */
function leavingBy({ kind, payload }: OpenWish): string[] {
  if (kind === 'remove_participant') return [String(payload['participantId'])];
  return kind === 'transfer' ? [String(payload['from'])] : [];
}

/** One try at what is open: with what right, where, and on what. */
export interface Attempt {
  lease: Lease;
  at: At;
  service: ReadyChatService;
  work: ConversationWork;
}

/** A wish is refused for good: it ends with `error`. */
export class Refusal extends Error {
  constructor(
    readonly error: AppError,
    readonly row?: ParticipantEntity | MessageEntity,
  ) {
    super(error.message);
    this.name = 'Refusal';
  }
}

/** A failure as rows keep it. */
export function failureOf(error: AppError): Failure {
  return { code: error.code, detail: error.message, twilio: error.options.twilio ?? null };
}

// What ends a wish is the same everywhere; here it stands beside what it ends.
export { endWith, endWithProblem } from '../reconciler/wish-ends.js';
