import { Injectable } from '@nestjs/common';
import { AppError } from '../common/errors/app-error.js';
import { hashesMatch, hashSecret, parseApiKey } from './api-key.js';
import type { Caller } from './caller.js';
import { KeyUses } from './key-uses.js';
import { KnownKeys } from './known-keys.js';
import { FailedKeys } from './limits/failed-keys.js';

/** Tells who presents an API key. */
@Injectable()
export class AccessService {
  constructor(
    private readonly keys: KnownKeys,
    private readonly uses: KeyUses,
    private readonly failures: FailedKeys,
  ) {}

  /**
   * `authorization` is the header as it came, `address` the client's. Throws `unauthorized` alike for every reason, and
   * `rate_limited` where the address has presented too many keys that were not good: a key that is known here to be
   * good is let in all the same, since many clients may stand behind one address.
   */
  async authenticate(authorization: string | undefined, address: string): Promise<Caller> {
    const presented = /^Bearer +(\S+) *$/i.exec(authorization ?? '')?.[1];
    const key = presented === undefined ? null : parseApiKey(presented);
    if (!key) throw unauthorized('Send an API key: Authorization: Bearer cvk_…');
    const hash = hashSecret(key.secret);
    const remembered = this.keys.remembered(key.keyId);
    if (!remembered || !hashesMatch(hash, remembered.secretHash)) this.refuseAfterFailures(address);
    const known = await this.keys.find(key.keyId);
    if (!known || !hashesMatch(hash, known.secretHash) || known.expiresAt <= Date.now()) {
      this.failures.note(address);
      throw unauthorized('The API key is unknown, expired or revoked.');
    }
    this.uses.note(known.caller.apiKeyId);
    return known.caller;
  }

  private refuseAfterFailures(address: string): void {
    const seconds = this.failures.waitSeconds(address);
    if (seconds === 0) return;
    throw new AppError('rate_limited', {
      detail: 'Too many requests of this address had a key that is unknown, expired or revoked.',
      headers: { 'retry-after': String(seconds) },
    });
  }
}

function unauthorized(detail: string): AppError {
  return new AppError('unauthorized', { detail, headers: { 'www-authenticate': 'Bearer realm="convoke"' } });
}
