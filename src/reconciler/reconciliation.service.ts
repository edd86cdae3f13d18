import { Injectable } from '@nestjs/common';
import type { Caller } from '../access/caller.js';
import { AppError } from '../common/errors/app-error.js';
import type { Page, PageQuery } from '../common/http/page.js';
import { isUuid } from '../common/validation/text.js';
import { Database } from '../database/database.js';
import { Reconciler } from './reconciler.js';
import type { UnsettledResponse } from './reconciliation.dto.js';

interface Row {
  resource: string;
  id: string;
  /** Microseconds since 1970, exactly as Postgres has it: a place in the order. */
  position: string;
  since: Date;
  attempts: number;
  last_error: string | null;
  due_at: Date;
  leased: boolean;
  wishes: { kind: string; since: string }[] | null;
}

const MICROSECONDS = '(extract(epoch from t.unsettled_since) * 1000000)::bigint';

/** What is behind: rows whose wishes are not fulfilled yet. */
@Injectable()
export class ReconciliationService {
  constructor(
    private readonly database: Database,
    private readonly reconciler: Reconciler,
  ) {}

  /** Oldest first, of the caller's chat service. */
  async list(caller: Caller, query: PageQuery): Promise<Page<UnsettledResponse>> {
    const [position, id] = positionOf(query.cursor);
    const rows = await this.database.query<Row>('reconciliation.list', this.statement(), [
      caller.serviceId,
      position,
      id,
      query.limit + 1,
    ]);
    const data = rows.slice(0, query.limit);
    const last = data.at(-1);
    const more = rows.length > query.limit && last;
    return { data: data.map(shown), nextCursor: more ? cursorOf(last) : null };
  }

  /** Unsettled rows are among those that are due, which are few and have an index. */
  private statement(): string {
    const parts = this.reconciler.aggregates.map(
      ({ name, table, serviceColumn }) => `
      select '${name}' as resource, t.id, ${MICROSECONDS} as position, t.unsettled_since as since, t.attempts,
        t.last_error, t.due_at, t.lease_token is not null and t.due_at > now() as leased
      from ${table} t
      where t.${serviceColumn} = $1 and t.due_at is not null and t.unsettled_since is not null
        and (${MICROSECONDS}, t.id) > ($2::bigint, $3::uuid)`,
    );
    return `
      select u.*, (select json_agg(json_build_object('kind', w.kind, 'since', w.created_at) order by w.id)
        from wishes w where w.aggregate_id = u.id and w.status is null) as wishes
      from (${parts.join(' union all ')} order by position, id limit $4) as u
      order by position, id`;
  }
}

function shown(row: Row): UnsettledResponse {
  return {
    resource: row.resource,
    id: row.id,
    since: row.since.toISOString(),
    attempts: row.attempts,
    reason: row.last_error,
    inProgress: row.leased,
    nextTryAt: row.leased ? null : row.due_at.toISOString(),
    wishes: (row.wishes ?? []).map(({ kind, since }) => ({ kind, since: new Date(since).toISOString() })),
  };
}

const cursorOf = ({ position, id }: Row): string => Buffer.from(`${position} ${id}`).toString('base64url');

function positionOf(cursor: string | undefined): [string, string] {
  if (cursor === undefined) return ['0', '00000000-0000-0000-0000-000000000000'];
  const [position = '', id = ''] = Buffer.from(cursor, 'base64url').toString().split(' ');
  if (!/^\d{1,18}$/.test(position) || !isUuid(id))
    throw AppError.invalid('cursor', 'is not a cursor of this list');
  return [position, id];
}
