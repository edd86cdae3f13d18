import { Injectable } from '@nestjs/common';
import { NotReady } from '../../reconciler/pause.js';
import type { OpenWish, SettledWish } from '../../reconciler/wish-store.js';
import { TwilioGateway } from '../../twilio/twilio.gateway.js';
import type { UpstreamMessage } from '../../twilio/twilio.types.js';
import { ChatCalls } from '../chat-calls.js';
import { endWith, type Attempt } from '../conversation-work.js';
import type { ViewedParticipant } from '../conversation.dto.js';
import { isIn } from '../participants/participant-rows.js';
import type { ErasedMessages } from './departure-rows.js';
import { ForgettingStore } from './forgetting-store.js';
import { eachPage, isBy, MessageEraser, type Erased } from './message-eraser.js';

/** What a wish to forget a person says. */
export interface ForgetWish {
  identityId: string;
  messages: ErasedMessages;
}

/** Forgets a person in one conversation: at Twilio first, then in our rows. */
@Injectable()
export class Forgetting {
  constructor(
    private readonly calls: ChatCalls,
    private readonly gateway: TwilioGateway,
    private readonly store: ForgettingStore,
    private readonly eraser: MessageEraser,
  ) {}

  /** Null when the conversation went with him. */
  async forget(attempt: Attempt, sid: string, { payload }: OpenWish): Promise<SettledWish | null> {
    const { identityId, messages } = payload as unknown as ForgetWish;
    const { lease, work } = attempt;
    const people = work.view.participants.filter(({ participant }) => participant.identityId === identityId);
    if ((await this.store.progress(lease.id, identityId)).done) return this.end(attempt, people);
    // What was given up before may bring him back, and is known by what is about to be forgotten. A look that has fallen
    // due since this was read is still to be made.
    const lookDue = work.lookPending && !lease.looked;
    if (lookDue || (await this.store.mayLandLate(lease.id))) throw new NotReady('What may land late');
    const erased: Erased = { attempt, conversationSid: sid, identityId, messages, people };
    if (work.view.conversation.state === 'closed') return this.forgetClosed(erased);
    for (const { participant } of people)
      if (isIn(participant)) await this.calls.ensureRemoved(attempt, sid, participant);
    await this.eraser.eraseAll(erased);
    await this.store.finish(lease, { identityId });
    return this.end(attempt, people);
  }

  /** Twilio changes nothing in a closed conversation any more: what it holds of him can only go with it. */
  private async forgetClosed(erased: Erased): Promise<SettledWish | null> {
    const { attempt, conversationSid, identityId, messages, people } = erased;
    const { lease, at, work } = attempt;
    const own = await this.ownMessages(erased);
    const addresses = people.filter(({ participant }) => participant.address !== null).length;
    const { pending } = await this.store.progress(lease.id, identityId);
    const undone = pending.filter((sid) => own.includes(sid)).length;
    if (messages === 'keep' || own.length + addresses === 0) {
      const kept = { messages: own.length, participants: addresses };
      await this.store.finish(lease, { identityId, kept, undone });
      return this.end(attempt, people);
    }
    if (!pending.includes(conversationSid))
      await this.store.begin(lease, identityId, own.length - undone, [conversationSid]);
    await this.gateway.deleteConversation(at, conversationSid);
    await this.store.finish(lease, { identityId, deleted: true });
    this.end(attempt, people);
    const now = new Date();
    Object.assign(work.view.conversation, { state: 'deleted', deletedAt: now, updatedAt: now });
    return null;
  }

  private async ownMessages({ attempt, conversationSid, people }: Erased): Promise<string[]> {
    const own: string[] = [];
    for await (const page of eachPage(this.gateway, attempt.at, conversationSid))
      own.push(...page.filter((message: UpstreamMessage) => isBy(people, message)).map(({ sid }) => sid));
    return own;
  }

  /** What is held in memory is forgotten as well: it would be written, or answered, again. */
  private end({ lease, work }: Attempt, people: ViewedParticipant[]): SettledWish {
    const closed = work.view.conversation.state === 'closed';
    const ids = new Set(people.map(({ participant }) => participant.id));
    for (const { participant, identity } of people) {
      if (!closed && isIn(participant)) work.change(participant, { state: 'removed' });
      Object.assign(participant, { address: null, projectedAddress: null, attributes: {}, failure: null });
      if (identity) Object.assign(identity, { externalId: null, displayName: null, status: 'erased' });
    }
    for (const message of work.messages)
      if (ids.has(message.authorId ?? ''))
        Object.assign(message, { body: '', attributes: {}, mediaSid: null });
    for (const wish of work.wishes) wish.instance = `/v1/conversations/${lease.id}`;
    return endWith(204, null);
  }
}
