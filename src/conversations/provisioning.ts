import { Injectable } from '@nestjs/common';
import { AppError } from '../common/errors/app-error.js';
import { LeaseLost, type Lease } from '../reconciler/lease.js';
import { toAppError } from '../twilio/to-app-error.js';
import { TwilioError } from '../twilio/twilio-error.js';
import { TwilioGateway } from '../twilio/twilio.gateway.js';
import { ChatCalls, deletedAtTwilio, isFinal } from './chat-calls.js';
import { ConversationStore } from './conversation-store.js';
import {
  endWith,
  endWithProblem,
  failureOf,
  Refusal,
  type Attempt,
  type ConversationWork,
} from './conversation-work.js';
import { ConversationResponse } from './conversation.dto.js';
import { uniqueNameOf, type ConversationEntity, type Failure } from './conversation.entity.js';
import type { ParticipantEntity } from './participants/participant.entity.js';
import { isIn } from './participants/participant-rows.js';

/** Makes a conversation that is wanted, or takes back what was made of it when Twilio refuses. */
@Injectable()
export class Provisioning {
  constructor(
    private readonly calls: ChatCalls,
    private readonly gateway: TwilioGateway,
    private readonly store: ConversationStore,
  ) {}

  /** Throws what stopped it for now. Settles the wish when it is done, and when Twilio refuses for good. */
  async run(attempt: Attempt): Promise<void> {
    const { failure } = attempt.work.view.conversation;
    try {
      if (failure) throw new Refusal(refusedBefore(failure));
      await this.make(attempt);
      await this.settleMade(attempt);
    } catch (error) {
      const refusal = await this.asRefusal(error, attempt);
      if (!refusal) throw error;
      await this.takeBack(attempt, refusal);
    }
  }

  /** Two round trips: the conversation, then everybody and the greeting side by side. */
  private async make(attempt: Attempt): Promise<void> {
    const { conversation, participants, greeting } = attempt.work.view;
    // Recorded with the end alone: whoever takes over before that finds it by its unique name.
    const sid = (conversation.twilioSid ??= await this.calls.ensureConversation(attempt));
    const present = await this.calls.present(attempt, sid);
    const sends: Promise<unknown>[] = participants
      .filter(({ participant }) => isProvisioned(participant, conversation))
      .map((one) => this.calls.ensureParticipant(attempt, sid, one, present));
    // Who chats sees earlier messages; who is reached at an address gets only what is written after he joined.
    const atOnce = participants.every(({ participant }) => participant.address === null);
    if (greeting && atOnce) sends.push(this.calls.ensureMessage(attempt, sid, greeting));
    throwWorst(await Promise.allSettled(sends), attempt.lease);
    if (greeting && !atOnce) await this.calls.ensureMessage(attempt, sid, greeting);
  }

  private async settleMade({ lease, work }: Attempt): Promise<void> {
    const { conversation } = work.view;
    Object.assign(conversation, { state: 'active', updatedAt: new Date() });
    const end = endWith(201, ConversationResponse.from(work.view), `/v1/conversations/${lease.id}`);
    const ends = provisionWish(work).map((wish) => ({ wish, end }));
    await this.store.settle(lease, work, ends, { last: work.wishes.length === ends.length });
  }

  private async asRefusal(error: unknown, { at, work }: Attempt): Promise<Refusal | null> {
    if (error instanceof Refusal) return error;
    if (isFinal(error)) return new Refusal(toAppError(error));
    const { twilioSid } = work.view.conversation;
    if (!(error instanceof TwilioError) || error.kind !== 'not_found' || twilioSid === null) return null;
    return (await this.calls.isGone(at, twilioSid)) ? new Refusal(deletedAtTwilio()) : null;
  }

  /** Nothing stays at Twilio, and nothing is answered before that. */
  private async takeBack({ lease, at, work }: Attempt, refusal: Refusal): Promise<void> {
    const { conversation, participants, greeting } = work.view;
    if (!conversation.failure) {
      conversation.failure = failureOf(refusal.error);
      const refused = participants.find(({ participant }) => participant === refusal.row);
      await this.store.recordFailure(lease, conversation.failure, refused?.participant.id ?? null);
    }
    const sid =
      conversation.twilioSid ??
      (lease.uncertain ? (await this.gateway.findConversation(at, uniqueNameOf(lease.id)))?.sid : null);
    if (sid) await this.gateway.deleteConversation(at, sid);
    Object.assign(conversation, { state: 'failed', twilioSid: null, updatedAt: new Date() });
    for (const { participant } of participants) {
      work.change(participant, { state: 'failed', twilioSid: null });
    }
    if (greeting) work.change(greeting, { state: 'failed', twilioSid: null });
    for (const message of work.messages) work.change(message, { state: 'failed' });
    const refused = answerFor(conversation.failure, lease.id);
    const queued = new AppError('conversation_failed', { detail: conversation.failure.detail });
    const ends = work.wishes.map((wish) => ({
      wish,
      end: endWithProblem(wish, wish.kind === 'provision' ? refused : queued),
    }));
    await this.store.settle(lease, work, ends, { last: true });
  }
}

/**
 * Who was added since has a wish of his own, and his refusal is no matter of the conversation. Who is to leave already
 * may have been sent before: he comes in, and leaves by the wish for that.
 */
function isProvisioned(participant: ParticipantEntity, { createdAt }: ConversationEntity): boolean {
  const asked = participant.createdAt.getTime() === createdAt.getTime();
  return asked && isIn(participant) && participant.twilioSid === null;
}

const provisionWish = ({ wishes }: ConversationWork) => wishes.filter(({ kind }) => kind === 'provision');

function refusedBefore({ code, detail, twilio }: Failure): AppError {
  return new AppError(code, { detail, ...(twilio && { twilio }) });
}

/** A pair in use elsewhere, and a conversation deleted at Twilio, have codes of their own. */
function answerFor({ code, detail, twilio }: Failure, id: string): AppError {
  const shown = code === 'upstream_refused' || code === 'conversation_closed' ? 'provisioning_failed' : code;
  return new AppError(shown, { detail, ...(twilio && { twilio }), extensions: { conversation: { id } } });
}

/** One failure of several: a lost lease first (nothing more may be sent), then a refusal (it ends the matter). */
function throwWorst(results: PromiseSettledResult<unknown>[], lease: Lease): void {
  const reasons = results.flatMap((result) =>
    result.status === 'rejected' ? [result.reason as unknown] : [],
  );
  // An unknown outcome is to be remembered, whatever else failed beside it.
  if (reasons.some((reason) => reason instanceof TwilioError && reason.kind === 'unknown'))
    lease.outcomeUnknown();
  const worst =
    reasons.find((reason) => reason instanceof LeaseLost) ??
    reasons.find((reason) => reason instanceof Refusal) ??
    reasons[0];
  if (worst !== undefined) throw worst as Error;
}
