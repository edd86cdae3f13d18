import { Injectable } from '@nestjs/common';
import { AppError } from '../common/errors/app-error.js';
import { Batcher } from '../database/batcher.js';
import { Database } from '../database/database.js';
import type { IdentityEntity } from '../identities/identity.entity.js';

/** What a token says of its person. */
export type TokenIdentity = Pick<
  IdentityEntity,
  'id' | 'externalId' | 'displayName' | 'twilioIdentity' | 'status'
>;

interface Named {
  serviceId: string;
  /** By our id, or by the caller's. */
  by: 'id' | 'external_id';
  name: string;
}

// Looked up one by one (lateral): Postgres cannot know how short the arrays are, and would read the whole table.
const findBy = (column: string, type: string): string => `
  select i.id, i.external_id as "externalId", i.display_name as "displayName",
    i.twilio_identity as "twilioIdentity", i.status
  from unnest($1::uuid[], $2::${type}[]) with ordinality as named (service_id, name, place)
  left join lateral (
    select * from identities
    where service_id = named.service_id and ${column} = named.name and deleted_at is null limit 1) i on true
  order by named.place`;

const FIND = { id: findBy('id', 'uuid'), external_id: findBy('external_id', 'text') };

/** Statements under way at once in this process, and people in each. */
const LOOKUPS_AT_ONCE = 1;
const LOOKUP_MOST = 200;

/** How a person stands in a conversation `c`; the argument is SQL for our id of the identity. */
export const standingColumns = (identity: string): string => `
  c.state as "conversationState", c.deleted_at is not null as "conversationDeleted",
  exists (select from participants p where p.conversation_id = c.id and p.identity_id = ${identity}
    and p.address is null and (p.state = 'joined' or c.state = 'failed')) as participates`;

/** All null where there is no such conversation. */
export interface Standing {
  conversationState: string | null;
  conversationDeleted: boolean | null;
  participates: boolean | null;
}

/** Throws for somebody who is not in the conversation, or no longer has it open. */
export function assertStanding(standing: Standing | undefined): void {
  if (!standing?.conversationState || standing.conversationDeleted) {
    throw new AppError('not_found', { detail: 'There is no such conversation.' });
  }
  if (!standing.participates) throw new AppError('participant_not_found');
  if (standing.conversationState === 'closed') throw new AppError('conversation_closed');
  if (standing.conversationState === 'failed') throw new AppError('conversation_failed');
}

export function assertActive({ status }: Pick<TokenIdentity, 'status'>): void {
  if (status !== 'active') {
    throw new AppError('identity_suspended', { detail: `The identity is ${status}.` });
  }
}

/** Whom a token may be minted for. */
@Injectable()
export class TokenPeople {
  /**
   * Tokens are asked for in bursts: those who come together are looked up together. None of them is looked up before it
   * has come, so that a suspension holds at once.
   */
  private readonly lookups: Batcher<Named, TokenIdentity | undefined>;

  constructor(private readonly database: Database) {
    this.lookups = new Batcher((named) => this.lookUp(named), {
      atOnce: LOOKUPS_AT_ONCE,
      most: LOOKUP_MOST,
      fits: ({ by }, batch) => batch.every((other) => other.by === by),
    });
  }

  /** An active person of the chat service, by one of the two ids. */
  async find(
    serviceId: string,
    by: { identityId?: string | undefined; externalId?: string | undefined },
  ): Promise<TokenIdentity> {
    const identity =
      by.externalId === undefined
        ? await this.lookups.add({ serviceId, by: 'id', name: by.identityId! })
        : await this.findByExternalId(serviceId, by.externalId);
    if (!identity) throw new AppError('not_found', { detail: 'There is no such identity.' });
    assertActive(identity);
    return identity;
  }

  /** Whatever the status. */
  findByExternalId(serviceId: string, externalId: string): Promise<TokenIdentity | undefined> {
    return this.lookups.add({ serviceId, by: 'external_id', name: externalId });
  }

  /** Our id of an open conversation, named by it or by its `CH…`, in which the person is. */
  async conversationOf(serviceId: string, identityId: string, conversation: string): Promise<string> {
    const bySid = conversation.startsWith('CH');
    const [row] = await this.database.query<Standing & { id: string }>(
      bySid ? 'tokens.conversation-by-sid' : 'tokens.conversation-by-id',
      `select c.id, ${standingColumns('$3')}
      from conversations c where c.service_id = $1 and ${bySid ? 'c.twilio_sid' : 'c.id'} = $2`,
      [serviceId, conversation, identityId],
    );
    assertStanding(row);
    return row!.id;
  }

  private async lookUp(named: readonly Named[]): Promise<(TokenIdentity | undefined)[]> {
    const { by } = named[0]!;
    const values = [named.map(({ serviceId }) => serviceId), named.map(({ name }) => name)];
    const rows = await this.database.query<TokenIdentity | { id: null }>(
      `tokens.identities-by-${by}`,
      FIND[by],
      values,
    );
    return rows.map((row) => (row.id === null ? undefined : row));
  }
}
