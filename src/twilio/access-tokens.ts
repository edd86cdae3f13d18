import { createSecretKey, type KeyObject } from 'node:crypto';
import { Injectable } from '@nestjs/common';
// Not from 'twilio', which loads the whole SDK (75 ms of CPU; this: 25 ms, most of it jsonwebtoken).
import AccessToken from 'twilio/lib/jwt/AccessToken.js';
import { AppConfig } from '../config/app-config.js';
import { sidParameter } from './path-parameters.js';

/** Twilio documents 3 minutes to 24 hours, and refuses tokens that live longer (20157). In seconds. */
export const TOKEN_TTL_SECONDS = { min: 180, max: 86_400 } as const;

export interface TokenRequest {
  /** The Twilio identity of the person, 1 to 255 characters. */
  identity: string;
  /** The chat service (`IS…`) that the token is good for. */
  serviceSid: string;
  /** Life in whole seconds, 180 to 86,400. */
  ttlSeconds: number;
  /** Push credential (`CR…`) of the person's device. */
  pushCredentialSid?: string;
}

export interface MintedToken {
  token: string;
  issuedAt: Date;
  expiresAt: Date;
}

/** Access tokens for Twilio's browser and mobile SDKs. Nothing is asked of Twilio for it. */
@Injectable()
export class AccessTokens {
  readonly #accountSid: string;
  readonly #keySid: string;
  readonly #key: KeyObject;

  constructor(config: AppConfig) {
    this.#accountSid = config.twilio.accountSid;
    this.#keySid = config.twilio.signingKey.sid;
    this.#key = createSecretKey(Buffer.from(config.twilio.signingKey.secret));
  }

  /**
   * A token with a chat grant. Two of the same second for the same person are the same bytes: `jti` is no key for
   * auditing. Throws RangeError for a ttl out of bounds: the SDK itself takes "900" for an expired token, and 90000 as is.
   */
  mint({ identity, serviceSid, ttlSeconds, pushCredentialSid }: TokenRequest): MintedToken {
    if (
      !Number.isInteger(ttlSeconds) ||
      ttlSeconds < TOKEN_TTL_SECONDS.min ||
      ttlSeconds > TOKEN_TTL_SECONDS.max
    ) {
      throw new RangeError(
        `ttlSeconds must be an integer from ${TOKEN_TTL_SECONDS.min} to ${TOKEN_TTL_SECONDS.max}`,
      );
    }
    if (typeof identity !== 'string' || identity === '') throw new RangeError('identity must not be empty');
    // Given a string, jsonwebtoken tries to read it as a private key on each call: 270 µs of CPU instead of 8 for the
    // same bytes (twilio 6.2.0, Node 20.20). The SDK's declaration does not know that it may be a key.
    const key = this.#key as unknown as string;
    const accessToken = new AccessToken(this.#accountSid, this.#keySid, key, {
      identity,
      ttl: ttlSeconds,
    });
    accessToken.addGrant(
      new AccessToken.ChatGrant({ serviceSid: sidParameter('IS', serviceSid), pushCredentialSid }),
    );
    const token = accessToken.toJwt();
    return { token, ...lifeOf(token) };
  }
}

/** As the token itself says: the SDK and jsonwebtoken each look at the clock, perhaps in two different seconds. */
function lifeOf(token: string): { issuedAt: Date; expiresAt: Date } {
  const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as {
    iat: number;
    exp: number;
  };
  return { issuedAt: new Date(claims.iat * 1000), expiresAt: new Date(claims.exp * 1000) };
}
