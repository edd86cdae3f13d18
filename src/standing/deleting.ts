import { Injectable } from '@nestjs/common';
import { Database, type Queryable } from '../database/database.js';
import type { IdentityAttempt } from '../identities/identity-wishes.service.js';
import type { Lease } from '../reconciler/lease.js';
import { endWith } from '../reconciler/wish-ends.js';
import type { SettledWish } from '../reconciler/wish-store.js';
import { TwilioGateway } from '../twilio/twilio.gateway.js';

/** Sessions in the order of their ids, as wherever many of them are ended. */
const BEGIN = `
  with suspended as (
    update identities set deleting = true, status = case status when 'erased' then status else 'suspended' end,
      updated_at = now()
    where id = $1)
  update token_sessions set ended_at = now(), end_reason = 'revoked'
  where id in (
    select id from token_sessions where identity_id = $1 and ended_at is null and expires_at > now()
    order by id for no key update)`;

/**
 * Of who is mentioned by a conversation the name stays, or else what stood for it: it says there who was in. The hash is
 * that of a name which Twilio was told, so that nobody tells it. What was answered about the identity itself goes, as
 * where a conversation is deleted: a repeat would give what is gone. Without a key there is no repeat, and somebody may wait
 * for the answer yet; the receipt of an erasure names nobody. Both stay.
 */
const FINISH = `
  with kept as (
    select case when exists (select from participants where identity_id = $1) then coalesce(display_name, external_id)
      end as name
    from identities where id = $1),
  gone as (
    update identities set external_id = null, display_name = kept.name,
      shared_name_hash = hashtextextended(kept.name, 0), attributes = '{}', twilio_sid = null, service_role = null,
      deleted_at = now(), updated_at = now()
    from kept where id = $1 and lease_token = $2 returning id),
  sessions as (delete from token_sessions s using gone where s.identity_id = gone.id),
  about as materialized (
    select w.id from wishes w, gone where w.aggregate_id = gone.id
    union
    select w.id from wishes w, gone where w.aggregate = 'none' and w.location = '/v1/identities/' || gone.id),
  blanked as (
    update wishes w set answer = null from about
    where w.id = about.id and w.status is not null and w.idempotency_hash is not null and w.kind <> 'erase')
  select id from gone`;

/** Deletes people who are in no open conversation: suspended at once, then gone at Twilio, then here. */
@Injectable()
export class Deleting {
  constructor(
    private readonly database: Database,
    private readonly gateway: TwilioGateway,
  ) {}

  /**
   * From now on the person gets no token and comes into no conversation, on every replica: whoever writes him into one
   * reads his status under the lock that is held here.
   */
  async begin(tx: Queryable, identityId: string): Promise<void> {
    await tx.query('deletions.begin', BEGIN, [identityId]);
  }

  /** After that Twilio is asked once more: a call that was given up may make the User yet. */
  async delete({ lease, at, identity }: IdentityAttempt): Promise<SettledWish> {
    if (!identity.deletedAt) {
      const user = await this.gateway.findUser(at, identity.twilioIdentity);
      if (user) await this.gateway.deleteUser(at, user.sid);
      await this.finish(lease);
    }
    lease.uncertain = true;
    return endWith(204, null);
  }

  private async finish(lease: Lease): Promise<void> {
    lease.assertHeld(await this.database.query('deletions.finish', FINISH, [lease.id, lease.token]));
  }
}
