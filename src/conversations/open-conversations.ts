import { Injectable, Logger } from '@nestjs/common';
import { AppError } from '../common/errors/app-error.js';
import type { Queryable } from '../database/database.js';
import type { IdentityEntity } from '../identities/identity.entity.js';

/** Conversations that are not closed in which Twilio lets one User be (50214 beyond it). */
export const OPEN_MAX = 1000;
/** From here on the log warns: time to close what has come to its end. */
const OPEN_WARNING = 800;
/** From here on every join counts anew. */
const OPEN_NEAR = 700;
/** How long a count that is far from the limit holds, in milliseconds, and a warning. */
const COUNT_MS = 60_000;
/** Identities whose count is kept, the latest; an older one is counted again. */
const KEPT_MAX = 10_000;

/**
 * SQL: in how many open conversations an identity chats, 1,000 at most. Whoever is reached at an address does not count.
 * Each conversation is looked up by itself: as a join, the plan that a new database gets, and keeps until it is analysed,
 * would read all conversations for each person.
 */
export const openOf = (identity: string): string => `
  (select count(*)::int from (
    select from participants p
    where p.identity_id = ${identity} and p.address is null and p.state in ('pending', 'joined', 'removing')
      and (select c.state in ('provisioning', 'active', 'inactive') and c.deleted_at is null
        from conversations c where c.id = p.conversation_id)
    limit ${OPEN_MAX}) as open_ones)`;

interface Count {
  open: number;
  at: number;
  warnedAt: number;
}

/**
 * Refuses who is in too many open conversations before Twilio does. Somebody who joins often is not counted each time: what
 * a count was, with the joins since, holds for a minute, as long as it is far from the limit. Two that race for the last
 * place may both pass; Twilio then refuses one.
 */
@Injectable()
export class OpenConversations {
  private readonly logger = new Logger(OpenConversations.name);
  private readonly counts = new Map<string, Count>();

  /** Whether who is called so (by externalId or by our id) must be counted to join. */
  mustCount(serviceId: string, name: string): boolean {
    const count = this.counts.get(`${serviceId} ${name}`);
    return !count || count.open >= OPEN_NEAR || performance.now() - count.at > COUNT_MS;
  }

  /** Somebody is about to join; `open` says in how many he is, null where that was not counted. Throws when he may not. */
  join(serviceId: string, name: string, identity: IdentityEntity, open: number | null, field: string): void {
    const now = performance.now();
    const key = `${serviceId} ${name}`;
    const before = this.counts.get(key) ?? { open: 0, at: now, warnedAt: -Infinity };
    const count =
      open === null ? { ...before, open: before.open + 1 } : { ...before, open: open + 1, at: now };
    if (count.open > OPEN_WARNING && now - count.warnedAt > COUNT_MS) {
      count.warnedAt = now;
      this.logger.warn(
        `identity ${identity.id} is in ${count.open - 1} open conversations of ${OPEN_MAX} at most`,
      );
    }
    this.counts.delete(key);
    this.counts.set(key, count);
    if (this.counts.size > KEPT_MAX) this.counts.delete(this.counts.keys().next().value!);
    if (open !== null && open >= OPEN_MAX) throw tooMany(field);
  }

  /** For one who joins a conversation that stands. */
  async assertRoom(tx: Queryable, identity: IdentityEntity, field: string): Promise<void> {
    const [row] = await tx.query<{ open: number }>(
      'conversations.open-of',
      `select ${openOf('$1')} as open`,
      [identity.id],
    );
    this.join(identity.serviceId, identity.id, identity, row?.open ?? 0, field);
  }
}

function tooMany(field: string): AppError {
  const who = field === '' ? 'The identity' : `${field}: the identity`;
  return new AppError('identity_conversation_limit', {
    detail: `${who} is in ${OPEN_MAX} open conversations, as many as Twilio allows.`,
  });
}
