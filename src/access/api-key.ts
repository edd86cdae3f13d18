import { hash, randomBytes, timingSafeEqual } from 'node:crypto';

/** An API key as it is presented: `cvk_<keyId>_<secret>`. The id is public, the secret is known to its holder alone. */
export interface ApiKey {
  keyId: string;
  secret: string;
}

const FORMAT = /^cvk_([A-Za-z0-9]{1,64})_([A-Za-z0-9_-]{32,256})$/;

export function parseApiKey(text: string): ApiKey | null {
  const [, keyId, secret] = FORMAT.exec(text) ?? [];
  return keyId !== undefined && secret !== undefined ? { keyId, secret } : null;
}

/** A fresh key: 96 random bits name it, 256 random bits are its secret. */
export function generateApiKey(): ApiKey & { text: string } {
  const keyId = randomBytes(12).toString('hex');
  const secret = randomBytes(32).toString('base64url');
  return { keyId, secret, text: `cvk_${keyId}_${secret}` };
}

/** A fast hash is right here: the secret has 256 random bits, so there is nothing to guess. */
export function hashSecret(secret: string): Buffer {
  return hash('sha256', secret, 'buffer');
}

/** In constant time, over the hashes: neither length nor prefix of the secret shows in the time it takes. */
export function secretMatches(secret: string, stored: Buffer): boolean {
  return hashesMatch(hashSecret(secret), stored);
}

/** The same, where the presented secret has been hashed already. */
export function hashesMatch(presented: Buffer, stored: Buffer): boolean {
  return stored.length === presented.length && timingSafeEqual(stored, presented);
}
