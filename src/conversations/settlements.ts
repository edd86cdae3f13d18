import { Injectable } from '@nestjs/common';
import { Batcher } from '../database/batcher.js';
import { Database } from '../database/database.js';
import { releaseColumns } from '../reconciler/aggregate.js';
import type { Lease } from '../reconciler/lease.js';
import { Reconciler } from '../reconciler/reconciler.js';
import { SETTLE_WISHES, type OpenWish, type SettledWish } from '../reconciler/wish-store.js';
import type { ConversationWork } from './conversation-work.js';
import { MessageEntity } from './messages/message.entity.js';
import { ParticipantEntity } from './participants/participant.entity.js';
import { BATCH_ALONE_MS } from './provision-store.js';

/** The version of no row: with it, a statement that settles keeps the lease. */
const KEEP = -1;

/**
 * Rows are looked up one by one, as in `SETTLE_WISHES`. Conversations are locked in the order of their ids, as where
 * leases are renewed: neither waits for the other in a ring.
 */
export const SETTLE = `
  with given as materialized (
    select * from json_to_recordset($1::json) as g (conversation uuid, token uuid, new_state text, sid text, name text,
      new_attributes json, new_timers jsonb, new_failure jsonb, deleted timestamptz, at timestamptz, seen integer,
      look_again float8, looked boolean)
    where at between '-infinity' and 'infinity'),
  given_people as materialized (
    select * from json_to_recordset($2::json) as g (id uuid, twilio_sid text, state text, was text, failure jsonb,
      role text, role_sid text, attributes json, updated_at timestamptz)
    where updated_at between '-infinity' and 'infinity'),
  given_posts as materialized (
    select * from json_to_recordset($3::json) as g (id uuid, twilio_sid text, state text, failure jsonb,
      message_index integer, updated_at timestamptz)
    where updated_at between '-infinity' and 'infinity'),
  held as materialized (
    select c.id from (select conversation, token from given order by conversation) g cross join lateral (
      select id from conversations where id = g.conversation and lease_token = g.token for no key update) c),
  fence as (
    update conversations c
    set state = new_state, twilio_sid = sid, friendly_name = name, attributes = new_attributes, timers = new_timers,
      failure = new_failure, deleted_at = deleted, updated_at = at,
      ${releaseColumns('given.seen', '$5', 'given.look_again', 'given.looked')}
    from given
    where c.id = given.conversation and c.lease_token = given.token and c.id = any(array(select id from held))
    returning c.id, c.version, c.lease_token),
  people as (
    update participants p
    set twilio_sid = new.twilio_sid, failure = new.failure, role = new.role,
      -- A command may have asked for the removal since the row was read.
      state = case when p.state = 'removing' and new.was <> 'removing' and new.state in ('pending', 'joined')
        then p.state else new.state end,
      role_sid = new.role_sid, attributes = new.attributes, updated_at = new.updated_at
    from given_people new
    where p.id = new.id and array_position(array(select id from fence), p.conversation_id) is not null),
  posts as (
    update messages m
    set twilio_sid = new.twilio_sid, state = new.state, failure = new.failure, message_index = new.message_index,
      updated_at = new.updated_at
    from given_posts new
    where m.id = new.id and array_position(array(select id from fence), m.conversation_id) is not null),
  ${SETTLE_WISHES('fence', '$4')}
  select id, version, lease_token is null as released, (select count(*) from notified) as told from fence`;

/** What a holder of a lease writes at the end of a piece of work. */
export interface Settlement {
  lease: Lease;
  work: ConversationWork;
  ends: { wish: OpenWish; end: SettledWish }[];
  /** No wish that is known of is left: the lease is given back, unless a newer one has come. */
  last: boolean;
}

interface SettledRow {
  id: string;
  version: number;
  released: boolean;
}

/** Writes what has been brought about, behind the fence: for many conversations by one statement. */
@Injectable()
export class Settlements {
  private readonly batcher = new Batcher<Settlement, SettledRow | null>((all) => this.writeAll(all), {
    atOnce: 2,
    aloneMs: BATCH_ALONE_MS,
    most: 250,
    weigh: ({ work }) => work.changed.size + 1,
    fits: ({ lease }, batch) => batch.every((other) => other.lease.id !== lease.id),
  });

  constructor(
    private readonly database: Database,
    private readonly reconciler: Reconciler,
  ) {}

  /** Null when the lease is another's: then nothing of it has been written. */
  write(settlement: Settlement): Promise<SettledRow | null> {
    return this.batcher.add(settlement);
  }

  private async writeAll(all: readonly Settlement[]): Promise<(SettledRow | null)[]> {
    const settled = await this.database.query<SettledRow>('conversations.settle', SETTLE, [
      JSON.stringify(all.map(conversationColumns)),
      JSON.stringify(all.flatMap(({ work }) => changedPeople(work))),
      JSON.stringify(all.flatMap(({ work }) => changedMessages(work))),
      JSON.stringify(
        all.flatMap(({ ends }) =>
          ends.map(({ wish, end }) => ({ id: wish.id, status: end.status, answer: end.answer })),
        ),
      ),
      this.reconciler.leaseMs,
    ]);
    const byId = new Map(settled.map((row) => [row.id, row]));
    return all.map(({ lease }) => byId.get(lease.id) ?? null);
  }
}

function conversationColumns({ lease, work, last }: Settlement): object {
  const { conversation } = work.view;
  return {
    conversation: lease.id,
    token: lease.token,
    new_state: conversation.state,
    sid: conversation.twilioSid,
    name: conversation.friendlyName,
    new_attributes: conversation.attributes,
    new_timers: conversation.timers,
    new_failure: conversation.failure,
    deleted: conversation.deletedAt,
    at: conversation.updatedAt,
    seen: last ? lease.version : KEEP,
    look_again: lease.lookAgainMs,
    looked: lease.looked,
  };
}

function changedPeople(work: ConversationWork): object[] {
  const people = [...work.changed].filter((row) => row instanceof ParticipantEntity);
  return people.map((row) => {
    const { id, twilioSid, state, failure, role, roleSid, attributes, updatedAt } = row;
    const shown = { state, failure, role, role_sid: roleSid, attributes };
    return { id, twilio_sid: twilioSid, was: work.stateBefore(row), ...shown, updated_at: updatedAt };
  });
}

function changedMessages({ changed }: ConversationWork): object[] {
  const messages = [...changed].filter((row) => row instanceof MessageEntity);
  return messages.map(({ id, twilioSid, state, failure, index, updatedAt }) => ({
    id,
    twilio_sid: twilioSid,
    state,
    failure,
    message_index: index,
    updated_at: updatedAt,
  }));
}
