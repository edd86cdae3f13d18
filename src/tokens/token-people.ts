import { Injectable } from '@nestjs/common';
import { AppError } from '../common/errors/app-error.js';
import { Database } from '../database/database.js';
import type { IdentityEntity } from '../identities/identity.entity.js';

/** What a token says of its person. */
export type TokenIdentity = Pick<
  IdentityEntity,
  'id' | 'externalId' | 'displayName' | 'twilioIdentity' | 'status'
>;

const COLUMNS = `
  select id, external_id as "externalId", display_name as "displayName", twilio_identity as "twilioIdentity", status
  from identities where service_id = $1 and `;

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
  constructor(private readonly database: Database) {}

  /** An active person of the chat service, by one of the two ids. */
  async find(
    serviceId: string,
    by: { identityId?: string | undefined; externalId?: string | undefined },
  ): Promise<TokenIdentity> {
    const identity =
      by.externalId === undefined
        ? await this.one('tokens.identity-by-id', `${COLUMNS} id = $2`, [serviceId, by.identityId])
        : await this.findByExternalId(serviceId, by.externalId);
    if (!identity) throw new AppError('not_found', { detail: 'There is no such identity.' });
    assertActive(identity);
    return identity;
  }

  /** Whatever the status. */
  findByExternalId(serviceId: string, externalId: string): Promise<TokenIdentity | undefined> {
    return this.one('tokens.identity-by-external-id', `${COLUMNS} external_id = $2`, [serviceId, externalId]);
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

  private async one(name: string, text: string, values: unknown[]): Promise<TokenIdentity | undefined> {
    return (await this.database.query<TokenIdentity>(name, text, values))[0];
  }
}
