import { Injectable } from '@nestjs/common';
import type { JWTPayload, JWTVerifyOptions } from 'jose';
import type { TokenExchange } from '../../chat-services/chat-service.entity.js';
import { isExternalId } from '../../common/validation/text.js';
import { JwksCache, type LoginKeys } from './jwks-cache.js';

/** Asymmetric ones alone: with HS256 whoever knows the public key could sign. */
const ALGORITHMS = [
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  ...['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'],
];
/** What the clocks of the login and ours may differ by, in seconds. */
const CLOCK_TOLERANCE_SECONDS = 30;
const TOKEN_MAX_LENGTH = 8192;
/** Keys that are tried for a token that names none. */
const TRIED_MAX = 5;

/** Why a login was refused: for the log, not for who presents it. */
export class LoginRefused extends Error {}

@Injectable()
export class LoginVerifier {
  constructor(private readonly cache: JwksCache) {}

  /** Our `externalId` of the person who presents the token. Throws LoginRefused. */
  async externalIdOf(token: string, exchange: TokenExchange): Promise<string> {
    if (token.length > TOKEN_MAX_LENGTH) throw new LoginRefused('too long');
    const { issuer, audience, externalIdClaim } = exchange;
    const options: JWTVerifyOptions = {
      algorithms: ALGORITHMS,
      issuer,
      audience,
      clockTolerance: CLOCK_TOLERANCE_SECONDS,
      requiredClaims: ['exp'],
    };
    const payload = await this.verify(token, exchange.jwksUrl, options);
    // Of which the library takes no notice: what was made later than now is of a clock that nobody can trust.
    const latest = Date.now() / 1000 + CLOCK_TOLERANCE_SECONDS;
    if (payload.iat !== undefined && payload.iat > latest) throw new LoginRefused('made in the future');
    const externalId = Object.hasOwn(payload, externalIdClaim) ? payload[externalIdClaim] : undefined;
    if (!isExternalId(externalId)) throw new LoginRefused('no externalId');
    return externalId;
  }

  private async verify(token: string, url: string, options: JWTVerifyOptions): Promise<JWTPayload> {
    // With the first login: most services take none, and would pay for a fortieth of their start.
    const { errors } = await import('jose');
    try {
      const keys = await this.cache.keys(url);
      if (!keys) throw new LoginRefused('no keys');
      return await withAnyOf(keys, token, options).catch(async (error: unknown) => {
        const newer = error instanceof errors.JWKSNoMatchingKey ? await this.cache.newerKeys(url) : null;
        if (!newer) throw error;
        return withAnyOf(newer, token, options);
      });
    } catch (error) {
      if (error instanceof LoginRefused) throw error;
      throw new LoginRefused(error instanceof errors.JOSEError ? error.code : 'malformed');
    }
  }
}

async function withAnyOf(keys: LoginKeys, token: string, options: JWTVerifyOptions): Promise<JWTPayload> {
  const { errors, jwtVerify } = await import('jose');
  try {
    return (await jwtVerify(token, keys, options)).payload;
  } catch (error) {
    // The token names no key, and there are several that it could be.
    if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error;
    let tried = 0;
    for await (const key of error) {
      if ((tried += 1) > TRIED_MAX) break;
      const verified = await jwtVerify(token, key, options).catch((failure: unknown) => {
        if (!(failure instanceof errors.JWSSignatureVerificationFailed)) throw failure;
        return null;
      });
      if (verified) return verified.payload;
    }
    throw new errors.JWSSignatureVerificationFailed();
  }
}
