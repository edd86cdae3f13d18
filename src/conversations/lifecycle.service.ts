import { Injectable } from '@nestjs/common';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Caller } from '../access/caller.js';
import { AppError } from '../common/errors/app-error.js';
import { renderProblem } from '../common/errors/problem.js';
import type { Command } from '../common/http/command.js';
import { assertIfMatch } from '../common/http/etag.js';
import { Reply } from '../common/http/reply.js';
import { newId } from '../common/new-id.js';
import { Database, type Queryable } from '../database/database.js';
import { Commands } from '../reconciler/commands.js';
import { Reconciler } from '../reconciler/reconciler.js';
import type { Lease } from '../reconciler/lease.js';
import {
  blankAnswers,
  endWish,
  findOpenWishes,
  findWish,
  type OpenWish,
  type SettledWish,
} from '../reconciler/wish-store.js';
import { WishWaiters } from '../reconciler/wish-waiters.js';
import { RolesService, type ResolvedRole } from '../roles/roles.service.js';
import { CONVERSATION } from './conversation.aggregate.js';
import { assertNoneUnderWay, ConversationCommands } from './conversation-commands.js';
import { endWith } from './conversation-work.js';
import { messageOf, participantOf, timersOf } from './conversation-writer.js';
import type { ConversationEntity } from './conversation.entity.js';
import { ConversationsService } from './conversations.service.js';
import type {
  CloseConversationDto,
  TransferConversationDto,
  UpdateConversationDto,
} from './lifecycle.dto.js';
import type { ConversationChangeWish, TransferWish } from './lifecycle-wishes.js';
import type { MessageEntity } from './messages/message.entity.js';
import { insertMessage } from './messages/message-rows.js';
import { assertFits } from './messages/messages.service.js';
import {
  assertRoom,
  assertTakesOver,
  insertParticipant,
  isIn,
  isSame,
  markRemoving,
  namedBy,
  participantRows,
  sameAs,
} from './participants/participant-rows.js';
import { OpenConversations } from './open-conversations.js';
import { resolvePeople } from './people.js';

/** Changes of a conversation as a whole: settings, state, transfer, deletion. */
@Injectable()
export class LifecycleService {
  constructor(
    private readonly database: Database,
    private readonly conversations: ConversationsService,
    private readonly writer: ConversationCommands,
    private readonly commands: Commands,
    private readonly reconciler: Reconciler,
    private readonly waiters: WishWaiters,
    private readonly roles: RolesService,
    private readonly openConversations: OpenConversations,
  ) {}

  /** A key left out stays, `null` clears. */
  async update(
    command: Command,
    caller: Caller,
    path: string,
    body: UpdateConversationDto,
    ifMatch?: string,
  ): Promise<Reply> {
    const conversation = await this.conversations.find(caller.serviceId, path);
    const payload: ConversationChangeWish = {
      ...(body.friendlyName !== undefined && { friendlyName: body.friendlyName }),
      ...(body.attributes !== undefined && { attributes: body.attributes ?? {} }),
      ...(body.timers !== undefined && { timers: timersOf(body.timers ?? {}) }),
      ...(body.state !== undefined && { state: body.state }),
    };
    return this.writer.run(command, conversation, {
      kind: 'update',
      payload,
      location: locationOf(conversation),
      write: async (tx, _, wishId) => {
        if (ifMatch === undefined && Object.keys(payload).length > 0) return;
        const shown = await this.conversations.show(conversation.id, tx);
        assertIfMatch(ifMatch, shown);
        if (ifMatch !== undefined && ifMatch.trim() !== '*') {
          const changesIt = ({ kind }: OpenWish) => !kind.endsWith('_message');
          await assertNoneUnderWay(tx, conversation.id, wishId, changesIt);
        }
        if (Object.keys(payload).length === 0) return endWith(200, shown, locationOf(conversation));
      },
      pending: () => this.conversations.show(conversation.id),
    });
  }

  /** Closing what is closed is done already. */
  async close(
    command: Command,
    caller: Caller,
    path: string,
    { systemMessage }: CloseConversationDto,
  ): Promise<Reply> {
    return this.commands.orReplay(command, caller.serviceId, async () => {
      const conversation = await this.conversations.find(caller.serviceId, path);
      const message = systemMessage && messageOf(where(conversation), systemMessage);
      return this.writer.run(command, conversation, {
        kind: 'close',
        payload: message ? { messageId: message.id } : {},
        location: locationOf(conversation),
        whenClosed: 'allow',
        write: async (tx, { state }) => {
          if (state === 'closed') return this.asItIs(tx, conversation);
          if (message) await writeLastWord(tx, message);
        },
        pending: () => this.conversations.show(conversation.id),
      });
    });
  }

  /** Has what is left to do about it tried now, not when its next try would be; 202 when that is not enough. */
  async reconcile(command: Command, caller: Caller, path: string): Promise<Reply> {
    const { id } = await this.conversations.find(caller.serviceId, path);
    const tried = this.reconciler.reconcileNow(CONVERSATION, id);
    const open = (await findOpenWishes(this.database, id)).at(-1);
    if (open) await this.commands.awaitWish(open.id, command.waitMs);
    else await Promise.race([tried, sleep(command.waitMs)]);
    const settled = await this.database.query(
      'conversations.is-settled',
      'select from conversations where id = $1 and unsettled_since is null',
      [id],
    );
    return new Reply(settled.length > 0 ? 200 : 202, await this.conversations.show(id), {
      location: `/v1/conversations/${id}`,
    });
  }

  /** `to` joins, the message is sent, `from` leaves: the customer is never alone. */
  async transfer(
    command: Command,
    caller: Caller,
    path: string,
    body: TransferConversationDto,
  ): Promise<Reply> {
    return this.commands.orReplay(command, caller.serviceId, async () => {
      const conversation = await this.conversations.find(caller.serviceId, path);
      const { role } = body.to;
      const names = new Map(role ? [['to.role', role]] : []);
      const roles = await this.roles.resolveConversationRoles(caller.serviceId, names);
      return this.writer.run(command, conversation, {
        kind: 'transfer',
        payload: {},
        location: locationOf(conversation),
        write: (tx, { state }, wishId) =>
          this.writeTransfer(tx, conversation, state, wishId, body, roles.get('to.role')),
        pending: () => this.conversations.show(conversation.id),
      });
    });
  }

  private async writeTransfer(
    tx: Queryable,
    conversation: ConversationEntity,
    state: string,
    wishId: string,
    { from, to, systemMessage }: TransferConversationDto,
    asked: ResolvedRole | undefined,
  ): Promise<SettledWish | void> {
    const rows = await participantRows(tx, conversation.id, wishId);
    const leaving = namedBy(rows, from);
    if (!leaving || leaving.state === 'failed') throw new AppError('participant_not_found');
    const [identity = null] = await resolvePeople(tx, conversation.serviceId, [to], () => 'to');
    if (isSame(leaving, identity, to)) throw AppError.invalid('to', 'is the same as from');
    const there = sameAs(rows, identity, to);
    if (!isIn(leaving)) {
      if (there) return this.asItIs(tx, conversation);
      throw new AppError('participant_not_found', { detail: `${from} has left.` });
    }
    if (there && state !== 'inactive') assertTakesOver(rows, leaving, there);
    const wish: TransferWish = { from: leaving.id, to: there?.id ?? newId() };
    if (!there) {
      assertRoom(rows, to, 'to.');
      if (identity && to.address === undefined) await this.openConversations.assertRoom(tx, identity, 'to');
      const inherited = leaving.role === null ? undefined : { name: leaving.role, sid: leaving.roleSid };
      const kind = identity?.kind ?? to.kind ?? 'customer';
      const row = participantOf(where(conversation), to, identity, kind, asked ?? inherited, wish.to);
      await insertParticipant(tx, row);
    }
    const message = systemMessage && messageOf(where(conversation), systemMessage);
    if (message) {
      await writeLastWord(tx, message);
      wish.messageId = message.id;
    }
    await markRemoving(tx, leaving.id);
    await tx.query('conversations.amend-wish', AMEND_WISH, [wishId, JSON.stringify(wish)]);
  }

  private async asItIs(tx: Queryable, conversation: ConversationEntity): Promise<SettledWish> {
    return endWith(200, await this.conversations.show(conversation.id, tx), locationOf(conversation));
  }

  /**
   * Removes it, at Twilio too. It does not queue: what is open about it ends, and its waiters are told. Gone for reads at
   * once; 204 when Twilio has confirmed, else 202.
   */
  async delete(command: Command, caller: Caller, path: string): Promise<Reply> {
    const conversation = await this.conversations.find(caller.serviceId, path, { withDeleted: true });
    const ended: string[] = [];
    const run = () =>
      this.commands.fulfil(command, {
        serviceId: conversation.serviceId,
        aggregate: CONVERSATION,
        aggregateId: conversation.id,
        kind: 'delete',
        location: locationOf(conversation),
        write: (tx, wishId) => this.markDeleted(tx, conversation.id, wishId, ended),
        committed: () => void this.waiters.check(ended),
        pending: () => Promise.resolve({}),
      });
    const end = await run().catch((error: unknown) => {
      if (error instanceof BeingDeleted) return this.joinDeletion(command, conversation);
      throw error;
    });
    return end.status === 202 ? new Reply(202, null) : end;
  }

  /** Takes the row out of the hands of whoever works on it, and ends what is open about it. */
  private async markDeleted(tx: Queryable, id: string, wishId: string, ended: string[]): Promise<Lease> {
    const marked = await tx.query('conversations.mark-deleted', MARK_DELETED, [id]);
    if (marked.length === 0) throw new BeingDeleted();
    const lease = await this.reconciler.seize(tx, CONVERSATION, id);
    await blankAnswers(tx, id);
    const error = new AppError('conversation_deleted', { detail: 'It has been deleted.' });
    for (const wish of await findOpenWishes(tx, id)) {
      if (wish.id === wishId) continue;
      const problem = renderProblem(error, wish);
      await endWish(tx, wish.id, problem.status, JSON.stringify(problem));
      ended.push(wish.id);
    }
    return lease;
  }

  private async joinDeletion(command: Command, { id }: ConversationEntity): Promise<Reply> {
    const wish = await findWish(this.database, id, 'delete');
    if (!wish || wish.settled) throw new AppError('not_found', { detail: 'There is no such conversation.' });
    return (await this.commands.awaitWish(wish.id, command.waitMs)) ?? new Reply(202, null);
  }
}

/** Thrown within the transaction: another call has asked for the deletion before. */
class BeingDeleted extends Error {}

const MARK_DELETED = `
  update conversations set deleted_at = now() where id = $1 and deleted_at is null returning id`;

const AMEND_WISH = 'update wishes set payload = $2::json where id = $1';

/** A message that a command says by itself. */
async function writeLastWord(tx: Queryable, message: MessageEntity): Promise<void> {
  await assertFits(tx, message.conversationId, message.body, 'systemMessage.body');
  await insertMessage(tx, message);
}

const where = ({ id }: ConversationEntity) => ({ id, createdAt: new Date() });
const locationOf = ({ id }: ConversationEntity): string => `/v1/conversations/${id}`;
