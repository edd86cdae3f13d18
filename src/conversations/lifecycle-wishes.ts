import { Injectable } from '@nestjs/common';
import { AppError } from '../common/errors/app-error.js';
import { Postponed } from '../reconciler/pause.js';
import type { OpenWish, SettledWish } from '../reconciler/wish-store.js';
import { TwilioError } from '../twilio/twilio-error.js';
import { TwilioGateway } from '../twilio/twilio.gateway.js';
import type { ConversationChange } from '../twilio/twilio.types.js';
import { ChatCalls, refuse } from './chat-calls.js';
import { ConversationStore } from './conversation-store.js';
import { endWith, endWithProblem, Refusal, type Attempt } from './conversation-work.js';
import { ConversationResponse } from './conversation.dto.js';
import { uniqueNameOf, type Timers } from './conversation.entity.js';
import { undoLateLandings } from './late-landings.js';

/** What `update` changes: the keys that are given. */
export interface ConversationChangeWish {
  friendlyName?: string | null;
  attributes?: Record<string, unknown>;
  timers?: Timers;
  state?: 'active' | 'inactive' | 'closed';
}

/** What `transfer` does: `to` joins, the message is sent, `from` leaves. */
export interface TransferWish {
  from: string;
  to: string;
  messageId?: string;
}

/** Fulfils what is wished about a conversation as a whole. */
@Injectable()
export class LifecycleWishes {
  constructor(
    private readonly calls: ChatCalls,
    private readonly gateway: TwilioGateway,
    private readonly store: ConversationStore,
  ) {}

  /** Sent again without harm: the last one counts. */
  async update(attempt: Attempt, sid: string, { payload }: OpenWish): Promise<SettledWish> {
    const { at, work } = attempt;
    const { friendlyName, attributes, timers, state } = payload as ConversationChangeWish;
    const { conversation } = work.view;
    const change: ConversationChange = {
      ...(friendlyName !== undefined && { friendlyName }),
      ...(attributes !== undefined && { attributes: JSON.stringify(attributes) }),
      ...(timers !== undefined && { timers: { inactive: 'PT0S', closed: 'PT0S', ...timers } }),
      ...(state !== undefined && { state }),
    };
    if (state === 'closed') await this.undoLateLandings(attempt, sid);
    const after = await this.gateway
      .updateConversation(at, sid, change)
      .catch((error: unknown) => refuse(error));
    Object.assign(conversation, {
      ...(friendlyName !== undefined && { friendlyName }),
      ...(attributes !== undefined && { attributes }),
      ...(timers !== undefined && { timers }),
      state: after.state === 'initializing' ? conversation.state : after.state,
      updatedAt: new Date(),
    });
    return endWith(200, ConversationResponse.from(work.view));
  }

  /** The last word first; one that is refused leaves the conversation open. What is closed already is closed. */
  async close(attempt: Attempt, sid: string, { payload }: OpenWish): Promise<SettledWish> {
    const { at, work } = attempt;
    const { messageId } = payload;
    if (messageId !== undefined) {
      const message = work.message(messageId);
      await this.calls.ensureMessage(attempt, sid, message).catch((error: unknown) => {
        if (!(error instanceof Refusal) || error.error.code !== 'conversation_closed') throw error;
      });
    }
    await this.undoLateLandings(attempt, sid);
    await this.gateway.updateConversation(at, sid, { state: 'closed' }).catch((error: unknown) => {
      if (!(error instanceof TwilioError) || error.kind !== 'closed') refuse(error);
    });
    Object.assign(work.view.conversation, { state: 'closed', updatedAt: new Date() });
    return endWith(200, ConversationResponse.from(work.view));
  }

  /**
   * In a closed conversation nothing can be removed or changed any more: what may still land is waited for, at most for a
   * lease and a call time-out, and then undone. Whoever waits for the end for a shorter time is answered 202.
   */
  private async undoLateLandings(attempt: Attempt, sid: string): Promise<void> {
    const { lease, work } = attempt;
    if (!lease.uncertain && !work.lookPending) return;
    // Where a look is to come, its time is known: whoever takes over does not prolong it.
    const othersMs = work.lookPending ? work.landingMs : lease.foreignLandingMs;
    const landingMs = Math.ceil(Math.max(lease.ownLandingMs, othersMs));
    if (landingMs > 0 && !work.quiet) {
      await this.store.lookIn(lease, landingMs);
      throw new Postponed('Closing', landingMs);
    }
    work.quiet = true;
    await undoLateLandings(this.gateway, this.store, attempt, sid);
  }

  /** The customer is never alone. A refusal leaves `from` in, and whoever has joined. */
  async transfer(attempt: Attempt, sid: string, { payload }: OpenWish): Promise<SettledWish> {
    const { work } = attempt;
    const { from, to, messageId } = payload as unknown as TransferWish;
    const leaving = work.participant(from).participant;
    const coming = work.participant(to);
    const message = messageId === undefined ? null : work.message(messageId);
    // The same again, asked for while the first was under way: there is nothing to do, nor to say.
    if (leaving.state === 'removed' && coming.participant.state === 'joined') {
      if (message) work.change(message, { state: 'failed' });
      return endWith(200, ConversationResponse.from(work.view));
    }
    try {
      const present = await this.calls.present(attempt, sid);
      await this.calls.ensureParticipant(attempt, sid, coming, present);
      if (message) await this.calls.ensureMessage(attempt, sid, message);
    } catch (error) {
      if (error instanceof Refusal) {
        if (leaving.state === 'removing') work.change(leaving, { state: 'joined' });
        if (message) work.change(message, { state: 'failed' });
      }
      throw error;
    }
    await this.calls.ensureRemoved(attempt, sid, leaving);
    work.view.conversation.updatedAt = new Date();
    return endWith(200, ConversationResponse.from(work.view));
  }

  /**
   * Takes the conversation away at Twilio. It was taken out of the hands of whoever worked on it, so that something sent
   * before may still land: that is looked for once more.
   */
  async delete({ lease, at, work }: Attempt): Promise<void> {
    const { conversation } = work.view;
    const found =
      conversation.twilioSid ?? (await this.gateway.findConversation(at, uniqueNameOf(lease.id)))?.sid;
    if (found) await this.gateway.deleteConversation(at, found);
    Object.assign(conversation, { state: 'deleted', updatedAt: new Date() });
    const ends = work.wishes.map((wish) => ({
      wish,
      end:
        wish.kind === 'delete'
          ? endWith(204, null)
          : endWithProblem(wish, new AppError('conversation_deleted', { detail: 'It has been deleted.' })),
    }));
    lease.uncertain = true;
    await this.store.settle(lease, work, ends, { last: true });
  }
}
