import { Injectable } from '@nestjs/common';
import { Database, type Queryable } from '../database/database.js';
import type { Lease } from '../reconciler/lease.js';
import type { ErasureReceipt } from './standing.dto.js';

/** An erasure that has been asked for. */
export interface Erasure {
  messages: 'keep' | 'delete';
  /** Twilio had a User of the person. */
  userFound: boolean;
  /** As it is answered, to the byte; null until all is done. */
  receipt: string | null;
}

const BEGIN = `
  with erased as (
    update identities set status = 'erased', external_id = null, display_name = null, attributes = '{}',
      shared_name_hash = case when deleted_at is null then shared_name_hash end, updated_at = now()
    where id = $1)
  insert into erasures (identity_id, messages) values ($1, $2)`;

/** The names of those whom answers are about stand in them; the paths of requests may hold an externalId. */
const BLANK = `
  with fence as (
    update identities set twilio_sid = null, service_role = null, updated_at = now()
    where id = $1 and lease_token = $2 returning id),
  about as materialized (
    select w.id from wishes w, fence where w.aggregate_id = fence.id
    union
    select w.id from wishes w, fence where w.aggregate = 'none' and w.location = '/v1/identities/' || fence.id),
  blanked as (
    update wishes w set instance = '/v1/identities/' || $1::uuid,
      payload = case when w.status is null then w.payload else '{}' end, answer = null
    from about where w.id = about.id
    returning w.id),
  held as (
    select count(*)::int as answers from wishes w join about on about.id = w.id where w.answer is not null)
  select fence.id, held.answers, (select count(*) from blanked) as blanked from fence, held`;

/** The statements of erasures. */
@Injectable()
export class ErasureStore {
  constructor(private readonly database: Database) {}

  /** Null when none was asked for. */
  async find(db: Queryable, identityId: string): Promise<Erasure | null> {
    const [row] = await db.query<Erasure>(
      'erasures.find',
      'select messages, user_found as "userFound", receipt from erasures where identity_id = $1',
      [identityId],
    );
    return row ?? null;
  }

  /** From now on nobody is known by the person's ids; with the identity's row locked. */
  async begin(tx: Queryable, identityId: string, messages: Erasure['messages']): Promise<void> {
    await tx.query('erasures.begin', BEGIN, [identityId, messages]);
  }

  /** Noted before the User is deleted. */
  async noteUser(lease: Lease): Promise<void> {
    const rows = await this.database.query(
      'erasures.note-user',
      `with fence as (select id from identities where id = $1 and lease_token = $2 for no key update)
      update erasures e set user_found = true from fence where e.identity_id = fence.id returning e.identity_id`,
      [lease.id, lease.token],
    );
    lease.assertHeld(rows);
  }

  /** Blanks what was answered about the identity itself, and writes the receipt, in one transaction. */
  finish(
    lease: Lease,
    receiptOf: (tx: Queryable, answers: number) => Promise<ErasureReceipt>,
  ): Promise<string> {
    return this.database.transaction(async (tx) => {
      const [blanked] = await tx.query<{ answers: number }>('erasures.blank', BLANK, [lease.id, lease.token]);
      lease.assertHeld(blanked ? [blanked] : []);
      const receipt = JSON.stringify(await receiptOf(tx, blanked!.answers));
      await tx.query(
        'erasures.finish',
        `with progress as (delete from conversation_erasures where identity_id = $1)
        update erasures set receipt = $2 where identity_id = $1`,
        [lease.id, receipt],
      );
      return receipt;
    });
  }
}
