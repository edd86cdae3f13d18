import { Injectable } from '@nestjs/common';
import { And, Any, DataSource, IsNull, LessThan, MoreThanOrEqual, type FindOptionsWhere } from 'typeorm';
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

/** Participations read at once, at the most. */
const PARTICIPATIONS_MAX = 1000;

/** Ids from one on and before another. They are in the order of creation, so that a time is a bound on the id. */
interface Range {
  from: string;
  before: string;
}

/** Lists conversations, newest first; rows only, Twilio is not asked. */
@Injectable()
export class ConversationList {
  constructor(
    private readonly dataSource: DataSource,
    private readonly store: ConversationStore,
    private readonly identities: IdentitiesService,
  ) {}

  async page(caller: Caller, query: ListConversationsQuery): Promise<Page<ConversationResponse>> {
    const { serviceId } = caller;
    if (query.identityId === undefined && query.externalId === undefined)
      return this.shown(query, await this.newest(serviceId, query));
    const identityId = await this.person(serviceId, query);
    return this.shown(query, identityId === null ? [] : await this.newestOf(identityId, serviceId, query));
  }

  /** Those that an identity is in, as the filter `identityId` has it; who is not known is 404. */
  async ofIdentity(
    { serviceId }: Caller,
    path: string,
    query: ListConversationsOfIdentityQuery,
  ): Promise<Page<ConversationResponse>> {
    const { id } = await this.identities.find(serviceId, path);
    return this.shown(query, await this.newestOf(id, serviceId, query));
  }

  private async shown(
    { limit }: ListConversationsQuery,
    rows: ConversationEntity[],
  ): Promise<Page<ConversationResponse>> {
    const page = toPage(rows, limit);
    const views = await this.store.views(page.data);
    return { ...page, data: views.map((view) => ConversationResponse.from(view)) };
  }

  /** The identity that is asked for, found first: only then is it clear how many conversations it has. */
  private async person(
    serviceId: string,
    { identityId, externalId }: ListConversationsQuery,
  ): Promise<string | null> {
    const found = await this.dataSource.getRepository(IdentityEntity).findOne({
      select: { id: true },
      where: {
        serviceId,
        ...(identityId !== undefined && { id: identityId }),
        ...(externalId !== undefined && { externalId }),
      },
    });
    return found && found.id;
  }

  /** One more than the page shows. */
  private newest(serviceId: string, query: ListConversationsQuery): Promise<ConversationEntity[]> {
    const { from, before } = rangeOf(query);
    return this.dataSource.getRepository(ConversationEntity).find({
      where: { ...asked(serviceId, query), id: And(MoreThanOrEqual(from), LessThan(before)) },
      order: { id: 'DESC' },
      take: query.limit + 1,
    });
  }

  /**
   * Of somebody's conversations one more than the page shows: found by his participations, which have an index, and then
   * looked up together, which costs one way down the index and not one each. A deleted one is still found, and shown to
   * nobody: a page may take more than one round.
   */
  private async newestOf(
    identityId: string,
    serviceId: string,
    query: ListConversationsQuery,
  ): Promise<ConversationEntity[]> {
    const rows: ConversationEntity[] = [];
    const range = rangeOf(query);
    for (let count = query.limit + 1; ; count = Math.min(count * 4, PARTICIPATIONS_MAX)) {
      const { text, values } = participations(identityId, serviceId, query, range, count);
      const found: { id: string }[] = await this.dataSource.query(text, values);
      const ids = found.map(({ id }) => id);
      const last = ids.at(-1);
      if (last === undefined) return rows;
      const some = await this.dataSource
        .getRepository(ConversationEntity)
        .find({ where: { ...asked(serviceId, query), id: Any(ids) }, order: { id: 'DESC' } });
      rows.push(...some);
      if (rows.length > query.limit || ids.length < count) return rows.slice(0, query.limit + 1);
      range.before = last;
    }
  }
}

/** Only what is asked for, so that each filter finds its index. */
function asked(
  serviceId: string,
  { externalRef, state }: ListConversationsQuery,
): FindOptionsWhere<ConversationEntity> {
  return {
    serviceId,
    deletedAt: IsNull(),
    ...(externalRef !== undefined && { externalRef }),
    ...(state !== undefined && { state }),
  };
}

/**
 * The ids of the newest conversations that an identity is in. They are read in the order of the index, and no more of them
 * than are wanted: `distinct on` may not be hashed, so that Postgres need not read them all first. Conversations are
 * joined only where they are asked about: a rare one is not found by looking at each that somebody is in.
 */
function participations(
  identityId: string,
  serviceId: string,
  { externalRef, state }: ListConversationsQuery,
  { from, before }: Range,
  count: number,
): { text: string; values: unknown[] } {
  const values: unknown[] = [identityId, from, before, count];
  const conditions: string[] = [];
  const equal = (column: string, value: string): number =>
    conditions.push(`and ${column} = $${values.push(value)}`);
  if (externalRef !== undefined) equal('c.external_ref', externalRef);
  if (state !== undefined) equal('c.state', state);
  const joined = conditions.length > 0;
  if (joined) equal('c.service_id', serviceId);
  const text = `
    select distinct on (p.conversation_id) p.conversation_id as id
    from participants p ${joined ? 'join conversations c on c.id = p.conversation_id and c.deleted_at is null' : ''}
    where p.identity_id = $1 and p.state in ('pending', 'joined', 'removing')
      and p.conversation_id >= $2 and p.conversation_id < $3 ${conditions.join(' ')}
    order by p.conversation_id desc limit $4`;
  return { text, values };
}

function rangeOf(query: ListConversationsQuery): Range {
  const bounds = [cursorId(query)?.toLowerCase(), query.createdBefore && firstIdAt(query.createdBefore)];
  return {
    from: firstIdAt(query.createdAfter ?? new Date(0).toISOString()),
    before: bounds.filter((bound) => bound !== undefined).sort()[0] ?? 'ffffffff-ffff-ffff-ffff-ffffffffffff',
  };
}

/** The smallest UUID of version 7 of that millisecond. */
function firstIdAt(time: string): string {
  const ms = Math.min(Math.max(Date.parse(time), 0), 2 ** 48 - 1);
  const hex = ms.toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-0000-0000-000000000000`;
}
