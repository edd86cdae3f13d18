import { Injectable } from '@nestjs/common';
import { AppError } from '../common/errors/app-error.js';
import { Database } from '../database/database.js';
import { parseApiKey, secretMatches } from './api-key.js';
import type { Caller } from './caller.js';
import type { Scope } from './scopes.js';

interface KeyRow {
  id: string;
  service_id: string;
  scopes: Scope[];
  secret_hash: Buffer;
  stale_use: boolean;
}

const FIND_KEY = `
  select id, service_id, scopes, secret_hash,
    last_used_at is null or last_used_at < now() - interval '1 minute' as stale_use
  from api_keys
  where key_id = $1 and revoked_at is null and (expires_at is null or expires_at > now())`;

const NOTE_USE = `
  update api_keys set last_used_at = now()
  where id = $1 and (last_used_at is null or last_used_at < now() - interval '1 minute')`;

/** Tells who presents an API key. */
@Injectable()
export class AccessService {
  constructor(private readonly database: Database) {}

  /** `authorization` is the header as it came. Throws `unauthorized` alike for every reason. */
  async authenticate(authorization: string | undefined): Promise<Caller> {
    const presented = /^Bearer +(\S+) *$/i.exec(authorization ?? '')?.[1];
    const key = presented === undefined ? null : parseApiKey(presented);
    if (!key) throw unauthorized('Send an API key: Authorization: Bearer cvk_…');
    const [row] = await this.database.query<KeyRow>('access.find-key', FIND_KEY, [key.keyId]);
    if (!row || !secretMatches(key.secret, row.secret_hash)) {
      throw unauthorized('The API key is unknown, expired or revoked.');
    }
    // Written at most once a minute, so that a busy key costs no write per request.
    if (row.stale_use) await this.database.query('access.note-use', NOTE_USE, [row.id]);
    return { apiKeyId: row.id, serviceId: row.service_id, scopes: row.scopes };
  }
}

function unauthorized(detail: string): AppError {
  return new AppError('unauthorized', { detail, headers: { 'www-authenticate': 'Bearer realm="convoke"' } });
}
