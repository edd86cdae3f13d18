import { Injectable, type OnModuleInit } from '@nestjs/common';
import { ChatServicesService } from '../chat-services/chat-services.service.js';
import { AppError } from '../common/errors/app-error.js';
import type { Aggregate } from '../reconciler/aggregate.js';
import type { Lease } from '../reconciler/lease.js';
import { NotReady } from '../reconciler/pause.js';
import { Reconciler } from '../reconciler/reconciler.js';
import type { OpenWish, SettledWish } from '../reconciler/wish-store.js';
import { TwilioError } from '../twilio/twilio-error.js';
import { TwilioGateway } from '../twilio/twilio.gateway.js';
import { ChatCalls, deletedAtTwilio } from './chat-calls.js';
import { ConversationStore } from './conversation-store.js';
import {
  endWith,
  endWithProblem,
  Refusal,
  type Attempt,
  type ConversationWork,
} from './conversation-work.js';
import { ConversationResponse } from './conversation.dto.js';
import { uniqueNameOf } from './conversation.entity.js';
import { Forgetting } from './departures/forgetting.js';
import { RepairWishes } from './drift/repair-wishes.js';
import { LifecycleWishes } from './lifecycle-wishes.js';
import { undoLateLandings } from './late-landings.js';
import { MessageWishes } from './messages/message-wishes.js';
import { ParticipantWishes } from './participants/participant-wishes.js';
import { Provisioning } from './provisioning.js';

export const CONVERSATION = 'conversation';

/** What can be wished of a conversation that stands. */
export type ConversationWishKind =
  | 'update'
  | 'close'
  | 'transfer'
  | 'add_participant'
  | 'update_participant'
  | 'remove_participant'
  | 'send_message'
  | 'update_message'
  | 'remove_message'
  | 'repair'
  | 'forget_person';

/** Null when the conversation has come to its end with it. */
type Fulfil = (attempt: Attempt, conversationSid: string, wish: OpenWish) => Promise<SettledWish | null>;

/** A conversation with its participants and messages: the one function that brings it to what is wanted. */
@Injectable()
export class ConversationAggregate implements Aggregate, OnModuleInit {
  readonly name = CONVERSATION;
  readonly table = 'conversations';
  readonly serviceColumn = 'service_id';
  private readonly fulfil: Record<ConversationWishKind, Fulfil>;
  /**
   * Rows as the holder of a lease knows them: those that the request has just written itself, and after a failed try
   * what had been done in it. Nobody else writes them meanwhile.
   */
  private readonly known = new WeakMap<Lease, ConversationWork>();

  constructor(
    private readonly services: ChatServicesService,
    private readonly gateway: TwilioGateway,
    private readonly store: ConversationStore,
    private readonly calls: ChatCalls,
    private readonly provisioning: Provisioning,
    private readonly lifecycle: LifecycleWishes,
    private readonly reconciler: Reconciler,
    participants: ParticipantWishes,
    messages: MessageWishes,
    repairs: RepairWishes,
    forgetting: Forgetting,
  ) {
    this.fulfil = {
      update: (...args) => lifecycle.update(...args),
      close: (...args) => lifecycle.close(...args),
      transfer: (...args) => lifecycle.transfer(...args),
      add_participant: (...args) => participants.add(...args),
      update_participant: (...args) => participants.update(...args),
      remove_participant: (...args) => participants.remove(...args),
      send_message: (...args) => messages.send(...args),
      update_message: (...args) => messages.update(...args),
      remove_message: (...args) => messages.remove(...args),
      repair: (...args) => repairs.repair(...args),
      forget_person: (...args) => forgetting.forget(...args),
    };
  }

  onModuleInit(): void {
    this.reconciler.register(this);
  }

  /** Hands over what the holder of the lease has written, for the first try. */
  know(lease: Lease, work: ConversationWork): void {
    this.known.set(lease, work);
  }

  async reconcile(lease: Lease): Promise<void> {
    const work = await this.workOf(lease);
    if (!work) return;
    const { conversation } = work.view;
    const service = await this.services.findReady(conversation.serviceId);
    if (!service) {
      throw new NotReady('The chat service', await this.services.findTrouble(conversation.serviceId));
    }
    const attempt = {
      lease,
      at: { serviceSid: service.twilioSid, beforeSend: lease.beforeSend },
      service,
      work,
    };
    try {
      await this.bringAbout(attempt);
    } catch (error) {
      // What is known is what Twilio said, and what was about to be recorded. When the recording failed, or anything
      // that was not foreseen, the rows are read again.
      if (!(error instanceof TwilioError)) {
        this.known.delete(lease);
        lease.uncertain = true;
      }
      throw error;
    }
  }

  private async bringAbout(attempt: Attempt): Promise<void> {
    const { lease, work } = attempt;
    const { deletedAt, state } = work.view.conversation;
    if (work.lookPending && work.landingMs === 0 && !lease.looked) await this.lookForLateLandings(attempt);
    if (work.wishes.length > 0) lease.worked = true;
    if (deletedAt !== null && state !== 'deleted') return this.lifecycle.delete(attempt);
    if (state === 'provisioning') await this.provisioning.run(attempt);
    else await this.fulfilWishes(attempt);
  }

  /** Failed and deleted conversations, with their participants and messages. */
  prune(): Promise<number> {
    return this.store.prune();
  }

  private async workOf(lease: Lease): Promise<ConversationWork | null> {
    const known = this.known.get(lease);
    if (known && known.version === lease.version) return known;
    const work = await this.store.load(lease.id);
    if (work) this.known.set(lease, work);
    // What came between is seen already: it is not to be met again.
    if (work) lease.version = work.version;
    return work;
  }

  /** In the order in which they were accepted. */
  private async fulfilWishes(attempt: Attempt): Promise<void> {
    const { lease, work } = attempt;
    if (work.view.conversation.state === 'failed' || work.view.conversation.state === 'deleted') {
      if (work.wishes.length > 0) await this.store.settle(lease, work, this.endAll(work), { last: true });
      return;
    }
    for (let wish = work.wishes[0]; wish; wish = work.wishes[0]) {
      const end = await this.endOf(attempt, wish);
      const ends = end ? [{ wish, end }] : this.endAll(work);
      await this.store.settle(lease, work, ends, { last: ends.length === work.wishes.length });
    }
  }

  /** The end of one wish; null when the conversation itself has come to an end at Twilio, and all end with it. */
  private async endOf(attempt: Attempt, wish: OpenWish): Promise<SettledWish | null> {
    const { at, work } = attempt;
    const { conversation } = work.view;
    const sid = conversation.twilioSid;
    if (sid === null || !(wish.kind in this.fulfil))
      throw new Error(`Wish ${wish.id} (${wish.kind}) is not known here.`);
    try {
      return await this.fulfil[wish.kind as ConversationWishKind](attempt, sid, wish);
    } catch (error) {
      if (error instanceof Refusal && error.error.code === 'conversation_closed') {
        Object.assign(conversation, { state: 'closed', updatedAt: new Date() });
        return null;
      }
      if (error instanceof Refusal) return endWithProblem(wish, error.error);
      const missing = error instanceof TwilioError && error.kind === 'not_found';
      if (!missing || !(await this.calls.isGone(at, sid))) throw error;
      Object.assign(conversation, { state: 'deleted', deletedAt: new Date(), updatedAt: new Date() });
      return null;
    }
  }

  private endAll(work: ConversationWork): { wish: OpenWish; end: SettledWish }[] {
    const { state } = work.view.conversation;
    const gone = state === 'deleted';
    const error = gone
      ? deletedAtTwilio()
      : new AppError(state === 'failed' ? 'conversation_failed' : 'conversation_closed');
    for (const { participant } of work.view.participants) {
      if (participant.state === 'pending') work.change(participant, { state: 'failed' });
      if (participant.state === 'removing') work.change(participant, { state: gone ? 'removed' : 'joined' });
    }
    for (const message of work.messages)
      if (message.state === 'sending') work.change(message, { state: 'failed' });
    const done = endWith(200, ConversationResponse.from(work.view));
    return work.wishes.map((wish) => ({
      wish,
      // Whoever wanted it closed has what he wanted.
      end: state === 'closed' && wish.kind === 'close' ? done : endWithProblem(wish, error),
    }));
  }

  /** A call that was given up may have taken effect since: what failed or was deleted must not be there. */
  private async lookForLateLandings(attempt: Attempt): Promise<void> {
    const { lease, at, work } = attempt;
    const { id, state, twilioSid } = work.view.conversation;
    if (state === 'failed' || state === 'deleted') {
      const late = await this.gateway.findConversation(at, uniqueNameOf(id));
      if (late) await this.gateway.deleteConversation(at, late.sid);
    } else if (twilioSid !== null && state !== 'closed' && state !== 'provisioning') {
      await undoLateLandings(this.gateway, this.store, attempt, twilioSid);
    }
    lease.hasLooked();
  }
}
