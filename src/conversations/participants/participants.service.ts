import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import type { Caller } from '../../access/caller.js';
import { AppError } from '../../common/errors/app-error.js';
import type { Command } from '../../common/http/command.js';
import { assertIfMatch } from '../../common/http/etag.js';
import { cursorId, toPage, type Page, type PageQuery } from '../../common/http/page.js';
import { Reply } from '../../common/http/reply.js';
import { Database, type Queryable } from '../../database/database.js';
import { Commands } from '../../reconciler/commands.js';
import { RolesService, type ResolvedRole } from '../../roles/roles.service.js';
import { ConversationCommands } from '../conversation-commands.js';
import { ConversationStore } from '../conversation-store.js';
import { endWith } from '../conversation-work.js';
import { participantOf } from '../conversation-writer.js';
import { ConversationsService } from '../conversations.service.js';
import { resolvePeople } from '../people.js';
import { ParticipantResponse, type NewParticipantDto, type UpdateParticipantDto } from './participant.dto.js';
import { ParticipantEntity } from './participant.entity.js';
import {
  insertParticipant,
  isIn,
  namedBy,
  participantRows,
  sameAs,
  type ParticipantRow,
} from './participant-rows.js';

/** Thrown within the transaction: somebody else's wish makes or removes this participant just now. */
class UnderWay extends Error {
  constructor(readonly participantId: string) {
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
  ) {}

  /** Adds somebody; one who is in already is answered with 200. */
  async add(command: Command, caller: Caller, path: string, body: NewParticipantDto): Promise<Reply> {
    const conversation = await this.conversations.find(caller.serviceId, path);
    const role = await this.resolveRole(caller, body.role);
    const id = uuidv7();
    const location = `/v1/conversations/${conversation.id}/participants/${id}`;
    try {
      return await this.writer.run(command, conversation, {
        kind: 'add_participant',
        payload: { participantId: id },
        location,
        write: async (tx) => {
          const [identity = null] = await resolvePeople(tx, caller.serviceId, [body], () => '');
          const there = sameAs(await participantRows(tx, conversation.id), identity, body);
          if (there?.state === 'joined') return endWith(200, await this.read(there.id), location);
          if (there?.state === 'pending') throw new UnderWay(there.id);
          const kind = identity?.kind ?? body.kind ?? 'customer';
          const where = { id: conversation.id, createdAt: new Date() };
          await insertParticipant(tx, participantOf(where, body, identity, kind, role, id));
        },
        pending: () => this.read(id),
      });
    } catch (error) {
      if (!(error instanceof UnderWay)) throw error;
      return this.joinWait(command, error.participantId, 200);
    }
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
    return this.read((await this.findRow(this.database, conversation.id, participant)).id);
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
      location: `/v1/conversations/${conversation.id}/participants/${row.id}`,
      write: async (tx) => {
        const now = (await participantRows(tx, conversation.id)).find(({ id }) => id === row.id);
        if (!now || !isIn(now) || now.state === 'removing') throw new AppError('participant_not_found');
        const shown = await this.read(row.id);
        assertIfMatch(ifMatch, shown);
        if (!role && attributes === undefined) return endWith(200, shown);
      },
      pending: () => this.read(row.id),
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
    try {
      return await this.writer.run(command, conversation, {
        kind: 'remove_participant',
        payload: { participantId: row.id },
        location: `/v1/conversations/${conversation.id}/participants/${row.id}`,
        write: async (tx, { state }) => {
          const rows = await participantRows(tx, conversation.id);
          const now = rows.find(({ id }) => id === row.id);
          if (now?.state === 'removing') throw new UnderWay(row.id);
          if (!now || now.state === 'removed' || now.state === 'failed') throw new AppError('not_found');
          if (!force && state !== 'inactive') assertNotLastAgent(rows, now);
          await tx.query(
            'participants.removing',
            `update participants set state = 'removing', updated_at = now() where id = $1`,
            [row.id],
          );
        },
        pending: () => this.read(row.id),
      });
    } catch (error) {
      if (!(error instanceof UnderWay)) throw error;
      return this.joinWait(command, error.participantId, 204);
    }
  }

  /** Somebody else's wish about this participant is under way: its end is waited for. */
  private async joinWait(command: Command, participantId: string, status: 200 | 204): Promise<Reply> {
    const [wish] = await this.database.query<{ id: string }>(
      'participants.wish',
      `select w.id from wishes w join participants p on p.conversation_id = w.aggregate_id
      where p.id = $1 and w.status is null
        and (w.kind = 'provision' or $2 in (w.payload ->> 'participantId', w.payload ->> 'to', w.payload ->> 'from'))
      order by w.id desc limit 1`,
      [participantId, participantId],
    );
    const end = wish && (await this.commands.awaitWish(wish.id, command.waitMs));
    if (end && end.status >= 400) return end;
    if (wish && !end) return new Reply(202, await this.read(participantId));
    return status === 204 ? new Reply(204, null) : new Reply(200, await this.read(participantId));
  }

  private async read(id: string): Promise<ParticipantResponse> {
    const row = await this.dataSource.getRepository(ParticipantEntity).findOneByOrFail({ id });
    const identities = await this.store.identities([row]);
    return ParticipantResponse.from(row, identities.get(row.identityId ?? '') ?? null);
  }

  private async findRow(db: Queryable, conversationId: string, path: string): Promise<ParticipantRow> {
    const row = namedBy(
      (await participantRows(db, conversationId)).filter(({ state }) => state !== 'removed'),
      path,
    );
    if (!row) throw new AppError('not_found', { detail: 'There is no such participant.' });
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

/** An agent may leave only while another one stays: the customer is never alone. */
export function assertNotLastAgent(rows: readonly ParticipantRow[], leaving: ParticipantRow): void {
  const others = rows.some(
    ({ id, kind, state }) =>
      id !== leaving.id && kind === 'agent' && (state === 'joined' || state === 'pending'),
  );
  if (leaving.kind === 'agent' && !others) throw new AppError('last_agent');
}
