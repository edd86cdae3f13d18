import { Injectable } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import type { Caller } from '../access/caller.js';
import { AppError } from '../common/errors/app-error.js';
import { renderProblem } from '../common/errors/problem.js';
import type { Command } from '../common/http/command.js';
import { assertIfMatch } from '../common/http/etag.js';
import { Reply } from '../common/http/reply.js';
import { Database, type Queryable } from '../database/database.js';
import { Commands } from '../reconciler/commands.js';
import { Reconciler } from '../reconciler/reconciler.js';
import type { Lease } from '../reconciler/lease.js';
import { blankAnswers, endWish, findOpenWishes, findWish } from '../reconciler/wish-store.js';
import { WishWaiters } from '../reconciler/wish-waiters.js';
import { RolesService } from '../roles/roles.service.js';
import { CONVERSATION } from './conversation.aggregate.js';
import { ConversationCommands } from './conversation-commands.js';
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
import { insertMessage } from './messages/message-rows.js';
import { assertFits } from './messages/messages.service.js';
import {
  insertParticipant,
  isIn,
  namedBy,
  participantRows,
  sameAs,
} from './participants/participant-rows.js';
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
      write: async (tx) => {
        if (ifMatch === undefined && Object.keys(payload).length > 0) return;
        const shown = await this.conversations.show(conversation.id, tx);
        assertIfMatch(ifMatch, shown);
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
    const conversation = await this.conversations.find(caller.serviceId, path);
    const message = systemMessage && messageOf(where(conversation), systemMessage);
    return this.writer.run(command, conversation, {
      kind: 'close',
      payload: message ? { messageId: message.id } : {},
      location: locationOf(conversation),
      whenClosed: 'allow',
      write: async (tx, { state }) => {
        if (state === 'closed') {
          return endWith(200, await this.conversations.show(conversation.id, tx), locationOf(conversation));
        }
        if (!message) return;
        await assertFits(tx, conversation.id, message.body, 'systemMessage.body');
        await insertMessage(tx, message);
      },
      pending: () => this.conversations.show(conversation.id),
    });
  }

  /** `to` joins, the message is sent, `from` leaves: the customer is never alone. */
  async transfer(
    command: Command,
    caller: Caller,
    path: string,
    { from, to, systemMessage }: TransferConversationDto,
  ): Promise<Reply> {
    const conversation = await this.conversations.find(caller.serviceId, path);
    const asked = to.role
      ? (await this.roles.resolveConversationRoles(caller.serviceId, new Map([['to.role', to.role]]))).get(
          'to.role',
        )
      : undefined;
    const message = systemMessage && messageOf(where(conversation), systemMessage);
    const payload: TransferWish = { from: '', to: uuidv7(), ...(message && { messageId: message.id }) };
    return this.writer.run(command, conversation, {
      kind: 'transfer',
      payload,
      location: locationOf(conversation),
      write: async (tx, _, wishId) => {
        const rows = await participantRows(tx, conversation.id);
        const leaving = namedBy(rows, from);
        if (!leaving || leaving.state === 'failed') throw new AppError('participant_not_found');
        const [identity = null] = await resolvePeople(tx, caller.serviceId, [to], () => 'to');
        const there = sameAs(rows, identity, to);
        if (there?.id === leaving.id) throw AppError.invalid('to', 'is the same as from');
        if (!isIn(leaving)) {
          if (there)
            return endWith(200, await this.conversations.show(conversation.id, tx), locationOf(conversation));
          throw new AppError('participant_not_found', { detail: `${from} has left.` });
        }
        const inherited = leaving.role === null ? undefined : { name: leaving.role, sid: leaving.roleSid };
        const kind = identity?.kind ?? to.kind ?? 'customer';
        if (!there) {
          await insertParticipant(
            tx,
            participantOf(where(conversation), to, identity, kind, asked ?? inherited, payload.to),
          );
        }
        const found: TransferWish = { ...payload, from: leaving.id, to: there?.id ?? payload.to };
        await tx.query('conversations.amend-wish', AMEND_WISH, [wishId, JSON.stringify(found)]);
        await tx.query('participants.removing', REMOVING, [leaving.id]);
        if (message) {
          await assertFits(tx, conversation.id, message.body, 'systemMessage.body');
          await insertMessage(tx, message);
        }
      },
      pending: () => this.conversations.show(conversation.id),
    });
  }

  /**
   * Removes it, at Twilio too. It does not queue: what is open about it ends, and its waiters are told. Gone for reads at
   * once; 204 when Twilio has confirmed, else 202.
   */
  async delete(command: Command, caller: Caller, path: string): Promise<Reply> {
    const conversation = await this.conversations.find(caller.serviceId, path, { withDeleted: true });
    const ended: string[] = [];
    const end = conversation.deletedAt
      ? await this.joinDeletion(command, conversation)
      : await this.commands.fulfil(command, {
          serviceId: conversation.serviceId,
          aggregate: CONVERSATION,
          aggregateId: conversation.id,
          kind: 'delete',
          location: locationOf(conversation),
          write: (tx, wishId) => this.markDeleted(tx, conversation.id, wishId, ended),
          committed: () => void this.waiters.check(ended),
          pending: () => Promise.resolve({}),
        });
    return end.status === 202 ? new Reply(202, null) : end;
  }

  /** Takes the row out of the hands of whoever works on it, and ends what is open about it. */
  private async markDeleted(tx: Queryable, id: string, wishId: string, ended: string[]): Promise<Lease> {
    const lease = await this.reconciler.seize(tx, CONVERSATION, id);
    await tx.query(
      'conversations.mark-deleted',
      'update conversations set deleted_at = now() where id = $1',
      [id],
    );
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

const REMOVING = `update participants set state = 'removing', updated_at = now() where id = $1`;

const AMEND_WISH = 'update wishes set payload = $2::json where id = $1';

const where = ({ id }: ConversationEntity) => ({ id, createdAt: new Date() });
const locationOf = ({ id }: ConversationEntity): string => `/v1/conversations/${id}`;
