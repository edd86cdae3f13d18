import { Injectable } from '@nestjs/common';
import type { Lease } from '../reconciler/lease.js';
import type { OpenWish, SettledWish } from '../reconciler/wish-store.js';
import type { At } from '../twilio/twilio.types.js';

/** Name of the aggregate. */
export const CHAT_SERVICE = 'chat_service';

/** What another folder does under the lease of a chat service that Twilio has. */
export interface ChatServiceWork {
  /** The kinds of wish that are its own. */
  readonly kinds: readonly string[];
  /** Does what a wish asks for, from any starting point, and answers its end. What it throws is tried again later. */
  fulfil(lease: Lease, at: At, wish: OpenWish): Promise<SettledWish>;
  /** Undoes what has landed after it was given up. */
  lookForLateLandings(lease: Lease, at: At): Promise<void>;
}

/** Who fulfils which wish of a chat service: folders to the right of this one say so at start. */
@Injectable()
export class ChatServiceWishes {
  private readonly registered: ChatServiceWork[] = [];

  register(work: ChatServiceWork): void {
    this.registered.push(work);
  }

  get works(): readonly ChatServiceWork[] {
    return this.registered;
  }

  /** Throws for a kind that this release does not know: another replica is newer, and the wish is left to it. */
  workOf(kind: string): ChatServiceWork {
    const work = this.registered.find(({ kinds }) => kinds.includes(kind));
    if (!work) throw new Error(`Nobody here fulfils wishes of the kind ${kind}.`);
    return work;
  }
}
