import { Injectable } from '@nestjs/common';
import { DataSource, In } from 'typeorm';
import type { Caller } from '../access/caller.js';
import { cursorId, toPage, type Page } from '../common/http/page.js';
import { IdentitiesService } from '../identities/identities.service.js';
import { IdentityEntity } from '../identities/identity.entity.js';
import {
  ConversationResponse,
  type ListConversationsOfIdentityQuery,
  type ListConversationsQuery,
} from './conversation.dto.js';
import { ConversationEntity } from './conversation.entity.js';
import { ConversationStore } from './conversation-store.js';

/** Lists conversations, newest first; rows only, Twilio is not asked. */
@Injectable()
export class ConversationList {
  constructor(
    private readonly dataSource: DataSource,
    private readonly store: ConversationStore,
    private readonly identities: IdentitiesService,
  ) {}

  async page(caller: Caller, query: ListConversationsQuery): Promise<Page<ConversationResponse>> {
    const people = await this.people(caller.serviceId, query);
    if (people?.length === 0) return { data: [], nextCursor: null };
    const { text, values } = statement(caller.serviceId, query, people?.[0]);
    const ids: { id: string }[] = await this.dataSource.query(text, values);
    const page = toPage(ids, query.limit);
    const rows = await this.dataSource
      .getRepository(ConversationEntity)
      .findBy({ id: In(page.data.map(({ id }) => id)) });
    const byId = new Map(rows.map((row) => [row.id, row]));
    const views = await this.store.views(page.data.flatMap(({ id }) => byId.get(id) ?? []));
    return { ...page, data: views.map((view) => ConversationResponse.from(view)) };
  }

  /** Those that an identity is in, as the filter `identityId` has it; who is not known is 404. */
  async ofIdentity(
    caller: Caller,
    path: string,
    query: ListConversationsOfIdentityQuery,
  ): Promise<Page<ConversationResponse>> {
    const { id: identityId } = await this.identities.find(caller.serviceId, path);
    return this.page(caller, { ...query, identityId });
  }

  /** The identity that is asked for, found first: only then is it clear how many conversations it has. Null: anybody. */
  private async people(
    serviceId: string,
    { identityId, externalId }: ListConversationsQuery,
  ): Promise<string[] | null> {
    if (externalId === undefined) return identityId === undefined ? null : [identityId];
    const found = await this.dataSource
      .getRepository(IdentityEntity)
      .find({ select: { id: true }, where: { serviceId, externalId } });
    return found
      .map(({ id }) => id)
      .filter((id) => identityId === undefined || id === identityId.toLowerCase());
  }
}

/**
 * Only what is asked for stands in the statement, so that each filter finds its index. Ids are in the order of creation:
 * a time is a bound on the id. Somebody's conversations are read in the order of his participations, which have an index,
 * and no more of them than the page shows: `distinct on` may not be hashed, so that Postgres need not read them all first.
 */
function statement(
  serviceId: string,
  query: ListConversationsQuery,
  identityId: string | undefined,
): { text: string; values: unknown[] } {
  const values: unknown[] = [];
  const parameter = (value: unknown): string => `$${values.push(value)}`;
  const conditions = [`c.service_id = ${parameter(serviceId)}`, 'c.deleted_at is null'];
  const id = identityId === undefined ? 'c.id' : 'p.conversation_id';
  const after = cursorId(query);
  if (after !== null) conditions.push(`${id} < ${parameter(after)}`);
  if (query.externalRef !== undefined) conditions.push(`c.external_ref = ${parameter(query.externalRef)}`);
  if (query.state !== undefined) conditions.push(`c.state = ${parameter(query.state)}`);
  if (query.createdAfter !== undefined)
    conditions.push(`${id} >= ${parameter(firstIdAt(query.createdAfter))}`);
  if (query.createdBefore !== undefined)
    conditions.push(`${id} < ${parameter(firstIdAt(query.createdBefore))}`);
  let source = 'select c.id from conversations c';
  if (identityId !== undefined) {
    source = `select distinct on (p.conversation_id) c.id
      from participants p join conversations c on c.id = p.conversation_id`;
    conditions.push(
      `p.identity_id = ${parameter(identityId)}`,
      `p.state in ('pending', 'joined', 'removing')`,
    );
  }
  const text = `${source} where ${conditions.join(' and ')} order by ${id} desc limit ${parameter(query.limit + 1)}`;
  return { text, values };
}

/** The smallest UUID of version 7 of that millisecond. */
function firstIdAt(time: string): string {
  const ms = Math.min(Math.max(Date.parse(time), 0), 2 ** 48 - 1);
  const hex = ms.toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-0000-0000-000000000000`;
}
