import { Injectable } from '@nestjs/common';
import type { Lease } from '../reconciler/lease.js';
import type { OpenWish, SettledWish } from '../reconciler/wish-store.js';
import type { At } from '../twilio/twilio.types.js';
import type { IdentityEntity } from './identity.entity.js';

/** Name of the aggregate: what wishes of identities have in `wishes.aggregate`. */
export const IDENTITY = 'identity';

/** One try at what is open about an identity: with what right, where, and about whom. */
export interface IdentityAttempt {
  lease: Lease;
  at: At;
  /** As the row is now. */
  identity: IdentityEntity;
}

/**
 * Does what a wish asks for, from any starting point, and says how it ends; an AppError ends it as a problem. Whatever
 * else it throws, it is tried again.
 */
export type FulfilIdentityWish = (attempt: IdentityAttempt, wish: OpenWish) => Promise<SettledWish>;

/**
 * Kinds of wishes about identities that are fulfilled elsewhere: what reaches over conversations cannot be done here,
 * which knows nothing of them. Each is registered once, before the application has started.
 */
@Injectable()
export class IdentityWishesService {
  private readonly kinds = new Map<string, FulfilIdentityWish>();

  register(kind: string, fulfil: FulfilIdentityWish): void {
    this.kinds.set(kind, fulfil);
  }

  /** Throws for a kind that this release does not know: another replica is newer, and the wish is left to it. */
  find(kind: string): FulfilIdentityWish {
    const fulfil = this.kinds.get(kind);
    if (!fulfil) throw new Error(`Nobody here fulfils wishes of the kind ${kind}.`);
    return fulfil;
  }
}
