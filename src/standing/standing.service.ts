import { Injectable, type OnModuleInit } from '@nestjs/common';
import type { Caller } from '../access/caller.js';
import { AppError } from '../common/errors/app-error.js';
import type { Command } from '../common/http/command.js';
import type { Reply } from '../common/http/reply.js';
import { DeparturesService } from '../conversations/departures/departures.service.js';
import { Database, type Queryable } from '../database/database.js';
import { IdentitiesService } from '../identities/identities.service.js';
import { assertChangeable, type IdentityEntity, type IdentityStatus } from '../identities/identity.entity.js';
import {
  IDENTITY,
  IdentityWishesService,
  type IdentityAttempt,
} from '../identities/identity-wishes.service.js';
import type { Lease } from '../reconciler/lease.js';
import { Commands } from '../reconciler/commands.js';
import { Reconciler } from '../reconciler/reconciler.js';
import type { OpenWish, SettledWish } from '../reconciler/wish-store.js';
import { Deleting } from './deleting.js';
import { Erasing } from './erasing.js';
import { ErasureStore } from './erasure-store.js';
import type { EraseIdentityDto } from './standing.dto.js';

type Write = (tx: Queryable, identityId: string) => Promise<Lease | null | SettledWish>;

/** What changes whether a person may take part at all: at once here, and then in every conversation. */
@Injectable()
export class StandingService implements OnModuleInit {
  constructor(
    private readonly database: Database,
    private readonly commands: Commands,
    private readonly reconciler: Reconciler,
    private readonly identities: IdentitiesService,
    private readonly wishes: IdentityWishesService,
    private readonly departures: DeparturesService,
    private readonly erasures: ErasureStore,
    private readonly erasing: Erasing,
    private readonly deleting: Deleting,
  ) {}

  onModuleInit(): void {
    this.wishes.register('suspend', (attempt, wish) => this.leave(attempt, wish));
    this.wishes.register('reinstate', (attempt) => this.answer(attempt));
    this.wishes.register('erase', (attempt, wish) => this.erasing.erase(attempt, wish));
    this.wishes.register('delete', (attempt) => this.deleting.delete(attempt));
  }

  /** No tokens and no conversations from now on; he leaves those that he is in. */
  suspend(command: Command, caller: Caller, path: string): Promise<Reply> {
    return this.command('suspend', command, caller, path, (tx, id) => this.change(tx, id, 'suspended'));
  }

  /** He may take part again. Nobody adds him again by it, and a suspension that is under way ends. */
  reinstate(command: Command, caller: Caller, path: string): Promise<Reply> {
    return this.command('reinstate', command, caller, path, (tx, id) => this.change(tx, id, 'active'));
  }

  /** Who is in no open conversation goes, here and at Twilio. A repeat waits for the same deletion. */
  delete(command: Command, caller: Caller, path: string): Promise<Reply> {
    const unkeyed = { ...command, idempotencyHash: null };
    return this.command('delete', unkeyed, caller, path, async (tx, id) => {
      const { deleting } = await lock(tx, id);
      if (!deleting) {
        await this.departures.assertInNone(tx, id);
        await this.deleting.begin(tx, id);
      }
      return this.reconciler.takeUp(tx, IDENTITY, id);
    });
  }

  /**
   * Forgets who he was, everywhere. A repeat waits for the same erasure, and gets the same receipt. Of who has been
   * deleted, the conversations that he was in are still there.
   */
  erase(command: Command, caller: Caller, path: string, { messages }: EraseIdentityDto): Promise<Reply> {
    const write: Write = async (tx, id) => {
      await lock(tx, id);
      const erasure = await this.erasures.find(tx, id);
      if (erasure && erasure.receipt !== null)
        return { status: 200, answer: erasure.receipt, location: locationOf(id) };
      if (!erasure) await this.erasures.begin(tx, id, messages);
      return this.reconciler.takeUp(tx, IDENTITY, id);
    };
    return this.command('erase', command, caller, path, write, { withDeleted: true });
  }

  private command(
    kind: string,
    command: Command,
    caller: Caller,
    path: string,
    write: Write,
    seen: { withDeleted?: boolean } = {},
  ): Promise<Reply> {
    const { serviceId } = caller;
    return this.commands.orReplay(command, serviceId, async () => {
      const { id } = await this.identities.find(serviceId, path, seen);
      return this.commands.fulfil(command, {
        serviceId,
        aggregate: IDENTITY,
        aggregateId: id,
        kind,
        location: locationOf(id),
        write: (tx) => write(tx, id),
        pending: () => this.identities.show(id),
      });
    });
  }

  private async change(tx: Queryable, id: string, status: IdentityStatus): Promise<Lease | null> {
    assertChangeable(await lock(tx, id));
    await tx.query(
      'standing.change',
      'update identities set status = $2, updated_at = now() where id = $1 and status <> $2',
      [id, status],
    );
    return this.reconciler.takeUp(tx, IDENTITY, id);
  }

  private async leave(attempt: IdentityAttempt, wish: OpenWish): Promise<SettledWish> {
    const { lease, identity } = attempt;
    const { id: identityId, serviceId, status } = identity;
    if (status === 'suspended') await this.departures.leaveAll({ lease, serviceId, identityId, wish });
    return this.answer(attempt);
  }

  private async answer({ identity }: IdentityAttempt): Promise<SettledWish> {
    assertChangeable(identity);
    const shown = await this.identities.show(identity.id);
    return { status: 200, answer: JSON.stringify(shown), location: locationOf(identity.id) };
  }
}

/**
 * Waits for whoever is writing the person into a conversation just now, and lets nobody do so before this is written:
 * `src/conversations/people.ts` takes the other half of this lock.
 */
async function lock(tx: Queryable, id: string): Promise<Pick<IdentityEntity, 'status' | 'deleting'>> {
  const [row] = await tx.query<Pick<IdentityEntity, 'status' | 'deleting'>>(
    'standing.lock',
    'select status, deleting from identities where id = $1 for update',
    [id],
  );
  if (!row) throw new AppError('not_found', { detail: 'There is no such identity.' });
  return row;
}

const locationOf = (id: string): string => `/v1/identities/${id}`;
