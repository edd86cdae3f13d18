import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { generateApiKey, hashSecret, parseApiKey, secretMatches } from './api-key.js';

const SECRET = 's'.repeat(32);

describe('parseApiKey', () => {
  it('takes the public id and the secret apart', () => {
    expect(parseApiKey(`cvk_abc123_${SECRET}`)).toEqual({ keyId: 'abc123', secret: SECRET });
  });

  it('takes the first underscore for the end of the id: a secret may hold more of them', () => {
    const secret = `_a-B_${SECRET}_`;
    expect(parseApiKey(`cvk_abc_${secret}`)).toEqual({ keyId: 'abc', secret });
  });

  it.each([
    ...['', 'cvk_', `cvk__${SECRET}`, `cvk_abc${SECRET}`, `cvk_abc_${SECRET.slice(1)}`, `CVK_abc_${SECRET}`],
    ...[
      ` cvk_abc_${SECRET}`,
      `cvk_abc_${SECRET}\n`,
      `cvk_ab-c_${SECRET}`,
      `cvk_abc_${SECRET}+`,
      `cvk_äbc_${SECRET}`,
    ],
    ...[`cvk_${'a'.repeat(65)}_${SECRET}`, `cvk_abc_${'s'.repeat(257)}`, `sk_abc_${SECRET}`],
  ])('refuses %j', (text) => {
    expect(parseApiKey(text)).toBeNull();
  });
});

describe('generateApiKey', () => {
  it('makes a key that is read back as it is, with 256 random bits of secret', () => {
    const { text, keyId, secret } = generateApiKey();
    expect(parseApiKey(text)).toEqual({ keyId, secret });
    expect(Buffer.from(secret, 'base64url')).toHaveLength(32);
  });

  it('makes no key twice', () => {
    const keys = Array.from({ length: 100 }, generateApiKey);
    expect(new Set(keys.map(({ keyId }) => keyId)).size).toBe(100);
    expect(new Set(keys.map(({ secret }) => secret)).size).toBe(100);
  });
});

describe('secretMatches', () => {
  it('takes the secret and no other, whatever its length', () => {
    const hash = createHash('sha256').update(SECRET).digest();
    expect(hashSecret(SECRET)).toEqual(hash);
    expect(secretMatches(SECRET, hash)).toBe(true);
    for (const other of ['', 's', SECRET.slice(1), `${SECRET}s`, SECRET.toUpperCase()]) {
      expect(secretMatches(other, hash)).toBe(false);
    }
  });

  it('takes nothing for a hash of another length', () => {
    expect(secretMatches(SECRET, Buffer.alloc(0))).toBe(false);
    expect(secretMatches(SECRET, hashSecret(SECRET).subarray(0, 31))).toBe(false);
  });
});
