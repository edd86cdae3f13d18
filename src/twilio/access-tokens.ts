import { createHmac, createSecretKey, type KeyObject } from 'node:crypto';
import { Injectable } from '@nestjs/common';
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

const encoded = (part: object): string => Buffer.from(JSON.stringify(part)).toString('base64url');

const HEADER = encoded({ alg: 'HS256', typ: 'JWT', cty: 'twilio-fpa;v=1' });

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
   * A token with a chat grant: the bytes that Twilio's library makes, for a fiftieth of the CPU (it takes the secret for
   * a private key first, on each call). Two of the same second for the same person are the same bytes: `jti` is no key for
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
    const iat = Math.floor(Date.now() / 1000);
    const exp = iat + ttlSeconds;
    const grants = {
      identity,
      chat: {
        service_sid: sidParameter('IS', serviceSid),
        ...(pushCredentialSid !== undefined && { push_credential_sid: pushCredentialSid }),
      },
    };
    const claims = {
      jti: `${this.#keySid}-${iat}`,
      grants,
      iat,
      exp,
      iss: this.#keySid,
      sub: this.#accountSid,
    };
    const signed = `${HEADER}.${encoded(claims)}`;
    const signature = createHmac('sha256', this.#key).update(signed).digest('base64url');
    return {
      token: `${signed}.${signature}`,
      issuedAt: new Date(iat * 1000),
      expiresAt: new Date(exp * 1000),
    };
  }
}
