import type { Queryable } from '../../database/database.js';
import type { ConversationState } from '../conversation.entity.js';
import type { IdentityStatus } from '../../identities/identity.entity.js';

/** Whether messages of a person who is erased are emptied, or deleted. */
export type ErasedMessages = 'keep' | 'delete';

/** The conversation as it is while it is locked, and the person. */
export interface LockedForDeparture {
  state: ConversationState;
  /** Its deletion has been asked for. */
  deleted: boolean;
  /** How many wishes are open about it. */
  wishes: number;
  /** One of them forgets this person. */
  forgetting: boolean;
  /** Of the identity; null when its lease is another's. */
  status: IdentityStatus | null;
}

/** Ids of conversations, in their order, after this one. */
export interface Page {
  after: string | null;
  limit: number;
}

const AFTER = `($2::uuid is null or p.conversation_id > $2::uuid)`;

const OPEN = `c.state in ('provisioning', 'active', 'inactive') and c.deleted_at is null`;

const UNFORGOTTEN = `not exists (select from conversation_erasures e
  where e.identity_id = p.identity_id and e.conversation_id = p.conversation_id and e.counts is not null)`;

/** Open conversations in which the person is, or is coming. */
export async function findPresent(db: Queryable, identityId: string, page: Page): Promise<string[]> {
  const rows = await db.query<{ id: string }>(
    'departures.present',
    `select distinct p.conversation_id as id
    from participants p join conversations c on c.id = p.conversation_id
    where p.identity_id = $1 and p.state in ('pending', 'joined') and ${OPEN} and ${AFTER}
    order by p.conversation_id limit $3`,
    [identityId, page.after, page.limit],
  );
  return rows.map(({ id }) => id);
}

/** Conversations of any state in which the person is or was, and is not forgotten. */
export async function findUnforgotten(db: Queryable, identityId: string, page: Page): Promise<string[]> {
  const rows = await db.query<{ id: string }>(
    'departures.unforgotten',
    `select distinct p.conversation_id as id from participants p
    where p.identity_id = $1 and ${UNFORGOTTEN} and ${AFTER}
    order by p.conversation_id limit $3`,
    [identityId, page.after, page.limit],
  );
  return rows.map(({ id }) => id);
}

const PRESENT = `p.state in ('pending', 'joined', 'removing') and ${OPEN}`;

/** An open conversation in which the person is, is coming, or which he has not left yet; null where there is none. */
export async function findOpen(db: Queryable, identityId: string): Promise<string | null> {
  const [row] = await db.query<{ id: string }>(
    'departures.open',
    `select c.id from participants p join conversations c on c.id = p.conversation_id
    where p.identity_id = $1 and ${PRESENT} limit 1`,
    [identityId],
  );
  return row?.id ?? null;
}

const LEFT = {
  present: `${PRESENT}
    and (select status from identities where id = $1) = 'suspended'`,
  unforgotten: UNFORGOTTEN,
};

/** Whether there is anything left to do, and what keeps it from getting on: bad credentials before anything else. */
export async function findLeft(
  db: Queryable,
  identityId: string,
  which: keyof typeof LEFT,
): Promise<{ left: boolean; trouble: string | null }> {
  const [row] = await db.query<{ left: boolean; trouble: string | null }>(
    `departures.left-${which}`,
    `select count(*) > 0 as left,
      coalesce(min(c.last_error) filter (where c.last_error = 'upstream_auth_failed'), min(c.last_error)) as trouble
    from participants p join conversations c on c.id = p.conversation_id
    where p.identity_id = $1 and ${LEFT[which]}`,
    [identityId],
  );
  return row!;
}

/**
 * Locks the conversation, and then the identity against a change of its standing, for as long as its lease is held: who
 * is reinstated in this moment is not removed any more.
 */
export async function lockForDeparture(
  tx: Queryable,
  conversationId: string,
  identityId: string,
  token: string,
): Promise<LockedForDeparture> {
  const [conversation] = await tx.query<Pick<LockedForDeparture, 'state' | 'deleted'>>(
    'departures.lock-conversation',
    `select state, deleted_at is not null as deleted from conversations where id = $1 for no key update`,
    [conversationId],
  );
  const [identity] = await tx.query<{ status: IdentityStatus }>(
    'departures.lock-identity',
    'select status from identities where id = $1 and lease_token = $2 for key share',
    [identityId, token],
  );
  const [open] = await tx.query<Pick<LockedForDeparture, 'wishes' | 'forgetting'>>(
    'departures.open-wishes',
    `select count(*)::int as wishes,
      coalesce(bool_or(kind = 'forget_person' and payload ->> 'identityId' = $2), false) as forgetting
    from wishes where aggregate_id = $1 and status is null`,
    [conversationId, identityId],
  );
  const gone = { state: 'deleted' as const, deleted: true };
  return { ...(conversation ?? gone), ...open!, status: identity?.status ?? null };
}

/** In which conversation whom, and with what right: null for one that has come to its end, whose row is locked. */
export interface Forgotten {
  conversationId: string;
  identityId: string;
  token: string | null;
  /** What stays at Twilio, since a closed conversation cannot be changed. */
  kept?: { messages: number; participants: number };
  /** So many messages that were about to be erased were not. */
  undone?: number;
  /** The conversation itself has been deleted, with all that was answered about it. */
  deleted?: boolean;
}

/**
 * What is said in answers of a person has his id beside it, or is an address of his. The paths of requests are blanked
 * for all: an externalId may stand in them. Requests that have been answered are needed no more.
 */
const FORGET = `
  with fence as (
    select id from conversations where id = $1
      and (lease_token = $2 or ($2::uuid is null and state in ('failed', 'deleted')))
    for no key update),
  before as materialized (
    select p.id, p.address from participants p, fence where p.conversation_id = fence.id and p.identity_id = $3::uuid),
  people as (
    update participants p
    set address = null, projected_address = null, attributes = '{}', failure = null,
      updated_at = case when p.state = 'removed' then p.updated_at else now() end,
      state = case when c.state <> 'closed' and p.state in ('pending', 'joined', 'removing') then 'removed'
        else p.state end
    from before, conversations c where p.id = before.id and c.id = p.conversation_id
    returning p.id),
  copies as (
    update messages m set body = '', attributes = '{}', media_sid = null, failure = null, updated_at = now()
    from before, fence where m.conversation_id = fence.id and m.author_id = before.id
    returning m.id),
  holding as materialized (
    select w.id from wishes w, fence
    where w.aggregate_id = fence.id and w.status is not null and w.answer is not null and ($6
      or position($3::uuid::text in w.answer) > 0
      or exists (select from before where position(address in w.answer) > 0))),
  answered as (
    update wishes w set payload = '{}', instance = '/v1/conversations/' || fence.id,
      answer = case when w.id in (select id from holding) then null else w.answer end
    from fence where w.aggregate_id = fence.id and w.status is not null),
  open as (
    update wishes w set instance = '/v1/conversations/' || fence.id
    from fence where w.aggregate_id = fence.id and w.status is null)
  insert into conversation_erasures as e (identity_id, conversation_id, counts)
  select $3::uuid, fence.id, jsonb_build_object(
    'participants', (select count(*) from people), 'copies', (select count(*) from copies),
    'answers', (select count(*) from holding), 'keptMessages', $4::int, 'keptParticipants', $5::int,
    'conversations', 0)
  from fence
  on conflict (identity_id, conversation_id) do update
  set messages = e.messages - $7::int, pending = '{}',
    counts = excluded.counts || jsonb_build_object('conversations', (select count(*) from unnest(e.pending) as sid
      where sid like 'CH%'))
  returning conversation_id`;

/** Forgets the person in our rows of one conversation. No row: somebody else has the lease. */
export function forgetRows(db: Queryable, forgotten: Forgotten): Promise<object[]> {
  const { conversationId, identityId, token, kept, undone = 0, deleted = false } = forgotten;
  return db.query('departures.forget', FORGET, [
    conversationId,
    token,
    identityId,
    kept?.messages ?? 0,
    kept?.participants ?? 0,
    deleted,
    undone,
  ]);
}

/** Sums over all conversations of a person. */
export interface Tally {
  participants: number;
  messages: number;
  copies: number;
  answers: number;
  conversations: number;
  /** Where something of him stays at Twilio. */
  kept: { conversationId: string; messages: number; participants: number }[];
}

export async function tallyOf(tx: Queryable, identityId: string): Promise<Tally> {
  const sum = (name: string) => `coalesce(sum((counts ->> '${name}')::int), 0)::int as ${name}`;
  const [sums] = await tx.query<Omit<Tally, 'kept'>>(
    'departures.tally',
    `select ${['participants', 'copies', 'answers', 'conversations'].map(sum).join(', ')},
      coalesce(sum(messages - cardinality(refused)), 0)::int as messages
    from conversation_erasures where identity_id = $1`,
    [identityId],
  );
  const kept = await tx.query<Tally['kept'][number]>(
    'departures.kept',
    `select * from (select conversation_id as "conversationId",
        (counts ->> 'keptMessages')::int + cardinality(refused) as messages,
        (counts ->> 'keptParticipants')::int as participants
      from conversation_erasures where identity_id = $1) as k
    where messages > 0 or participants > 0 order by "conversationId"`,
    [identityId],
  );
  return { ...sums!, kept };
}
