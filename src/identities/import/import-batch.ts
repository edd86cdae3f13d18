import { Injectable } from '@nestjs/common';
import { AppError } from '../../common/errors/app-error.js';
import { newId } from '../../common/new-id.js';
import { Database, type Queryable } from '../../database/database.js';
import { changeOf } from '../identity-change.js';
import { beingDeleted, twilioIdentityOf, type IdentityEntity } from '../identity.entity.js';
import type { ImportedIdentityDto, ImportResult } from './import.dto.js';
import { failed } from './import-lines.js';

/** In one order, so that those who write the same people at once do not wait for each other in a ring. */
const INSERT = `
  insert into identities (id, service_id, kind, external_id, display_name, twilio_identity, attributes, created_at,
    updated_at)
  select id, $1, kind, external_id, display_name, twilio_identity, attributes, $3, $3
  from json_to_recordset($2::json) as g
    (id uuid, kind text, external_id text, display_name text, twilio_identity text, attributes json)
  order by external_id
  on conflict (service_id, external_id) do nothing returning id`;

const LOCK = `
  select id, kind, external_id as "externalId", display_name as "displayName", attributes, deleting
  from identities where service_id = $1 and external_id = any($2) order by external_id for no key update`;

const UPDATE = `
  update identities i set display_name = g.display_name, attributes = g.attributes, updated_at = $2
  from json_to_recordset($1::json) as g (id uuid, display_name text, attributes json) where i.id = g.id`;

type Known = Pick<IdentityEntity, 'id' | 'kind' | 'displayName' | 'attributes' | 'deleting'> & {
  externalId: string;
};

export interface WantedLine {
  line: number;
  wanted: ImportedIdentityDto;
}

/** Writes what lines want, as many `PUT`s would. */
@Injectable()
export class ImportBatches {
  constructor(private readonly database: Database) {}

  /** One transaction for all of them. No `externalId` may stand in two of the lines. */
  write(serviceId: string, lines: readonly WantedLine[]): Promise<ImportResult[]> {
    return this.database.transaction(async (tx) => {
      const made = await insert(tx, serviceId, lines);
      const left = lines.filter(({ line }) => !made.has(line));
      const changed = left.length > 0 ? await change(tx, serviceId, left) : new Map<number, ImportResult>();
      return lines.map(
        ({ line }) => changed.get(line) ?? { line, status: 'created', id: made.get(line) ?? '' },
      );
    });
  }
}

/** The ids of those that were not known, by line. */
async function insert(
  tx: Queryable,
  serviceId: string,
  lines: readonly WantedLine[],
): Promise<Map<number, string>> {
  const fresh = lines
    .filter(({ wanted }) => wanted.kind !== undefined)
    .map(({ line, wanted }) => {
      const id = newId();
      const { kind, externalId: external_id, displayName: display_name = null, attributes } = wanted;
      const twilio_identity = twilioIdentityOf(id);
      return { line, id, kind, external_id, display_name, twilio_identity, attributes: attributes ?? {} };
    });
  if (fresh.length === 0) return new Map();
  const values = [serviceId, JSON.stringify(fresh), new Date()];
  const rows = await tx.query<{ id: string }>('identities.import-insert', INSERT, values);
  const made = new Set(rows.map(({ id }) => id));
  return new Map(fresh.filter(({ id }) => made.has(id)).map(({ line, id }) => [line, id]));
}

/** Changes those that are known, where the line says something new of them. */
async function change(
  tx: Queryable,
  serviceId: string,
  lines: readonly WantedLine[],
): Promise<Map<number, ImportResult>> {
  const ids = lines.map(({ wanted }) => wanted.externalId);
  const rows = await tx.query<Known>('identities.import-lock', LOCK, [serviceId, ids]);
  const known = new Map(rows.map((row) => [row.externalId, row]));
  const updates: object[] = [];
  const results = lines.map(({ line, wanted }): ImportResult => {
    const identity = known.get(wanted.externalId);
    if (!identity) return failed(line, notKnown(wanted));
    const { id, kind } = identity;
    if (wanted.kind !== undefined && wanted.kind !== kind) return failed(line, otherKind(kind));
    if (identity.deleting) return failed(line, beingDeleted());
    const changed = changeOf(identity, wanted);
    if (!changed) return { line, status: 'unchanged', id };
    updates.push({ id, display_name: changed.displayName, attributes: changed.attributes });
    return { line, status: 'updated', id };
  });
  if (updates.length > 0) {
    await tx.query('identities.import-update', UPDATE, [JSON.stringify(updates), new Date()]);
  }
  return new Map(results.map((result) => [result.line, result]));
}

function notKnown({ kind }: ImportedIdentityDto): AppError {
  if (kind === undefined) return AppError.invalid('kind', 'is needed: the identity is not known yet');
  // It was known when it was to be made, and is not any more: erased in between.
  return new AppError('unavailable', { detail: 'was changed by somebody else just now: send it again' });
}

function otherKind(kind: string): AppError {
  const errors = [{ field: 'kind', message: `is another: the identity is of the kind ${kind}` }];
  return new AppError('identity_kind_mismatch', { errors });
}
