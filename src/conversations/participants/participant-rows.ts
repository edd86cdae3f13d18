import { AppError } from '../../common/errors/app-error.js';
import type { Queryable } from '../../database/database.js';
import type { IdentityEntity } from '../../identities/identity.entity.js';
import type { ParticipantEntity, ParticipantState } from './participant.entity.js';

/** What a command needs to know of those who are in, or were. */
export interface ParticipantRow {
  id: string;
  identityId: string | null;
  kind: string;
  address: string | null;
  proxyAddress: string | null;
  role: string | null;
  roleSid: string | null;
  state: ParticipantState;
  twilioSid: string | null;
  externalId: string | null;
}

/** Whoever is to be removed by an open wish is leaving, whatever was recorded of him since it was written. */
const ROWS = `
  with leaving as (
    select case kind when 'transfer' then payload ->> 'from' else payload ->> 'participantId' end as id
    from wishes
    where aggregate_id = $1 and status is null and kind in ('remove_participant', 'transfer')
      and id is distinct from $2::uuid)
  select p.id, p.identity_id as "identityId", p.kind, p.address, p.proxy_address as "proxyAddress", p.role,
    p.role_sid as "roleSid", p.twilio_sid as "twilioSid", i.external_id as "externalId",
    case when p.state in ('pending', 'joined') and p.id::text in (select id from leaving) then 'removing'
      else p.state end as state
  from participants p left join identities i on i.id = p.identity_id
  where p.conversation_id = $1 order by p.id`;

/**
 * All who are or were in the conversation, in the order in which they were asked for, as they will be when everything
 * that is wished has been done: but for the wish `wishId`, which is being written.
 */
export function participantRows(
  db: Queryable,
  conversationId: string,
  wishId: string | null = null,
): Promise<ParticipantRow[]> {
  return db.query<ParticipantRow>('participants.rows', ROWS, [conversationId, wishId]);
}

const IN: readonly ParticipantState[] = ['pending', 'joined', 'removing'];

export function isIn({ state }: { state: ParticipantState }): boolean {
  return IN.includes(state);
}

/**
 * The participant that a path names: by our id, `MB…`, or the externalId of its identity, in this order. By externalId
 * the newest is meant.
 */
export function namedBy<Row extends Pick<ParticipantRow, 'id' | 'twilioSid' | 'externalId'>>(
  rows: readonly Row[],
  path: string,
): Row | undefined {
  return (
    rows.find(({ id }) => id === path.toLowerCase()) ??
    rows.find(({ twilioSid }) => twilioSid === path) ??
    rows.findLast(({ externalId }) => externalId === path)
  );
}

interface Named {
  address?: string;
  proxyAddress?: string;
}

/** The one who is in, or is coming in, and is the same person, or the same address pair. */
export function sameAs(
  rows: readonly ParticipantRow[],
  identity: IdentityEntity | null,
  named: Named,
): ParticipantRow | undefined {
  return rows.find(
    (row) => (row.state === 'pending' || row.state === 'joined') && isSame(row, identity, named),
  );
}

export function isSame(row: ParticipantRow, identity: IdentityEntity | null, named: Named): boolean {
  const { address, proxyAddress = null } = named;
  if (address !== undefined) return row.address === address && row.proxyAddress === proxyAddress;
  return row.address === null && identity !== null && row.identityId === identity.id;
}

const PARTICIPANTS_MAX = 1000;
const ADDRESSES_MAX = 50;

/** Twilio's bounds on a conversation. `prefix` is where the participant stands in the request. */
export function assertRoom(rows: readonly ParticipantRow[], { address }: Named, prefix: string): void {
  const there = rows.filter(({ state }) => state === 'pending' || state === 'joined');
  if (there.length >= PARTICIPANTS_MAX) {
    throw AppError.invalid(`${prefix}externalId`, 'the conversation has 1,000 participants already');
  }
  if (address !== undefined && there.filter((row) => row.address !== null).length >= ADDRESSES_MAX) {
    throw AppError.invalid(`${prefix}address`, `the conversation has ${ADDRESSES_MAX} addresses already`);
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

/**
 * The same where somebody who is in already takes over. A supervisor or a bot may: what may not be is that an agent leaves,
 * and nobody but customers is left. Who comes in for it is the one whom the caller has chosen, whatever his kind.
 */
export function assertTakesOver(
  rows: readonly ParticipantRow[],
  leaving: ParticipantRow,
  there: ParticipantRow,
): void {
  const others = rows.some(
    ({ id, kind, state }) =>
      id !== leaving.id && kind !== 'customer' && (state === 'joined' || state === 'pending'),
  );
  if (leaving.kind === 'agent' && there.kind === 'customer' && !others) throw new AppError('last_agent');
}

const REMOVING = `update participants set state = 'removing', updated_at = now() where id = $1`;

export async function markRemoving(tx: Queryable, id: string): Promise<void> {
  await tx.query('participants.removing', REMOVING, [id]);
}

/** What a command may find under way that it would have asked for itself. */
export type JoinedWish = 'add' | 'remove';

const WISH_TO = {
  add: `
    select id from wishes
    where aggregate_id = $1 and status is null and (kind = 'provision'
      or (kind = 'add_participant' and payload ->> 'participantId' = $2)
      or (kind = 'transfer' and payload ->> 'to' = $2))
    order by position desc nulls last limit 1`,
  remove: `
    select id from wishes
    where aggregate_id = $1 and status is null and (
      (kind = 'remove_participant' and payload ->> 'participantId' = $2)
      or (kind = 'transfer' and payload ->> 'from' = $2))
    order by position desc nulls last limit 1`,
};

/** The newest open wish that adds or removes the participant. */
export async function findWishTo(
  db: Queryable,
  what: JoinedWish,
  conversationId: string,
  participantId: string,
): Promise<string | null> {
  const values = [conversationId, participantId];
  const [wish] = await db.query<{ id: string }>(`participants.wish-to-${what}`, WISH_TO[what], values);
  return wish?.id ?? null;
}

const INSERT = `
  insert into participants (id, conversation_id, identity_id, kind, address, proxy_address, projected_address, role,
    role_sid, attributes, state, created_at, updated_at)
  values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10::json, $11, $12, $12)`;

export async function insertParticipant(tx: Queryable, row: ParticipantEntity): Promise<void> {
  await tx.query('participants.insert', INSERT, [
    row.id,
    row.conversationId,
    row.identityId,
    row.kind,
    row.address,
    row.proxyAddress,
    row.projectedAddress,
    row.role,
    row.roleSid,
    JSON.stringify(row.attributes),
    row.state,
    row.createdAt,
  ]);
}
