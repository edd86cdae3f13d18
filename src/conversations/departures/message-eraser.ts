import { Injectable } from '@nestjs/common';
import { TwilioError } from '../../twilio/twilio-error.js';
import { TwilioGateway } from '../../twilio/twilio.gateway.js';
import type { At, MessageChange, MessagePage, UpstreamMessage } from '../../twilio/twilio.types.js';
import { refuse } from '../chat-calls.js';
import type { Attempt } from '../conversation-work.js';
import type { ViewedParticipant } from '../conversation.dto.js';
import {
  ERASED_AUTHOR,
  ERASED_BODY,
  RESERVED_ATTRIBUTE,
  splitAttributes,
} from '../messages/message.entity.js';
import type { ErasedMessages } from './departure-rows.js';
import { ForgettingStore } from './forgetting-store.js';

const PAGE_SIZE = 100;
/** Messages of one conversation that are changed at once: Twilio allows 30 changes a second. */
const AT_ONCE = 5;

/** Whose messages go, where, and how. */
export interface Erased {
  attempt: Attempt;
  conversationSid: string;
  identityId: string;
  messages: ErasedMessages;
  /** All that the person is or was in this conversation. */
  people: ViewedParticipant[];
}

/** Erases messages of a person in one conversation that is open, a page at a time. */
@Injectable()
export class MessageEraser {
  constructor(
    private readonly gateway: TwilioGateway,
    private readonly store: ForgettingStore,
  ) {}

  /** Until a whole pass finds none. Each is counted once, also where this is killed on the way. */
  async eraseAll(erased: Erased): Promise<void> {
    const { attempt, conversationSid, identityId, people } = erased;
    const { lease, at } = attempt;
    const { pending, refused } = await this.store.progress(lease.id, identityId);
    const staying = new Set(refused);
    const left = pending.map((sid) => this.gateway.findMessage(at, conversationSid, sid));
    await this.erase(
      erased,
      (await Promise.all(left)).filter((message) => message !== null),
      staying,
    );
    for (let more = true; more;) {
      more = false;
      for await (const page of eachPage(this.gateway, at, conversationSid)) {
        const own = page.filter((message) => isBy(people, message) && !staying.has(message.sid));
        if (own.length === 0) continue;
        more = true;
        await this.store.begin(
          lease,
          identityId,
          own.length,
          own.map(({ sid }) => sid),
        );
        await this.erase(erased, own, staying);
      }
    }
  }

  private async erase(erased: Erased, messages: UpstreamMessage[], staying: Set<string>): Promise<void> {
    const { lease } = erased.attempt;
    for (let from = 0; from < messages.length; from += AT_ONCE) {
      const some = messages.slice(from, from + AT_ONCE);
      const whole = await Promise.all(some.map((message) => this.eraseOne(erased, message)));
      for (const [index, { sid }] of some.entries()) {
        if (whole[index]) continue;
        staying.add(sid);
        await this.store.refuse(lease, erased.identityId, sid);
      }
    }
  }

  /** False when something of it stays. */
  private async eraseOne(erased: Erased, message: UpstreamMessage): Promise<boolean> {
    const { at } = erased.attempt;
    const { conversationSid, messages } = erased;
    if (messages === 'delete') {
      return this.unlessRefused(() => this.gateway.deleteMessage(at, conversationSid, message.sid));
    }
    const { mark } = splitAttributes(message.attributes);
    const attributes = JSON.stringify(mark === undefined ? {} : { [RESERVED_ATTRIBUTE]: mark });
    const change = (given: MessageChange) =>
      this.unlessRefused(() => this.gateway.updateMessage(at, conversationSid, message.sid, given));
    const emptied = { body: ERASED_BODY, attributes };
    // In group texting, Twilio takes no author who is not in the group.
    const done = (await change({ author: ERASED_AUTHOR, ...emptied })) || (await change(emptied), false);
    return done && message.media.length === 0;
  }

  /** One that is gone has been erased. */
  private async unlessRefused(send: () => Promise<unknown>): Promise<boolean> {
    try {
      await send();
    } catch (error) {
      if (!(error instanceof TwilioError)) throw error;
      if (error.kind === 'closed') refuse(error);
      if (error.kind === 'refused') return false;
      if (error.kind !== 'not_found') throw error;
    }
    return true;
  }
}

/** Whether the person is the author: by identity, by address, or as Twilio links it. */
export function isBy(
  people: readonly ViewedParticipant[],
  { author, participantSid }: UpstreamMessage,
): boolean {
  if (author === null || author === ERASED_AUTHOR) return false;
  return people.some(
    ({ participant, identity }) =>
      author === participant.address ||
      author === identity?.twilioIdentity ||
      (participantSid !== null && participantSid === participant.twilioSid),
  );
}

/** All messages of a conversation, the oldest first. */
export async function* eachPage(
  gateway: TwilioGateway,
  at: At,
  conversationSid: string,
): AsyncGenerator<UpstreamMessage[], void> {
  let from: MessagePage['next'] = null;
  do {
    const options = { order: 'asc', pageSize: PAGE_SIZE, from } as const;
    const page: MessagePage = await gateway.pageMessages(at, conversationSid, options);
    yield page.messages;
    from = page.next;
  } while (from !== null);
}
