import { createHmac, timingSafeEqual } from 'node:crypto';
import { apiKeysOf, type SandboxConfig } from '../config.js';
import type { Store } from '../store/store.js';

export interface TokenVerdict {
  valid: boolean;
  identity: string | null;
  serviceSid: string | null;
  expiresAt: string | null;
  reason: string | null;
}

interface Claims {
  iss?: unknown;
  sub?: unknown;
  iat?: unknown;
  exp?: unknown;
  nbf?: unknown;
  grants?: { identity?: unknown; chat?: { service_sid?: unknown } };
}

const HASHES: Record<string, string> = { HS256: 'sha256', HS384: 'sha384', HS512: 'sha512' };
/** Twilio's limit (20157). */
const LONGEST_LIFE_SECONDS = 24 * 60 * 60;

/** Checks an access token as Twilio would: signature, header, issuer, times and grant. */
export function verifyToken(token: string, config: SandboxConfig, store: Store, now: number): TokenVerdict {
  const [header, payload, signature, ...rest] = token.split('.');
  const head = decode(header) as { alg?: string; cty?: string } | undefined;
  const claims = decode(payload) as Claims | undefined;
  const { grants, exp } = claims ?? {};
  const verdict: TokenVerdict = {
    valid: false,
    identity: typeof grants?.identity === 'string' ? grants.identity : null,
    serviceSid: typeof grants?.chat?.service_sid === 'string' ? grants.chat.service_sid : null,
    expiresAt: typeof exp === 'number' ? new Date(exp * 1000).toISOString() : null,
    reason: null,
  };
  const secret = apiKeysOf(config).get(String(claims?.iss));
  const reason =
    head === undefined || claims === undefined || signature === undefined || rest.length > 0
      ? 'malformed'
      : (signatureFault(head, `${header}.${payload}`, signature, secret ?? config.apiKeySecret) ??
        (secret === undefined ? 'issuer' : claimsFault(claims, config, now)) ??
        grantFault(verdict, store));
  return { ...verdict, valid: reason === null, reason };
}

function decode(part: string | undefined): object | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part ?? '', 'base64url').toString());
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

function signatureFault(
  head: { alg?: string; cty?: string },
  signed: string,
  signature: string,
  secret: string,
): string | null {
  const hash = HASHES[head.alg ?? ''];
  if (hash === undefined) return 'algorithm';
  if (head.cty !== 'twilio-fpa;v=1') return 'content type';
  const expected = createHmac(hash, secret).update(signed).digest();
  const given = Buffer.from(signature, 'base64url');
  return given.length === expected.length && timingSafeEqual(given, expected) ? null : 'signature';
}

function claimsFault(claims: Claims, { accountSid }: SandboxConfig, now: number): string | null {
  const { sub, iat, exp, nbf } = claims;
  if (sub !== accountSid) return 'subject';
  if (typeof exp !== 'number') return 'expiry missing';
  const seconds = now / 1000;
  if (exp <= seconds) return 'expired';
  if (typeof nbf === 'number' && nbf > seconds) return 'not yet valid';
  if (typeof iat === 'number' && exp - iat > LONGEST_LIFE_SECONDS) return 'lifetime over 24 hours';
  return null;
}

function grantFault({ identity, serviceSid }: TokenVerdict, store: Store): string | null {
  if (identity === null || identity === '') return 'identity missing';
  if (serviceSid === null) return 'chat grant missing';
  return store.get('service', serviceSid) === undefined ? 'service unknown' : null;
}
