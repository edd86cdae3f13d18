import type { Command } from '../common/http/command.js';
import type { Queryable } from '../database/database.js';
import type { Lease } from './lease.js';

/** What a command asks for, as it is written before anything is sent. */
export interface NewWish {
  id: string;
  serviceId: string;
  /** Name of the aggregate whose row is to be reconciled. */
  aggregate: string;
  aggregateId: string;
  kind: string;
  payload?: object;
  /** Path of the resource that the command makes or changes. */
  location: string;
}

/** The end of a wish: what every caller is sent, to the byte. */
export interface SettledWish {
  status: number;
  answer: string;
  location: string | null;
}

export interface StoredWish {
  id: string;
  aggregateId: string;
  location: string | null;
  requestHash: Buffer | null;
  settled: SettledWish | null;
  /** It was settled, and its answer is kept no longer: it held what had to be forgotten. */
  erased: boolean;
  /** Why it is not settled, when only a person can help: an error code of the catalogue. */
  trouble: string | null;
}

interface WishRow {
  id: string;
  aggregate_id: string;
  location: string | null;
  request_hash: Buffer | null;
  status: number | null;
  answer: string | null;
  trouble: string | null;
}

const COLUMNS = 'id, aggregate_id, location, request_hash, status, answer, trouble';

/**
 * For statements that name wishes by id. With `status is null` Postgres may go through the index of all that are open,
 * which it takes to be none as long as it has no figures.
 */
const IS_OPEN = 'num_nulls(status) > 0';

const INSERT = `
  insert into wishes (id, service_id, aggregate, aggregate_id, kind, payload, request_id, instance, location,
    idempotency_hash, request_hash)
  values ($1, $2, $3, $4, $5, $6::json, $7, $8, $9, $10, $11)
  on conflict (service_id, idempotency_hash) where idempotency_hash is not null do nothing
  returning id`;

function toStored(row: WishRow): StoredWish {
  return {
    id: row.id,
    aggregateId: row.aggregate_id,
    location: row.location,
    requestHash: row.request_hash,
    settled:
      row.status === null || row.answer === null
        ? null
        : { status: row.status, answer: row.answer, location: row.location },
    erased: row.status !== null && row.answer === null,
    trouble: row.trouble,
  };
}

/** Writes the wish. False when the Idempotency-Key belongs to another wish (waits for one that is being written). */
export async function insertWish(tx: Queryable, wish: NewWish, command: Command): Promise<boolean> {
  const rows = await tx.query('wishes.insert', INSERT, [
    wish.id,
    wish.serviceId,
    wish.aggregate,
    wish.aggregateId,
    wish.kind,
    JSON.stringify(wish.payload ?? {}),
    command.requestId,
    command.instance,
    wish.location,
    command.idempotencyHash,
    command.idempotencyHash && command.requestHash,
  ]);
  return rows.length > 0;
}

export async function findWishByKey(
  db: Queryable,
  serviceId: string,
  hash: Buffer,
): Promise<StoredWish | null> {
  const [row] = await db.query<WishRow>(
    'wishes.by-key',
    `select ${COLUMNS} from wishes where service_id = $1 and idempotency_hash = $2`,
    [serviceId, hash],
  );
  return row ? toStored(row) : null;
}

/** The wish of this kind that an aggregate was made or changed by last. */
export async function findWish(db: Queryable, aggregateId: string, kind: string): Promise<StoredWish | null> {
  const [row] = await db.query<WishRow>(
    'wishes.by-aggregate',
    `select ${COLUMNS} from wishes where aggregate_id = $1 and kind = $2 order by id desc limit 1`,
    [aggregateId, kind],
  );
  return row ? toStored(row) : null;
}

/** Those of the wishes that have been settled, or that are in trouble. */
export async function findAnswered(db: Queryable, ids: string[]): Promise<StoredWish[]> {
  const rows = await db.query<WishRow>(
    'wishes.answered',
    `select found.* from unnest($1::uuid[]) as given (id) cross join lateral (
      select ${COLUMNS} from wishes
      where id = given.id and (status is not null or trouble is not null) limit 1) found`,
    [ids],
  );
  return rows.map(toStored);
}

/** Asks whoever settles the wish to notify: only then, since a NOTIFY makes commits queue up behind one another. */
export async function watchWish(db: Queryable, id: string): Promise<void> {
  await db.query('wishes.watch', `update wishes set watched = true where id = $1 and ${IS_OPEN}`, [id]);
}

/**
 * Notes (or clears) why the open wishes of a row are not getting on, as long as the lease is held. Answers the wishes
 * that have got a trouble by it.
 */
export async function noteTrouble(db: Queryable, lease: Lease, trouble: string | null): Promise<string[]> {
  const { name, table } = lease.aggregate;
  const rows = await db.query<{ id: string }>(
    `wishes.trouble.${name}`,
    `with noted as (
      update wishes set trouble = $3
      where aggregate_id = $1 and status is null and trouble is distinct from $3
        and exists (select from ${table} where id = $1 and lease_token = $2)
      returning id, watched),
    notified as (select pg_notify('${WISH_CHANNEL}', id::text) from noted where watched)
    select id, (select count(*) from notified) as told from noted`,
    [lease.id, lease.token, trouble],
  );
  return trouble === null ? [] : rows.map(({ id }) => id);
}

/** Name of the channel that says which wish has been settled. */
export const WISH_CHANNEL = 'convoke_wishes';

/**
 * SQL of a step that settles wishes, for the statements of the aggregates: `ends` names a parameter with a JSON array of
 * `{id, status, answer}`, `fence` a row source of the ids of the rows whose lease is still held.
 *
 * Postgres takes any JSON array to be a hundred rows long, for which it would rather read whole tables, and a `between` to
 * leave one of them: then it looks rows up one by one, also in a database of which it has no figures. The fence is asked in
 * words that no index serves, or it might go through all wishes of a row. (Of a subquery in place of the array nothing
 * could be asked again where a row has changed meanwhile.)
 */
export const SETTLE_WISHES = (fence: string, ends: string): string => `
  wish_ends as materialized (
    select * from json_to_recordset(${ends}::json) as given (id uuid, status smallint, answer text)
    where status between 100 and 599),
  settled_wishes as (
    update wishes w set status = given.status, answer = given.answer, settled_at = now(), trouble = null
    from wish_ends given
    where w.id = given.id and ${IS_OPEN.replace('status', 'w.status')}
      and array_position(array(select id from ${fence}), w.aggregate_id) is not null
    returning w.id, w.watched),
  notified as (select pg_notify('${WISH_CHANNEL}', id::text) from settled_wishes where watched)`;

/** Ends a wish whose row was taken out of the hands of its holder. */
export async function endWish(tx: Queryable, id: string, status: number, answer: string): Promise<void> {
  await tx.query(
    'wishes.end',
    `with ended as (
      update wishes set status = $2, answer = $3, settled_at = now(), trouble = null
      where id = $1 and ${IS_OPEN} returning id, watched)
    select pg_notify('${WISH_CHANNEL}', id::text) from ended where watched`,
    [id, status, answer],
  );
}

/** Forgets what was answered about a row: its key stays taken, and a repeat is told so. */
export async function blankAnswers(tx: Queryable, aggregateId: string): Promise<void> {
  await tx.query(
    'wishes.blank',
    'update wishes set answer = null where aggregate_id = $1 and status is not null',
    [aggregateId],
  );
}

/** An open wish, for the aggregate that fulfils it. */
export interface OpenWish {
  id: string;
  kind: string;
  payload: Record<string, unknown>;
  /** Of the request that wrote it: a problem document that ends the wish names them. */
  requestId: string;
  instance: string;
}

/** The open wishes of a row, in the order in which they were accepted. */
export async function findOpenWishes(db: Queryable, aggregateId: string): Promise<OpenWish[]> {
  return db.query<OpenWish>(
    'wishes.open',
    `select id, kind, payload, request_id as "requestId", instance from wishes
    where aggregate_id = $1 and status is null order by position nulls first, id`,
    [aggregateId],
  );
}

/** Deletes what was settled before `keep` ago, a thousand at a time. Says how many went. */
export async function pruneWishes(db: Queryable, keepHours: number): Promise<number> {
  const rows = await db.query(
    'wishes.prune',
    `delete from wishes where id in (
      select id from wishes where settled_at < now() - $1 * interval '1 hour' limit 1000)
    returning id`,
    [keepHours],
  );
  return rows.length;
}
