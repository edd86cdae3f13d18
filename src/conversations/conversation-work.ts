import type { ReadyChatService } from '../chat-services/chat-services.service.js';
import type { AppError } from '../common/errors/app-error.js';
import type { Lease } from '../reconciler/lease.js';
import type { OpenWish } from '../reconciler/wish-store.js';
import type { At } from '../twilio/twilio.types.js';
import type { ConversationView, ViewedParticipant } from './conversation.dto.js';
import type { Failure } from './conversation.entity.js';
import type { MessageEntity } from './messages/message.entity.js';
import type { ParticipantEntity } from './participants/participant.entity.js';

/** What the reconciler works on: the rows of one conversation, what is open about them, and what has been done. */
export class ConversationWork {
  /** Rows that differ from what Postgres has. */
  readonly changed = new Set<ParticipantEntity | MessageEntity>();

  constructor(
    /** Of the conversation's row when this was read: a later one means that there is more. */
    readonly version: number,
    readonly view: ConversationView,
    /** Those that are not sent yet; the greeting among them. */
    readonly messages: MessageEntity[],
    readonly wishes: OpenWish[],
    /** The time of the look for late landings has come. */
    readonly lookDue = false,
    /** That look is still to come: something may land late. */
    readonly lookPending = false,
  ) {}

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
