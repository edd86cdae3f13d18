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

const ROWS = `
  select p.id, p.identity_id as "identityId", p.kind, p.address, p.proxy_address as "proxyAddress", p.role, p.role_sid as "roleSid",
    p.state,
    p.twilio_sid as "twilioSid", i.external_id as "externalId"
  from participants p left join identities i on i.id = p.identity_id
  where p.conversation_id = $1 order by p.id`;

/** All who are or were in the conversation, in the order in which they were asked for. */
export function participantRows(tx: Queryable, conversationId: string): Promise<ParticipantRow[]> {
  return tx.query<ParticipantRow>('participants.rows', ROWS, [conversationId]);
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

/** The one who is in and is the same person, or the same address pair. */
export function sameAs(
  rows: readonly ParticipantRow[],
  identity: IdentityEntity | null,
  { address, proxyAddress }: { address?: string; proxyAddress?: string },
): ParticipantRow | undefined {
  return rows.find((row) => {
    if (!isIn(row)) return false;
    if (address !== undefined) return row.address === address && row.proxyAddress === (proxyAddress ?? null);
    return row.address === null && identity !== null && row.identityId === identity.id;
  });
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
