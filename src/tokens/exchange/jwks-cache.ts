import { Injectable, Logger } from '@nestjs/common';
import type { createLocalJWKSet } from 'jose';
import { JwksClient } from './jwks-client.js';

/** The keys of one login, to be asked for the one that a token names. */
export type LoginKeys = ReturnType<typeof createLocalJWKSet>;

interface Entry {
  keys: LoginKeys | null;
  fetchedAt: number;
  triedAt: number;
  /** When the keys were last fetched because of a key that was not among them. */
  forcedAt: number;
  pending: Promise<void> | null;
}

/** In milliseconds. Keys are asked for again after the first; a failure, or an unknown key, is not the cause of more. */
const FRESH_MS = 600_000;
const COOLDOWN_MS = 10_000;
/** While a login's keys cannot be fetched the last ones do, for at most this long. */
const STALE_MAX_MS = 86_400_000;
const ENTRIES_MAX = 1000;

/** Keeps the keys of logins, by the URL they come from. One fetch at a time for each. */
@Injectable()
export class JwksCache {
  private readonly logger = new Logger(JwksCache.name);
  private readonly entries = new Map<string, Entry>();

  constructor(private readonly client: JwksClient) {}

  /** Null where none could be fetched. */
  async keys(url: string): Promise<LoginKeys | null> {
    const entry = this.entry(url);
    const now = performance.now();
    const isDue = !entry.keys || now - entry.fetchedAt > FRESH_MS;
    // Not for a fetch that somebody else's unknown key is the cause of: anybody can be that.
    if (isDue && (entry.pending || now - entry.triedAt > COOLDOWN_MS)) await this.fetch(url, entry);
    return performance.now() - entry.fetchedAt > STALE_MAX_MS ? null : entry.keys;
  }

  /** For a token whose key is not among them: newer keys, or null where those were asked for a moment ago. */
  async newerKeys(url: string): Promise<LoginKeys | null> {
    const entry = this.entry(url);
    const now = performance.now();
    if (!entry.pending) {
      if (now - entry.forcedAt < COOLDOWN_MS) return null;
      entry.forcedAt = now;
    }
    await this.fetch(url, entry);
    return entry.keys;
  }

  private entry(url: string): Entry {
    let entry = this.entries.get(url);
    if (!entry) {
      entry = {
        keys: null,
        fetchedAt: -Infinity,
        triedAt: -Infinity,
        forcedAt: -Infinity,
        pending: null,
      };
      const [oldest] = this.entries.keys();
      if (this.entries.size >= ENTRIES_MAX && oldest !== undefined) this.entries.delete(oldest);
      this.entries.set(url, entry);
    }
    return entry;
  }

  /** Never rejects: what cannot be fetched is logged, and the last keys stay. */
  private fetch(url: string, entry: Entry): Promise<void> {
    entry.pending ??= this.client
      .fetch(url)
      .then(async (set) => {
        const jose = await import('jose');
        entry.keys = jose.createLocalJWKSet(set);
        entry.fetchedAt = performance.now();
      })
      .catch((error: unknown) => {
        this.logger.warn(`The keys at ${hostOf(url)} could not be fetched: ${reasonOf(error)}`);
      })
      .finally(() => {
        entry.triedAt = performance.now();
        entry.pending = null;
      });
    return entry.pending;
  }
}

/** Without path and query, which may hold somebody's secret. */
const hostOf = (url: string): string => (URL.canParse(url) ? new URL(url).host : 'no URL');

function reasonOf(error: unknown): string {
  const { message, code } = error as { message?: string; code?: string };
  return message || code || 'unknown';
}
