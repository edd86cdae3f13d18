import { Injectable } from '@nestjs/common';
import { IdentitySummary } from '../identities/identity-summary.dto.js';
import { AccessTokens, TOKEN_TTL_SECONDS, type MintedToken } from '../twilio/access-tokens.js';
import type { OpenedSession } from './sessions/session-store.js';
import type { TokenResponse } from './token.dto.js';
import type { TokenIdentity } from './token-people.js';

/** A clock that is off by this much, either way, must not matter. In milliseconds. */
const CLOCK_SKEW_MS = 60_000;

export interface TokenOrder {
  identity: TokenIdentity;
  /** `IS…` */
  serviceSid: string;
  /** Life of the access token in seconds, 180 to 86,400. */
  ttlSeconds: number;
  pushCredentialSid?: string | null | undefined;
  session?: OpenedSession | null;
}

/** Signs the access token and makes the answer, alike for minting, refreshing and exchanging. */
@Injectable()
export class TokenIssuer {
  constructor(private readonly tokens: AccessTokens) {}

  /**
   * Within a session the token ends with it, but for the last three minutes: Twilio refuses shorter lives, so there it
   * outlives the session by less than that.
   */
  issue({ identity, serviceSid, ttlSeconds, pushCredentialSid, session = null }: TokenOrder): TokenResponse {
    const left = session ? Math.max(Math.floor(session.secondsLeft), TOKEN_TTL_SECONDS.min) : ttlSeconds;
    const minted = this.tokens.mint({
      identity: identity.twilioIdentity,
      serviceSid,
      ttlSeconds: Math.min(ttlSeconds, left),
      ...(pushCredentialSid && { pushCredentialSid }),
    });
    return {
      token: minted.token,
      tokenType: 'twilio-access-token',
      identity: IdentitySummary.from(identity),
      chatServiceSid: serviceSid,
      expiresAt: minted.expiresAt.toISOString(),
      refreshAfter: refreshAfter(minted).toISOString(),
      session: session && {
        id: session.id,
        refreshToken: session.refreshToken,
        expiresAt: session.expiresAt.toISOString(),
      },
    };
  }
}

/**
 * Nine tenths of the life, or two minutes before its end; of a life of less than four minutes the middle. So a clock that
 * is a minute slow still comes before the end, and one that is a minute fast does not come at once, again and again.
 */
export function refreshAfter({ issuedAt, expiresAt }: Pick<MintedToken, 'issuedAt' | 'expiresAt'>): Date {
  const lifeMs = expiresAt.getTime() - issuedAt.getTime();
  const latest = Math.max(lifeMs - 2 * CLOCK_SKEW_MS, lifeMs / 2);
  return new Date(issuedAt.getTime() + Math.min(lifeMs * 0.9, latest));
}
