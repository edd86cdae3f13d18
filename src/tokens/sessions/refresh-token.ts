import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto';

/**
 * A refresh token: `cvr_<family>_<secret>`, 256 random bits each. The family stays the same for the life of a session, the
 * secret changes with each refresh. So whoever knows the family has held a token of the session: a wrong secret beside it
 * is a used token, whereas what nobody was given ends nothing. Neither part is stored, only their hashes.
 */
export interface RefreshToken {
  readonly text: string;
  readonly family: string;
  readonly familyHash: Buffer;
  /** Of the whole text. */
  readonly hash: Buffer;
}

const FORMAT = /^cvr_([A-Za-z0-9_-]{43})_([A-Za-z0-9_-]{43})$/;
/** Characters of every refresh token. */
export const REFRESH_TOKEN_LENGTH = 91;

const NONCE_BYTES = 12;
const TAG_BYTES = 16;

// A fast hash is right here: with 256 random bits there is nothing to guess.
const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest();
const random = (): string => randomBytes(32).toString('base64url');

function tokenOf(family: string, secret: string): RefreshToken {
  const text = `cvr_${family}_${secret}`;
  return { text, family, familyHash: sha256(family), hash: sha256(text) };
}

/** Null for what has not the form of one. */
export function parseRefreshToken(text: string): RefreshToken | null {
  const [, family, secret] = FORMAT.exec(text) ?? [];
  return family !== undefined && secret !== undefined ? tokenOf(family, secret) : null;
}

/** The first of a new session, or the next one of a session that is known. */
export function generateRefreshToken(family: string = random()): RefreshToken {
  return tokenOf(family, random());
}

/** What was given for `used`, so that only who has `used` can read it (AES-256-GCM). */
export function sealSuccessor(used: RefreshToken, successor: RefreshToken): Buffer {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', sealingKey(used), nonce);
  const sealed = Buffer.concat([cipher.update(successor.text), cipher.final()]);
  return Buffer.concat([nonce, cipher.getAuthTag(), sealed]);
}

/** Throws when it was not sealed for this token. */
export function openSuccessor(used: RefreshToken, sealed: Buffer): RefreshToken {
  const decipher = createDecipheriv('aes-256-gcm', sealingKey(used), sealed.subarray(0, NONCE_BYTES), {
    authTagLength: TAG_BYTES,
  });
  decipher.setAuthTag(sealed.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
  const text = Buffer.concat([decipher.update(sealed.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()]);
  const successor = parseRefreshToken(text.toString());
  if (!successor) throw new Error('The sealed successor is no refresh token.');
  return successor;
}

/** Another one than the stored hash, and of one use: it says nothing about the token. */
function sealingKey(used: RefreshToken): Buffer {
  return Buffer.from(hkdfSync('sha256', used.text, used.familyHash, 'convoke refresh token successor', 32));
}
