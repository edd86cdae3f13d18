import { Injectable, type OnModuleInit } from '@nestjs/common';
import { ChatServicesService } from '../chat-services/chat-services.service.js';
import type { Aggregate } from '../reconciler/aggregate.js';
import type { Lease } from '../reconciler/lease.js';
import { NotReady } from '../reconciler/pause.js';
import { Reconciler } from '../reconciler/reconciler.js';
import { TwilioGateway } from '../twilio/twilio.gateway.js';
import type { At } from '../twilio/twilio.types.js';
import type { ConversationView } from './conversation.dto.js';
import { uniqueNameOf } from './conversation.entity.js';
import { ConversationStore, type ConversationWork } from './conversation-store.js';
import { messageIdOf } from './messages/message.entity.js';
import { Provisioning } from './provisioning.js';

export const CONVERSATION = 'conversation';

/** A conversation with its participants and messages: the one function that brings it to what is wanted. */
@Injectable()
export class ConversationAggregate implements Aggregate, OnModuleInit {
  readonly name = CONVERSATION;
  readonly table = 'conversations';
  /**
   * Rows as the holder of a lease knows them: those that the request has just written itself, and after a failed try
   * what had been done in it. Nobody else writes them meanwhile.
   */
  private readonly known = new WeakMap<Lease, ConversationWork>();

  constructor(
    private readonly services: ChatServicesService,
    private readonly gateway: TwilioGateway,
    private readonly store: ConversationStore,
    private readonly provisioning: Provisioning,
    private readonly reconciler: Reconciler,
  ) {}

  onModuleInit(): void {
    this.reconciler.register(this);
  }

  /** Hands over what the holder of the lease has written, for the first try. */
  know(lease: Lease, work: ConversationWork): void {
    this.known.set(lease, work);
  }

  async reconcile(lease: Lease): Promise<void> {
    const work = this.known.get(lease) ?? (await this.store.load(lease.id));
    if (!work) return;
    this.known.set(lease, work);
    const { conversation } = work.view;
    const service = await this.services.findReady(conversation.serviceId);
    if (!service) throw new NotReady('The chat service');
    const at = { serviceSid: service.twilioSid, beforeSend: lease.beforeSend };
    if (conversation.state === 'provisioning') await this.provisioning.run({ lease, at, service, work });
    else await this.lookForLateLandings(at, work.view);
  }

  /** Failed conversations, with their participants and messages. */
  prune(): Promise<number> {
    return this.store.pruneFailed();
  }

  /**
   * A call that was given up may have taken effect since: a conversation that failed must not be there, and a message
   * must be there once.
   */
  private async lookForLateLandings(at: At, { conversation, greeting }: ConversationView): Promise<void> {
    if (conversation.state === 'failed') {
      const late = await this.gateway.findConversation(at, uniqueNameOf(conversation.id));
      if (late) await this.gateway.deleteConversation(at, late.sid);
      return;
    }
    const { twilioSid } = conversation;
    if (!greeting || twilioSid === null || conversation.state === 'closed') return;
    for await (const message of this.gateway.eachMessage(at, twilioSid)) {
      const twin = messageIdOf(message.attributes) === greeting.id && message.sid !== greeting.twilioSid;
      if (twin) await this.gateway.deleteMessage(at, twilioSid, message.sid);
    }
  }
}
