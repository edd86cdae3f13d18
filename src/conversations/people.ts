import { AppError } from '../common/errors/app-error.js';
import { newId } from '../common/new-id.js';
import type { Queryable } from '../database/database.js';
import { twilioIdentityOf, type IdentityEntity } from '../identities/identity.entity.js';
import type { NewParticipantDto } from './participants/participant.dto.js';

const IDENTITY_COLUMNS = `
  id, service_id as "serviceId", kind, external_id as "externalId", display_name as "displayName",
  twilio_identity as "twilioIdentity", twilio_sid as "twilioSid", service_role as "serviceRole", attributes, status,
  created_at as "createdAt", updated_at as "updatedAt"`;

/**
 * Identities that are not known yet are made; in one order, so that two calls that race do not wait for each other. Those
 * that are known are locked until their participants have been written: whoever suspends or erases somebody locks the
 * row against that, so that nobody slips in whose status was read before. It is the lock of the foreign key, taken
 * earlier: only a change of standing waits for it.
 */
const PEOPLE = `
  with given as (
    select * from json_to_recordset($2::json)
      as g (id uuid, kind text, external_id text, display_name text, twilio_identity text)),
  made as (
    insert into identities (id, service_id, kind, external_id, display_name, twilio_identity, created_at, updated_at)
    select id, $1, kind, external_id, display_name, twilio_identity, $4, $4 from given
    where kind is not null order by external_id
    on conflict (service_id, external_id) do nothing
    returning *)
  select ${IDENTITY_COLUMNS} from made
  union all
  select * from (
    select ${IDENTITY_COLUMNS} from identities
    where service_id = $1 and deleted_at is null and id = any(array(
      select i.id from given g join identities i on i.service_id = $1 and i.external_id = g.external_id) || $3::uuid[])
    for key share) as known`;

/**
 * The identity of each participant, in their order; null for an address that is nobody's. Those that are not known are
 * made. `fieldOf` names a participant in what is refused.
 */
export async function resolvePeople(
  tx: Queryable,
  serviceId: string,
  participants: readonly NewParticipantDto[],
  fieldOf: (index: number) => string,
): Promise<(IdentityEntity | null)[]> {
  const named = participants.flatMap(({ externalId, kind, displayName }) => {
    if (externalId === undefined) return [];
    const id = newId();
    const display_name = displayName ?? null;
    return [
      {
        id,
        kind: kind ?? null,
        external_id: externalId,
        display_name,
        twilio_identity: twilioIdentityOf(id),
      },
    ];
  });
  const ids = participants.flatMap(({ identityId }) => identityId ?? []);
  if (named.length + ids.length === 0) return participants.map(() => null);
  const values = [serviceId, JSON.stringify(named), ids, new Date()];
  const find = () => tx.query<IdentityEntity>('conversations.people', PEOPLE, values);
  let known = await find();
  // A racing call has made one after this statement began, or erased one in it: the next statement sees it.
  const missing = named.some(
    ({ external_id }) => !known.some(({ externalId }) => externalId === external_id),
  );
  if (missing || known.length < named.length + ids.length) known = await find();
  return participants.map((wanted, index) =>
    check(
      wanted,
      fieldOf(index),
      known.find((one) =>
        wanted.externalId === undefined
          ? one.id === wanted.identityId?.toLowerCase()
          : one.externalId === wanted.externalId,
      ),
    ),
  );
}

/**
 * The identity of each participant of a provision, where `known` says who it is; refused where somebody may not be in it.
 * Null for an address that is nobody's, and for who is not known and could be made.
 */
export function checkPeople(
  participants: readonly NewParticipantDto[],
  known: (index: number) => IdentityEntity | undefined,
): (IdentityEntity | null)[] {
  const seen = new Set<string>();
  return participants.map((wanted, index) => {
    const field = `participants.${index}`;
    const person = known(index);
    if (!person && wanted.externalId !== undefined && wanted.kind !== undefined) return null;
    const identity = check(wanted, field, person);
    // By externalId and by id at once, one person can still come twice.
    if (identity && seen.has(identity.id)) throw AppError.invalid(field, 'is the same person again');
    if (identity) seen.add(identity.id);
    return identity;
  });
}

function check(
  { externalId, identityId, kind }: NewParticipantDto,
  field: string,
  identity: IdentityEntity | undefined,
): IdentityEntity | null {
  if (externalId === undefined && identityId === undefined) return null;
  const at = (name: string): string => (field === '' ? name : `${field}.${name}`);
  if (!identity) {
    throw identityId === undefined
      ? AppError.invalid(at('kind'), 'is needed: the identity is not known yet')
      : AppError.invalid(at('identityId'), 'the chat service has no such identity');
  }
  const who = field === '' ? 'The identity' : `${field}: the identity`;
  if (kind !== undefined && kind !== identity.kind) {
    throw new AppError('identity_kind_mismatch', { detail: `${who} is of the kind ${identity.kind}.` });
  }
  if (identity.status !== 'active') {
    throw new AppError('identity_suspended', { detail: `${who} is ${identity.status}.` });
  }
  return identity;
}
