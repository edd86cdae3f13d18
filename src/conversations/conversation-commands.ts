import { Injectable } from '@nestjs/common';
import { AppError } from '../common/errors/app-error.js';
import type { Command } from '../common/http/command.js';
import type { Reply } from '../common/http/reply.js';
import type { Queryable } from '../database/database.js';
import { Commands } from '../reconciler/commands.js';
import { Reconciler } from '../reconciler/reconciler.js';
import { findOpenWishes, type OpenWish, type SettledWish } from '../reconciler/wish-store.js';
import { CONVERSATION, type ConversationWishKind } from './conversation.aggregate.js';
import type { ConversationEntity, ConversationState, Timers } from './conversation.entity.js';

/** The row as it is while it is locked for a command. */
export interface LockedConversation {
  id: string;
  state: ConversationState;
  twilioSid: string | null;
  timers: Timers;
}

/** One command on a conversation that stands, or that is being provisioned. */
export interface ConversationCommand {
  kind: ConversationWishKind;
  payload: object;
  /** Path of the resource that it makes or changes. */
  location: string;
  /** A closed conversation refuses the command, unless this says otherwise. */
  whenClosed?: 'refuse' | 'allow';
  /**
   * Checks and writes with the conversation's row locked, in the transaction of the wish. Answers the end at once where
   * there is nothing to do.
   */
  write?(tx: Queryable, locked: LockedConversation, wishId: string): Promise<SettledWish | void>;
  /** The resource as it is, for a 202. */
  pending(): Promise<object>;
}

/** The wish gets its place once the row is locked: whoever has the lock first was accepted first. */
const LOCK = `
  with locked as (
    select id, state, twilio_sid as "twilioSid", timers from conversations
    where id = $1 and deleted_at is null for no key update),
  placed as (
    update wishes w set position = nextval('seq_wishes_position') from locked where w.id = $2)
  select * from locked`;

/** Writes what is wished of a conversation, and waits for it. Wishes of one conversation are fulfilled in their order. */
@Injectable()
export class ConversationCommands {
  constructor(
    private readonly commands: Commands,
    private readonly reconciler: Reconciler,
  ) {}

  run(command: Command, { id, serviceId }: ConversationEntity, spec: ConversationCommand): Promise<Reply> {
    const { kind, payload, location } = spec;
    return this.commands.fulfil(command, {
      serviceId,
      aggregate: CONVERSATION,
      aggregateId: id,
      kind,
      payload,
      location,
      write: async (tx, wishId) => {
        const locked = await lock(tx, id, wishId);
        assertTakesCommands(locked, spec.whenClosed);
        const end = await spec.write?.(tx, locked, wishId);
        return end ?? this.reconciler.takeUp(tx, CONVERSATION, id);
      },
      pending: () => spec.pending(),
    });
  }
}

/** Whatever a command checks stays as it is until the command has been written. */
async function lock(tx: Queryable, id: string, wishId: string): Promise<LockedConversation> {
  const [locked] = await tx.query<LockedConversation>('conversations.lock', LOCK, [id, wishId]);
  if (!locked) throw new AppError('not_found', { detail: 'There is no such conversation.' });
  return locked;
}

/** A failed conversation takes no command but its deletion, a closed one none that changes it. */
export function assertTakesCommands(
  { state }: { state: ConversationState },
  whenClosed: 'refuse' | 'allow' = 'refuse',
): void {
  if (state === 'failed') throw new AppError('conversation_failed');
  if (state === 'closed' && whenClosed === 'refuse') throw new AppError('conversation_closed');
}

/**
 * `If-Match` is about what a resource will be: while a change of it is wished and not done, no version that could be
 * read is the one that is changed.
 */
export async function assertNoneUnderWay(
  tx: Queryable,
  conversationId: string,
  wishId: string,
  changes: (wish: OpenWish) => boolean,
): Promise<void> {
  const open = await findOpenWishes(tx, conversationId);
  if (open.some((wish) => wish.id !== wishId && changes(wish))) {
    throw new AppError('precondition_failed', { detail: 'A change that was asked for before is under way.' });
  }
}
