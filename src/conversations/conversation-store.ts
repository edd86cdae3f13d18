import { Injectable } from '@nestjs/common';
import { DataSource, In } from 'typeorm';
import { AppConfig } from '../config/app-config.js';
import { Database } from '../database/database.js';
import { IdentityEntity } from '../identities/identity.entity.js';
import type { Lease } from '../reconciler/lease.js';
import { findOpenWishes, type OpenWish, type SettledWish } from '../reconciler/wish-store.js';
import { WishWaiters } from '../reconciler/wish-waiters.js';
import { ConversationWork } from './conversation-work.js';
import type { ConversationView } from './conversation.dto.js';
import { ConversationEntity, type Failure } from './conversation.entity.js';
import { MessageEntity } from './messages/message.entity.js';
import { ParticipantEntity } from './participants/participant.entity.js';
import { Settlements } from './settlements.js';

/** The statements of the conversation aggregate: its rows read together, and each step recorded behind the fence. */
@Injectable()
export class ConversationStore {
  constructor(
    private readonly dataSource: DataSource,
    private readonly database: Database,
    private readonly settlements: Settlements,
    private readonly waiters: WishWaiters,
    private readonly config: AppConfig,
  ) {}

  /** Views of the conversations, in the order given. */
  async views(conversations: ConversationEntity[]): Promise<ConversationView[]> {
    const ids = conversations.map(({ id }) => id);
    if (ids.length === 0) return [];
    const [participants, greetings] = await Promise.all([
      this.dataSource
        .getRepository(ParticipantEntity)
        .find({ where: { conversationId: In(ids) }, order: { id: 'ASC' } }),
      this.dataSource.getRepository(MessageEntity).findBy({ conversationId: In(ids), purpose: 'greeting' }),
    ]);
    const identityOf = await this.identities(participants);
    const peopleOf = new Map<string, ConversationView['participants'][number][]>();
    for (const participant of participants) {
      const identity = identityOf.get(participant.identityId ?? '') ?? null;
      const people = peopleOf.get(participant.conversationId) ?? [];
      peopleOf.set(participant.conversationId, [...people, { participant, identity }]);
    }
    const greetingOf = new Map(greetings.map((greeting) => [greeting.conversationId, greeting]));
    return conversations.map((conversation) => ({
      conversation,
      participants: peopleOf.get(conversation.id) ?? [],
      greeting: greetingOf.get(conversation.id) ?? null,
    }));
  }

  /** The identities that participants are linked to, by id. */
  async identities(participants: ParticipantEntity[]): Promise<Map<string, IdentityEntity>> {
    const ids = [...new Set(participants.flatMap(({ identityId }) => identityId ?? []))];
    const identities =
      ids.length === 0 ? [] : await this.dataSource.getRepository(IdentityEntity).findBy({ id: In(ids) });
    return new Map(identities.map((identity) => [identity.id, identity]));
  }

  /** Everything that is open about a conversation. Null when the row is gone. */
  async load(id: string): Promise<ConversationWork | null> {
    // The version first: whatever comes while the rest is read raises it, and is then met again.
    const [row] = await this.database.query<{ version: number; look_in_ms: number | null }>(
      'conversations.version',
      `select version, extract(epoch from verify_after - now())::float8 * 1000 as look_in_ms
      from conversations where id = $1`,
      [id],
    );
    // Then the wishes: whatever belongs to one that is seen was written with it, and is seen too.
    const wishes = await findOpenWishes(this.database, id);
    const conversation = await this.dataSource.getRepository(ConversationEntity).findOneBy({ id });
    if (!row || !conversation) return null;
    const [[view], unsent] = await Promise.all([
      this.views([conversation]),
      this.dataSource.getRepository(MessageEntity).findBy({ conversationId: id, state: 'sending' }),
    ]);
    if (!view) return null;
    const messages = unsent.map((message) => (message.id === view.greeting?.id ? view.greeting : message));
    return new ConversationWork(row.version, view, messages, wishes, row.look_in_ms);
  }

  /** The sid of each message that went out since, or within a day before, by our id. */
  async sentMessages(conversationId: string, since: Date): Promise<Map<string, string>> {
    const rows = await this.database.query<{ id: string; twilio_sid: string }>(
      'conversations.sent-messages',
      `select id, twilio_sid from messages
      where conversation_id = $1 and twilio_sid is not null and updated_at > $2::timestamptz - interval '1 day'`,
      [conversationId, since],
    );
    return new Map(rows.map((row) => [row.id, row.twilio_sid]));
  }

  /** What was asked for by wishes of this kind that were fulfilled since; the last comes last. */
  async lateChanges<Payload extends object>(
    conversationId: string,
    kind: string,
    since: Date,
  ): Promise<Payload[]> {
    const rows = await this.database.query<{ payload: Payload }>(
      'conversations.late-changes',
      `select payload from wishes
      where aggregate_id = $1 and kind = $2 and status = 200 and settled_at > $3
      order by position nulls first, id`,
      [conversationId, kind, since],
    );
    return rows.map(({ payload }) => payload);
  }

  /** Has the look for late landings made in `ms` milliseconds, whenever it was to be made. */
  async lookIn(lease: Lease, ms: number): Promise<void> {
    const rows = await this.database.query(
      'conversations.look-in',
      `update conversations set verify_after = now() + $3::float8 * interval '1 millisecond'
      where id = $1 and lease_token = $2 returning id`,
      [lease.id, lease.token, ms],
    );
    lease.assertHeld(rows);
  }

  /** Twilio will not have it: written before anything is taken away, so that whoever goes on takes away as well. */
  async recordFailure(lease: Lease, failure: Failure, participantId: string | null): Promise<void> {
    const rows = await this.database.query(
      'conversations.record-failure',
      `with fence as (
        update conversations set failure = $3::jsonb where id = $1 and lease_token = $2 returning id),
      refused as (update participants p set failure = $3::jsonb from fence where p.id = $4)
      select id from fence`,
      [lease.id, lease.token, JSON.stringify(failure), participantId],
    );
    lease.assertHeld(rows);
  }

  /**
   * Writes the rows as the work has them and ends wishes, in one statement; with the last of them the lease is given
   * back, unless a newer wish has come.
   */
  async settle(
    lease: Lease,
    work: ConversationWork,
    ends: { wish: OpenWish; end: SettledWish }[],
    { last }: { last: boolean },
  ): Promise<void> {
    const askedAt = performance.now();
    const ended = new Set(ends.map(({ wish }) => wish.id));
    work.keepLeaving(ended);
    const row = await this.settlements.write({ lease, work, ends, last });
    lease.assertHeld(row ? [row] : []);
    lease.settledAt(row!, askedAt);
    work.written(ended);
    for (const { wish, end } of ends) this.waiters.tell(wish.id, end);
  }

  /** Deletes up to a hundred conversations that failed, or were deleted, long enough ago. */
  async prune(): Promise<number> {
    const rows = await this.database.query(
      'conversations.prune',
      `delete from conversations where id in (
        select id from conversations
        where state in ('failed', 'deleted') and updated_at < now() - $1 * interval '1 day' and due_at is null
        limit 100)
      returning id`,
      [this.config.retention.failedKeepDays],
    );
    return rows.length;
  }
}
