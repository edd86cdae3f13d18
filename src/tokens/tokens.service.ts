import { Injectable } from '@nestjs/common';
import type { Caller } from '../access/caller.js';
import { ChatServicesService } from '../chat-services/chat-services.service.js';
import { AppError } from '../common/errors/app-error.js';
import { Database } from '../database/database.js';
import { IdentitySummary } from '../identities/identity-summary.dto.js';
import type { IdentityEntity } from '../identities/identity.entity.js';
import { AccessTokens, type MintedToken } from '../twilio/access-tokens.js';
import type { MintTokenDto, TokenResponse } from './token.dto.js';

type TokenIdentity = Pick<IdentityEntity, 'id' | 'externalId' | 'displayName' | 'twilioIdentity' | 'status'>;

const COLUMNS = `
  select id, external_id as "externalId", display_name as "displayName", twilio_identity as "twilioIdentity", status
  from identities where service_id = $1 and `;

/** Of the token's life, so that a refresh comes in time although the client's clock is a minute off. */
const CLOCK_SKEW_MS = 60_000;

@Injectable()
export class TokensService {
  constructor(
    private readonly database: Database,
    private readonly services: ChatServicesService,
    private readonly tokens: AccessTokens,
  ) {}

  /** Mints an access token. Writes nothing. */
  async mint(caller: Caller, body: MintTokenDto): Promise<TokenResponse> {
    const serviceSid = await this.services.findTwilioSid(caller.serviceId);
    if (serviceSid === null) throw new AppError('unavailable', { headers: { 'retry-after': '1' } });
    const identity = await this.identity(caller.serviceId, body);
    if (body.conversationId !== undefined)
      await this.assertIn(caller.serviceId, identity, body.conversationId);
    const minted = this.tokens.mint({
      identity: identity.twilioIdentity,
      serviceSid,
      ttlSeconds: body.ttlSeconds,
      ...(body.pushCredentialSid !== undefined && { pushCredentialSid: body.pushCredentialSid }),
    });
    return {
      token: minted.token,
      tokenType: 'twilio-access-token',
      identity: IdentitySummary.from(identity),
      chatServiceSid: serviceSid,
      expiresAt: minted.expiresAt.toISOString(),
      refreshAfter: refreshAfter(minted).toISOString(),
      session: null,
    };
  }

  private async identity(
    serviceId: string,
    { identityId, externalId }: MintTokenDto,
  ): Promise<TokenIdentity> {
    const [identity] =
      externalId === undefined
        ? await this.database.query<TokenIdentity>('tokens.identity-by-id', `${COLUMNS} id = $2`, [
            serviceId,
            identityId,
          ])
        : await this.database.query<TokenIdentity>(
            'tokens.identity-by-external-id',
            `${COLUMNS} external_id = $2`,
            [serviceId, externalId],
          );
    if (!identity) throw new AppError('not_found', { detail: 'There is no such identity.' });
    if (identity.status !== 'active') {
      throw new AppError('identity_suspended', { detail: `The identity is ${identity.status}.` });
    }
    return identity;
  }

  /** Binds the token to work: one who is not in the conversation, or no longer has it open, gets none. */
  private async assertIn(serviceId: string, identity: TokenIdentity, conversation: string): Promise<void> {
    const bySid = conversation.startsWith('CH');
    const [row] = await this.database.query<{ state: string; participates: boolean }>(
      bySid ? 'tokens.conversation-by-sid' : 'tokens.conversation-by-id',
      `select c.state, exists (select from participants p where p.conversation_id = c.id
        and p.identity_id = $3 and p.address is null
        and (p.state in ('pending', 'joined') or c.state = 'failed')) as participates
      from conversations c
      where c.service_id = $1 and c.deleted_at is null and ${bySid ? 'c.twilio_sid' : 'c.id'} = $2`,
      [serviceId, conversation, identity.id],
    );
    if (!row) throw new AppError('not_found', { detail: 'There is no such conversation.' });
    if (!row.participates) throw new AppError('participant_not_found');
    if (row.state === 'closed') throw new AppError('conversation_closed');
    if (row.state === 'failed') throw new AppError('conversation_failed');
  }
}

/** Nine tenths of the life, but never so late that a clock a minute off would miss the end. */
function refreshAfter({ issuedAt, expiresAt }: MintedToken): Date {
  const lifeMs = expiresAt.getTime() - issuedAt.getTime();
  return new Date(issuedAt.getTime() + Math.min(lifeMs * 0.9, lifeMs - 2 * CLOCK_SKEW_MS));
}
