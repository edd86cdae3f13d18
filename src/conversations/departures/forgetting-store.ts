import { Injectable } from '@nestjs/common';
import { Database } from '../../database/database.js';
import type { Lease } from '../../reconciler/lease.js';
import { forgetRows, type Forgotten } from './departure-rows.js';

/** How far the messages of a person have been erased in one conversation. */
export interface Progress {
  /** Counted, and perhaps not erased yet. */
  pending: string[];
  /** Twilio will not have them changed. */
  refused: string[];
  /** All of it has been done. */
  done: boolean;
}

const BEGIN = `
  with fence as (select id from conversations where id = $1 and lease_token = $2 for no key update)
  insert into conversation_erasures as e (identity_id, conversation_id, messages, pending)
  select $3, fence.id, $4::int, $5::text[] from fence
  on conflict (identity_id, conversation_id) do update
  set messages = e.messages + excluded.messages, pending = excluded.pending
  returning conversation_id`;

const REFUSE = `
  with fence as (select id from conversations where id = $1 and lease_token = $2 for no key update)
  update conversation_erasures e set refused = array_append(array_remove(refused, $4), $4)
  from fence where e.conversation_id = fence.id and e.identity_id = $3
  returning conversation_id`;

/** The steps of forgetting a person in one conversation, each recorded behind the fence. */
@Injectable()
export class ForgettingStore {
  constructor(private readonly database: Database) {}

  async progress(conversationId: string, identityId: string): Promise<Progress> {
    const [row] = await this.database.query<Progress>(
      'forgetting.progress',
      `select pending, refused, counts is not null as done from conversation_erasures
      where identity_id = $2 and conversation_id = $1`,
      [conversationId, identityId],
    );
    return row ?? { pending: [], refused: [], done: false };
  }

  /** Whether something that was sent for an earlier wish may take effect yet. */
  async mayLandLate(conversationId: string): Promise<boolean> {
    const rows = await this.database.query(
      'forgetting.may-land-late',
      'select from conversations where id = $1 and verify_after > now()',
      [conversationId],
    );
    return rows.length > 0;
  }

  /** Notes what is about to go at Twilio, before it goes: so many messages, by these sids (or the conversation's). */
  async begin(lease: Lease, identityId: string, messages: number, sids: string[]): Promise<void> {
    const values = [lease.id, lease.token, identityId, messages, sids];
    lease.assertHeld(await this.database.query('forgetting.begin', BEGIN, values));
  }

  /** Notes a message that stays. */
  async refuse(lease: Lease, identityId: string, sid: string): Promise<void> {
    const values = [lease.id, lease.token, identityId, sid];
    lease.assertHeld(await this.database.query('forgetting.refuse', REFUSE, values));
  }

  /** Forgets the person in our rows: all else has been done. */
  async finish(lease: Lease, forgotten: Omit<Forgotten, 'conversationId' | 'token'>): Promise<void> {
    const whole = { ...forgotten, conversationId: lease.id, token: lease.token };
    lease.assertHeld(await forgetRows(this.database, whole));
  }
}
