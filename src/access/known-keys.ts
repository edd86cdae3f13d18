import { Injectable } from '@nestjs/common';
import { Database } from '../database/database.js';
import type { Caller } from './caller.js';
import type { Scope } from './scopes.js';

/** What Postgres says of a key that is not revoked. Its secret is not in it, only the SHA-256 of it. */
export interface KnownKey {
  caller: Caller;
  secretHash: Buffer;
  /** Milliseconds since 1970; Infinity where it does not expire. */
  expiresAt: number;
}

interface KeyRow {
  id: string;
  service_id: string;
  scopes: Scope[];
  secret_hash: Buffer;
  expires_at: Date | null;
  rate_limit: number | null;
}

interface Entry {
  /** By `performance.now()`, before the statement was sent: what it answers is no older. */
  askedAt: number;
  found: Promise<KnownKey | null>;
  /** What was found, or found the last time while this is being asked; null while nothing is known. */
  last: KnownKey | null;
}

/**
 * How long what Postgres said of a key is taken for true in this process, in milliseconds: a revoked key lives on in
 * other replicas for so long at most. A second is promised.
 */
const FRESH_MS = 500;
/** Keys kept at once; beyond that the one that was asked for longest ago goes. */
const KEPT_MAX = 10_000;

const FIND_KEY = `
  select id, service_id, scopes, secret_hash, expires_at, rate_limit
  from api_keys where key_id = $1 and revoked_at is null`;

/**
 * Looks API keys up by their public id, at most twice a second for each, however many requests come with it: those that
 * come while it is asked for wait for the same answer. A key that is not there is asked for again each time, so that one
 * made by another replica works at once.
 */
@Injectable()
export class KnownKeys {
  private readonly entries = new Map<string, Entry>();

  constructor(private readonly database: Database) {}

  /** Null for a key that is unknown or revoked. The caller compares the secret and the expiry, on each use. */
  find(keyId: string): Promise<KnownKey | null> {
    const entry = this.entries.get(keyId);
    return entry && performance.now() - entry.askedAt < FRESH_MS ? entry.found : this.ask(keyId);
  }

  /** What was known of a key when it was asked for last, however long ago; null for one that was not good then. */
  remembered(keyId: string): KnownKey | null {
    return this.entries.get(keyId)?.last ?? null;
  }

  /** To be called when a key has been changed: from here on this process asks for it anew. */
  forget(keyId: string): void {
    this.entries.delete(keyId);
  }

  private ask(keyId: string): Promise<KnownKey | null> {
    const last = this.remembered(keyId);
    const entry: Entry = { askedAt: performance.now(), found: this.lookUp(keyId), last };
    const settle = (known: KnownKey | null): void => {
      entry.last = known;
      if (!known && this.entries.get(keyId) === entry) this.entries.delete(keyId);
    };
    entry.found.then(settle, () => {
      // Postgres is away: asked again by the next request, and what was known before it went is remembered.
      entry.askedAt = -Infinity;
      settle(entry.last);
    });
    // Deleted first, so that the entries stand in the order in which they were asked for.
    this.entries.delete(keyId);
    this.entries.set(keyId, entry);
    const [oldest] = this.entries.keys();
    if (this.entries.size > KEPT_MAX && oldest !== undefined) this.entries.delete(oldest);
    return entry.found;
  }

  private async lookUp(keyId: string): Promise<KnownKey | null> {
    const [row] = await this.database.query<KeyRow>('access.find-key', FIND_KEY, [keyId]);
    if (!row) return null;
    return {
      caller: Object.freeze({
        apiKeyId: row.id,
        serviceId: row.service_id,
        scopes: row.scopes,
        rateLimit: row.rate_limit,
      }),
      secretHash: row.secret_hash,
      expiresAt: row.expires_at?.getTime() ?? Infinity,
    };
  }
}
