import { Injectable } from '@nestjs/common';
import { AppError } from '../../common/errors/app-error.js';
import { newId } from '../../common/new-id.js';
import { Database, type Queryable } from '../../database/database.js';
import type { Lease } from '../../reconciler/lease.js';
import { NotReady } from '../../reconciler/pause.js';
import { Reconciler } from '../../reconciler/reconciler.js';
import { insertWish, type OpenWish } from '../../reconciler/wish-store.js';
import { CONVERSATION, type ConversationWishKind } from '../conversation.aggregate.js';
import { markRemoving, participantRows } from '../participants/participant-rows.js';
import {
  findLeft,
  findOpen,
  findPresent,
  findUnforgotten,
  forgetRows,
  lockForDeparture,
  tallyOf,
  type ErasedMessages,
  type LockedForDeparture,
  type Page,
  type Tally,
} from './departure-rows.js';

/** Conversations that are worked on at once for one person. */
const AT_ONCE = 10;

/** Who goes, for which wish, and with what right: the lease on the identity. */
export interface Departing {
  lease: Lease;
  serviceId: string;
  identityId: string;
  wish: OpenWish;
}

/**
 * Takes a person out of conversations: of each by a wish of its own, so that it is done in turn with everything else
 * that is wished there. Called again, it goes on with what is left.
 */
@Injectable()
export class DeparturesService {
  constructor(
    private readonly database: Database,
    private readonly reconciler: Reconciler,
  ) {}

  /**
   * Removes a person who is suspended from every open conversation, last agent or not; stops when he is reinstated.
   * Throws NotReady while he is still in one.
   */
  async leaveAll(departing: Departing): Promise<void> {
    const { identityId } = departing;
    await this.pass(
      (page) => findPresent(this.database, identityId, page),
      (tx, conversationId) => this.writeRemoval(tx, departing, conversationId),
    );
    await this.assertNoneLeft(identityId, 'present');
  }

  /**
   * Forgets an erased person in every conversation he is or was in: he leaves those that are open, and his messages and
   * what our rows hold of him go. Throws NotReady while that is not done everywhere.
   */
  async forgetAll(departing: Departing, messages: ErasedMessages): Promise<void> {
    const { identityId } = departing;
    await this.pass(
      (page) => findUnforgotten(this.database, identityId, page),
      (tx, conversationId) => this.writeForgetting(tx, departing, conversationId, messages),
    );
    await this.assertNoneLeft(identityId, 'unforgotten');
  }

  /** Throws for a person who is in an open conversation, is coming, or has not left yet. With the identity locked. */
  async assertInNone(tx: Queryable, identityId: string): Promise<void> {
    const id = await findOpen(tx, identityId);
    if (id === null) return;
    throw new AppError('identity_in_use', { detail: `The identity is in the open conversation ${id}.` });
  }

  /** What forgetAll has come to. */
  tally(tx: Queryable, identityId: string): Promise<Tally> {
    return tallyOf(tx, identityId);
  }

  /** Every conversation once, in the order of ids: what cannot be finished now is left for the next pass. */
  private async pass(
    find: (page: Page) => Promise<string[]>,
    write: (tx: Queryable, conversationId: string) => Promise<Lease | null>,
  ): Promise<void> {
    for (let after: string | null = null; ;) {
      const ids: string[] = await find({ after, limit: AT_ONCE });
      const last = ids.at(-1);
      if (last === undefined) return;
      const leases = await Promise.all(ids.map((id) => this.database.transaction((tx) => write(tx, id))));
      await Promise.all(leases.flatMap((lease) => (lease ? [this.reconciler.drive(lease)] : [])));
      after = last;
    }
  }

  private async assertNoneLeft(identityId: string, which: 'present' | 'unforgotten'): Promise<void> {
    const { left, trouble } = await findLeft(this.database, identityId, which);
    if (left) throw new NotReady('A conversation of the person', trouble);
  }

  private async writeRemoval(tx: Queryable, departing: Departing, id: string): Promise<Lease | null> {
    const { state, deleted, status } = await this.lock(tx, departing, id);
    if (deleted || state === 'closed' || state === 'failed' || status !== 'suspended') return null;
    const rows = await participantRows(tx, id);
    const present = rows.filter(
      (row) => row.identityId === departing.identityId && (row.state === 'pending' || row.state === 'joined'),
    );
    for (const { id: participantId } of present) {
      await this.insert(tx, departing, id, 'remove_participant', { participantId });
      await markRemoving(tx, participantId);
    }
    return present.length === 0 ? null : this.reconciler.takeUp(tx, CONVERSATION, id);
  }

  /** From now on nobody may act for him there, but for what was accepted before. */
  private async writeForgetting(
    tx: Queryable,
    departing: Departing,
    id: string,
    messages: ErasedMessages,
  ): Promise<Lease | null> {
    const { identityId } = departing;
    const locked = await this.lock(tx, departing, id);
    if (locked.state === 'failed' || locked.state === 'deleted') {
      // Nothing of it is at Twilio; a wish that is still open would write an answer yet.
      if (locked.wishes === 0) await forgetRows(tx, { conversationId: id, identityId, token: null });
      return null;
    }
    if (locked.deleted || locked.forgetting) return null;
    await this.insert(tx, departing, id, 'forget_person', { identityId, messages });
    if (locked.state !== 'closed') {
      for (const row of await participantRows(tx, id)) {
        const present = row.state === 'pending' || row.state === 'joined';
        if (row.identityId === identityId && present) await markRemoving(tx, row.id);
      }
    }
    return this.reconciler.takeUp(tx, CONVERSATION, id);
  }

  /** The conversation's row first, then the identity's: in the order of every other command. */
  private async lock(tx: Queryable, departing: Departing, id: string): Promise<LockedForDeparture> {
    const { lease, identityId } = departing;
    const locked = await lockForDeparture(tx, id, identityId, lease.token);
    lease.assertHeld(locked.status === null ? [] : [locked]);
    return locked;
  }

  private async insert(
    tx: Queryable,
    { serviceId, wish }: Departing,
    aggregateId: string,
    kind: ConversationWishKind,
    payload: object,
  ): Promise<void> {
    const { requestId, instance } = wish;
    await insertWish(
      tx,
      {
        id: newId(),
        serviceId,
        aggregate: CONVERSATION,
        aggregateId,
        kind,
        payload,
        location: `/v1/conversations/${aggregateId}`,
      },
      { requestId, instance, waitMs: 0, idempotencyHash: null, requestHash: Buffer.alloc(0) },
    );
  }
}
