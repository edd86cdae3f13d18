import { Injectable } from '@nestjs/common';
import { AppError } from '../common/errors/app-error.js';
import { parseApiKey, secretMatches } from './api-key.js';
import type { Caller } from './caller.js';
import { KeyUses } from './key-uses.js';
import { KnownKeys } from './known-keys.js';

/** Tells who presents an API key. */
@Injectable()
export class AccessService {
  constructor(
    private readonly keys: KnownKeys,
    private readonly uses: KeyUses,
  ) {}

  /** `authorization` is the header as it came. Throws `unauthorized` alike for every reason. */
  async authenticate(authorization: string | undefined): Promise<Caller> {
    const presented = /^Bearer +(\S+) *$/i.exec(authorization ?? '')?.[1];
    const key = presented === undefined ? null : parseApiKey(presented);
    if (!key) throw unauthorized('Send an API key: Authorization: Bearer cvk_…');
    const known = await this.keys.find(key.keyId);
    if (!known || !secretMatches(key.secret, known.secretHash) || known.expiresAt <= Date.now()) {
      throw unauthorized('The API key is unknown, expired or revoked.');
    }
    this.uses.note(known.caller.apiKeyId);
    return known.caller;
  }
}

function unauthorized(detail: string): AppError {
  return new AppError('unauthorized', { detail, headers: { 'www-authenticate': 'Bearer realm="convoke"' } });
}
