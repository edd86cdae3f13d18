import { Injectable } from '@nestjs/common';
import { DataSource, In } from 'typeorm';
import type { AppError } from '../common/errors/app-error.js';
import { AppConfig } from '../config/app-config.js';
import { Database } from '../database/database.js';
import { IdentityEntity } from '../identities/identity.entity.js';
import { releaseColumns } from '../reconciler/aggregate.js';
import type { Lease } from '../reconciler/lease.js';
import { Reconciler } from '../reconciler/reconciler.js';
import { findOpenWishes, SETTLE_WISH, type OpenWish, type SettledWish } from '../reconciler/wish-store.js';
import { WishWaiters } from '../reconciler/wish-waiters.js';
import type { ConversationView } from './conversation.dto.js';
import { ConversationEntity, type Failure } from './conversation.entity.js';
import { MessageEntity } from './messages/message.entity.js';
import { ParticipantEntity } from './participants/participant.entity.js';

/** What the reconciler works on: the rows of one conversation, and what is open about them. */
export interface ConversationWork {
  view: ConversationView;
  wishes: OpenWish[];
}

const SETTLE = `
  with fence as (
    update conversations
    set state = $3, twilio_sid = $4, failure = $5::jsonb, updated_at = $6, ${releaseColumns('$7', '$8', '$9')}
    where id = $1 and lease_token = $2 returning id, version),
  people as (
    update participants p
    set twilio_sid = given.twilio_sid, state = given.state, failure = given.failure, updated_at = $6
    from jsonb_to_recordset($10::jsonb) as given (id uuid, twilio_sid text, state text, failure jsonb), fence
    where p.id = given.id),
  greeting as (
    update messages m
    set twilio_sid = given.twilio_sid, state = given.state, failure = given.failure, updated_at = $6
    from jsonb_to_recordset($11::jsonb) as given (id uuid, twilio_sid text, state text, failure jsonb), fence
    where m.id = given.id),
  ${SETTLE_WISH('fence', '$12', '$13', '$14')}
  select version, (select count(*) from notified) as told from fence`;

/** The statements of the conversation aggregate: its rows read together, and each step recorded behind the fence. */
@Injectable()
export class ConversationStore {
  constructor(
    private readonly dataSource: DataSource,
    private readonly database: Database,
    private readonly reconciler: Reconciler,
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
    const identityIds = [...new Set(participants.flatMap(({ identityId }) => identityId ?? []))];
    const identities = await this.dataSource.getRepository(IdentityEntity).findBy({ id: In(identityIds) });
    const identityOf = new Map(identities.map((identity) => [identity.id, identity]));
    return conversations.map((conversation) => ({
      conversation,
      participants: participants
        .filter(({ conversationId }) => conversationId === conversation.id)
        .map((participant) => ({
          participant,
          identity: identityOf.get(participant.identityId ?? '') ?? null,
        })),
      greeting: greetings.find(({ conversationId }) => conversationId === conversation.id) ?? null,
    }));
  }

  /** Deletes up to a hundred conversations that failed long enough ago. */
  async pruneFailed(): Promise<number> {
    const rows = await this.database.query(
      'conversations.prune-failed',
      `delete from conversations where id in (
        select id from conversations
        where state = 'failed' and updated_at < now() - $1 * interval '1 day' and due_at is null limit 100)
      returning id`,
      [this.config.retention.failedKeepDays],
    );
    return rows.length;
  }

  /** Null when the row is gone. */
  async load(id: string): Promise<ConversationWork | null> {
    const conversation = await this.dataSource.getRepository(ConversationEntity).findOneBy({ id });
    if (!conversation) return null;
    const [view] = await this.views([conversation]);
    return view ? { view, wishes: await findOpenWishes(this.database, id) } : null;
  }

  /** Twilio has made it. Renews the lease. */
  async recordSid(lease: Lease, sid: string): Promise<void> {
    const askedAt = performance.now();
    const rows = await this.database.query(
      'conversations.record-sid',
      `update conversations set twilio_sid = $3, due_at = now() + $4::float8 * interval '1 millisecond'
      where id = $1 and lease_token = $2 returning id`,
      [lease.id, lease.token, sid, this.reconciler.leaseMs],
    );
    lease.assertHeld(rows);
    lease.renewed(askedAt);
  }

  /** Twilio will not have it: written before anything is taken away, so that whoever goes on takes away as well. */
  async recordFailure(lease: Lease, failure: Failure): Promise<void> {
    const rows = await this.database.query(
      'conversations.record-failure',
      `update conversations set failure = $3::jsonb where id = $1 and lease_token = $2 returning id`,
      [lease.id, lease.token, JSON.stringify(failure)],
    );
    lease.assertHeld(rows);
  }

  /** Writes the rows as the view has them, ends the wish, and gives the lease back: one statement. */
  async settle(lease: Lease, view: ConversationView, wishId: string | null, end: SettledWish): Promise<void> {
    const { conversation, participants, greeting } = view;
    const askedAt = performance.now();
    const [row] = await this.database.query<{ version: number }>('conversations.settle', SETTLE, [
      lease.id,
      lease.token,
      conversation.state,
      conversation.twilioSid,
      conversation.failure && JSON.stringify(conversation.failure),
      conversation.updatedAt,
      lease.version,
      this.reconciler.leaseMs,
      lease.lookAgainMs,
      JSON.stringify(participants.map(({ participant }) => outcomeOf(participant))),
      JSON.stringify(greeting ? [outcomeOf(greeting)] : []),
      wishId,
      end.status,
      end.answer,
    ]);
    lease.assertHeld(row ? [row] : []);
    lease.settledAt(row!.version, askedAt);
    if (wishId !== null) this.waiters.tell(wishId, end);
  }
}

function outcomeOf(row: ParticipantEntity | MessageEntity): object {
  return { id: row.id, twilio_sid: row.twilioSid, state: row.state, failure: row.failure };
}

/** A failure as rows keep it. */
export function failureOf(error: AppError): Failure {
  return { code: error.code, detail: error.message, twilio: error.options.twilio ?? null };
}
