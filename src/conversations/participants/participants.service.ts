import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { Caller } from '../../access/caller.js';
import { AppError } from '../../common/errors/app-error.js';
import type { Command } from '../../common/http/command.js';
import { assertIfMatch } from '../../common/http/etag.js';
import { cursorId, toPage, type Page, type PageQuery } from '../../common/http/page.js';
import { Reply } from '../../common/http/reply.js';
import { newId } from '../../common/new-id.js';
import { Database, type Queryable } from '../../database/database.js';
import { Commands } from '../../reconciler/commands.js';
import type { OpenWish } from '../../reconciler/wish-store.js';
import { RolesService, type ResolvedRole } from '../../roles/roles.service.js';
import { assertNoneUnderWay, ConversationCommands } from '../conversation-commands.js';
import { ConversationStore } from '../conversation-store.js';
import { viewParticipants } from '../conversation-view.js';
import { endWith } from '../conversation-work.js';
import { participantOf } from '../conversation-writer.js';
import type { ConversationEntity } from '../conversation.entity.js';
import { ConversationsService } from '../conversations.service.js';
import { OpenConversations } from '../open-conversations.js';
import { resolvePeople } from '../people.js';
import { ParticipantResponse, type NewParticipantDto, type UpdateParticipantDto } from './participant.dto.js';
import { ParticipantEntity } from './participant.entity.js';
import {
  assertNotLastAgent,
  assertRoom,
  findWishTo,
  insertParticipant,
  isIn,
  markRemoving,
  namedBy,
  participantRows,
  sameAs,
  type JoinedWish,
  type ParticipantRow,
} from './participant-rows.js';

/** Thrown within the transaction: somebody else's wish makes or removes this participant just now. */
class UnderWay extends Error {
  constructor(
    readonly conversationId: string,
    readonly participantId: string,
  ) {
    super();
  }
}

@Injectable()
export class ParticipantsService {
  constructor(
    private readonly dataSource: DataSource,
    private readonly database: Database,
    private readonly conversations: ConversationsService,
    private readonly commands: Commands,
    private readonly writer: ConversationCommands,
    private readonly store: ConversationStore,
    private readonly roles: RolesService,
    private readonly openConversations: OpenConversations,
  ) {}

  /** Adds somebody; one who is in already is answered with 200. */
  async add(command: Command, caller: Caller, path: string, body: NewParticipantDto): Promise<Reply> {
    return this.commands.orReplay(command, caller.serviceId, async () => {
      const conversation = await this.conversations.find(caller.serviceId, path);
      const role = await this.resolveRole(caller, body.role);
      return this.orJoin(command, 'add', (left) => this.write(left, conversation, body, role));
    });
  }

  async list(caller: Caller, path: string, query: PageQuery): Promise<Page<ParticipantResponse>> {
    const { id } = await this.conversations.find(caller.serviceId, path);
    const after = cursorId(query);
    const rows = await this.dataSource
      .getRepository(ParticipantEntity)
      .createQueryBuilder('p')
      .where(`p.conversationId = :id and p.state <> 'removed'`, { id })
      .andWhere(after === null ? 'true' : 'p.id > :after', { after })
      .orderBy('p.id')
      .take(query.limit + 1)
      .getMany();
    const page = toPage(rows, query.limit);
    const identities = await this.store.identities(page.data);
    return {
      ...page,
      data: page.data.map((row) =>
        ParticipantResponse.from(row, identities.get(row.identityId ?? '') ?? null),
      ),
    };
  }

  async get(caller: Caller, path: string, participant: string): Promise<ParticipantResponse> {
    const conversation = await this.conversations.find(caller.serviceId, path);
    const { id } = await this.findRow(this.database, conversation.id, participant);
    return this.read(conversation.id, id);
  }

  async update(
    command: Command,
    caller: Caller,
    [path, participant]: [string, string],
    body: UpdateParticipantDto,
    ifMatch?: string,
  ): Promise<Reply> {
    const conversation = await this.conversations.find(caller.serviceId, path);
    const row = await this.findRow(this.database, conversation.id, participant);
    if (body.role === null || (body.role !== undefined && row.address !== null)) {
      throw AppError.invalid('role', row.address === null ? 'cannot be cleared' : 'an address has no role');
    }
    const role = await this.resolveRole(caller, body.role);
    const attributes = body.attributes === undefined ? undefined : (body.attributes ?? {});
    return this.writer.run(command, conversation, {
      kind: 'update_participant',
      payload: {
        participantId: row.id,
        ...(role && { role: role.name, roleSid: role.sid }),
        ...(attributes !== undefined && { attributes }),
      },
      location: locationOf(conversation.id, row.id),
      write: async (tx, _, wishId) => {
        const now = (await participantRows(tx, conversation.id)).find(({ id }) => id === row.id);
        if (!now || !isIn(now) || now.state === 'removing') throw new AppError('participant_not_found');
        const shown = await this.read(conversation.id, row.id, tx);
        assertIfMatch(ifMatch, shown);
        if (ifMatch !== undefined && ifMatch.trim() !== '*') {
          const isAboutHim = ({ payload }: OpenWish) => payload['participantId'] === row.id;
          await assertNoneUnderWay(tx, conversation.id, wishId, isAboutHim);
        }
        if (!role && attributes === undefined) return endWith(200, shown);
      },
      pending: () => this.read(conversation.id, row.id),
    });
  }

  /** Removes somebody; the last agent of an active conversation only by force. */
  async remove(
    command: Command,
    caller: Caller,
    [path, participant]: [string, string],
    force: boolean,
  ): Promise<Reply> {
    const conversation = await this.conversations.find(caller.serviceId, path);
    const row = await this.findRow(this.database, conversation.id, participant);
    const run = (left: Command) =>
      this.writer.run(left, conversation, {
        kind: 'remove_participant',
        payload: { participantId: row.id },
        location: locationOf(conversation.id, row.id),
        write: async (tx, { state }, wishId) => {
          const rows = await participantRows(tx, conversation.id, wishId);
          const now = rows.find(({ id }) => id === row.id);
          if (now?.state === 'removing') throw new UnderWay(conversation.id, row.id);
          if (!now || !isIn(now)) throw notFound();
          if (!force && state !== 'inactive') assertNotLastAgent(rows, now);
          await markRemoving(tx, row.id);
        },
        pending: () => this.read(conversation.id, row.id),
      });
    return this.orJoin(command, 'remove', run);
  }

  private write(
    command: Command,
    conversation: ConversationEntity,
    body: NewParticipantDto,
    role: ResolvedRole | undefined,
  ): Promise<Reply> {
    const id = newId();
    return this.writer.run(command, conversation, {
      kind: 'add_participant',
      payload: { participantId: id },
      location: locationOf(conversation.id, id),
      write: async (tx, _, wishId) => {
        const [identity = null] = await resolvePeople(tx, conversation.serviceId, [body], () => '');
        const rows = await participantRows(tx, conversation.id, wishId);
        const there = sameAs(rows, identity, body);
        if (there?.state === 'joined') {
          const shown = await this.read(conversation.id, there.id, tx);
          return endWith(200, shown, locationOf(conversation.id, there.id));
        }
        if (there) throw new UnderWay(conversation.id, there.id);
        assertRoom(rows, body, '');
        if (identity && body.address === undefined) await this.openConversations.assertRoom(tx, identity, '');
        const kind = identity?.kind ?? body.kind ?? 'customer';
        const where = { id: conversation.id, createdAt: new Date() };
        await insertParticipant(tx, participantOf(where, body, identity, kind, role, id));
      },
      pending: () => this.read(conversation.id, id),
    });
  }

  /**
   * Where somebody else's wish to add or remove this participant is under way, its end is waited for; what the command
   * comes to is then decided anew.
   */
  private async orJoin(command: Command, what: JoinedWish, run: (command: Command) => Promise<Reply>) {
    const until = performance.now() + command.waitMs;
    for (let waitMs = command.waitMs; ; waitMs = Math.max(0, until - performance.now())) {
      try {
        return await run({ ...command, waitMs });
      } catch (error) {
        if (!(error instanceof UnderWay)) throw error;
        const reply = await this.joinWait(error, what, waitMs);
        if (reply) return reply;
      }
    }
  }

  /** Null when it is to be decided anew. */
  private async joinWait(
    { conversationId, participantId }: UnderWay,
    what: JoinedWish,
    waitMs: number,
  ): Promise<Reply | null> {
    const wishId = await findWishTo(this.database, what, conversationId, participantId);
    const end = wishId === null ? null : await this.commands.awaitWish(wishId, waitMs);
    if (end?.status === 409 && typeof end.body === 'string' && end.body.includes('"conversation_deleted"'))
      return end;
    if (end && end.status < 400 && what === 'remove') return new Reply(204, null);
    if (end || (wishId === null && waitMs > 0)) return null;
    const location = locationOf(conversationId, participantId);
    return new Reply(202, await this.read(conversationId, participantId), { location });
  }

  private async read(
    conversationId: string,
    id: string,
    db: Queryable = this.database,
  ): Promise<ParticipantResponse> {
    const found = (await viewParticipants(db, conversationId)).find(
      ({ participant }) => participant.id === id,
    );
    if (!found) throw notFound();
    return ParticipantResponse.from(found.participant, found.identity);
  }

  private async findRow(db: Queryable, conversationId: string, path: string): Promise<ParticipantRow> {
    const row = namedBy(
      (await participantRows(db, conversationId)).filter(({ state }) => state !== 'removed'),
      path,
    );
    if (!row) throw notFound();
    return row;
  }

  private async resolveRole(
    caller: Caller,
    role: string | null | undefined,
  ): Promise<ResolvedRole | undefined> {
    if (!role) return undefined;
    return (await this.roles.resolveConversationRoles(caller.serviceId, new Map([['role', role]]))).get(
      'role',
    );
  }
}

const notFound = (): AppError => new AppError('not_found', { detail: 'There is no such participant.' });

const locationOf = (conversationId: string, id: string): string =>
  `/v1/conversations/${conversationId}/participants/${id}`;
