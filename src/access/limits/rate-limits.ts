import { Injectable } from '@nestjs/common';
import { AppConfig } from '../../config/app-config.js';
import { Database } from '../../database/database.js';
import type { Caller } from '../caller.js';
import { Bucket, policyOf, type Policy } from './bucket.js';

/** What one key has left here, and what the other replicas do not know of it yet. */
interface Account {
  perMinute: number;
  policy: Policy;
  /** `RateLimit-Policy`, which is the same each time. */
  policyField: string;
  bucket: Bucket;
  /** Taken since it was settled last, in milliseconds of `costMs` each; and from when on. */
  unsettledMs: number;
  unsettledSince: number;
  /** Asked for since it was settled last. */
  active: boolean;
}

export interface Verdict {
  allowed: boolean;
  headers: { 'ratelimit-policy': string; ratelimit: string };
  /** Whole seconds until the next request will do. */
  retryAfterSeconds: number;
}

interface SettledRow {
  id: string;
  /** How far in the future the bucket that all replicas share is full again. */
  ahead_ms: number;
}

/** How many seconds' requests may come in one go: in any minute a twentieth over the limit, for each replica. */
const BURST_SECONDS = 3;

/**
 * Adds what was taken here to what all replicas have taken. The bucket filled while it was taken, so it counts from
 * `since`. Nobody is made to wait for longer than a minute, whatever several replicas have let through at once.
 */
const SETTLE = `
  insert into key_rates as kept (api_key_id, taken_ms, full_at)
  select id, taken_ms, now() + (taken_ms - since_ms) * interval '1 ms'
  from unnest($1::uuid[], $2::float8[], $3::float8[]) as taken (id, taken_ms, since_ms)
  on conflict (api_key_id) do update set
    taken_ms = excluded.taken_ms,
    full_at = least(
      greatest(kept.full_at + excluded.taken_ms * interval '1 ms', excluded.full_at),
      now() + interval '1 minute')
  returning api_key_id as id, (extract(epoch from full_at - now()) * 1000)::float8 as ahead_ms`;

/**
 * Limits how many requests a key may make. Each is counted in the process, without a wait; what was counted is told to
 * the other replicas each second, all keys in one statement. So N replicas let `perMinute` through, and once the bursts
 * of N replicas instead of one. While Postgres is away each counts for itself.
 */
@Injectable()
export class RateLimits {
  private readonly accounts = new Map<string, Account>();

  constructor(
    private readonly config: AppConfig,
    private readonly database: Database,
  ) {}

  /** Counts one request of the caller. Null where nothing limits it. */
  take({ apiKeyId, rateLimit }: Caller): Verdict | null {
    const perMinute = rateLimit ?? this.config.access.rateLimitPerMinute;
    if (perMinute === 0) return null;
    const account = this.accountOf(apiKeyId, perMinute);
    const { bucket, policy } = account;
    const now = performance.now();
    const allowed = bucket.take(now, policy);
    if (allowed) {
      if (account.unsettledMs === 0) account.unsettledSince = now;
      account.unsettledMs += policy.costMs;
    }
    account.active = true;
    const full = Math.max(0, Math.ceil((bucket.fullAt - now) / 1000));
    return {
      allowed,
      headers: {
        'ratelimit-policy': account.policyField,
        ratelimit: `"key";r=${bucket.remaining(now, policy)};t=${full}`,
      },
      retryAfterSeconds: Math.max(1, Math.ceil(bucket.waitMs(now, policy) / 1000)),
    };
  }

  /**
   * Tells the other replicas, and learns what they let through. Sends nothing where no key was used. What could not be
   * told is forgotten: it has been counted here, and told twice it would count twice.
   */
  async settle(): Promise<void> {
    const sentAt = performance.now();
    for (const [id, { active, bucket }] of this.accounts) {
      if (!active && bucket.fullAt <= sentAt) this.accounts.delete(id);
    }
    const active = [...this.accounts].filter(([, account]) => account.active);
    if (active.length === 0) return;
    // In one order, so that no two replicas wait for each other's rows.
    active.sort(([one], [other]) => (one < other ? -1 : 1));
    const taken = active.map(([, account]) => account.unsettledMs);
    const since = active.map(([, account]) => (account.unsettledMs ? sentAt - account.unsettledSince : 0));
    for (const [, account] of active) Object.assign(account, { unsettledMs: 0, active: false });
    const ids = active.map(([id]) => id);
    const rows = await this.database.query<SettledRow>('access.settle-rates', SETTLE, [ids, taken, since]);
    const now = performance.now();
    for (const { id, ahead_ms } of rows) {
      const account = this.accounts.get(id);
      if (account) account.bucket.fullAt = now + Math.max(0, ahead_ms) + account.unsettledMs;
    }
  }

  private accountOf(apiKeyId: string, perMinute: number): Account {
    const known = this.accounts.get(apiKeyId);
    if (known?.perMinute === perMinute) return known;
    const policy = policyOf(perMinute, BURST_SECONDS);
    const account: Account = {
      perMinute,
      policy,
      policyField: `"key";q=${policy.quota};w=${Math.ceil(policy.burstMs / 1000)}`,
      bucket: new Bucket(),
      unsettledMs: 0,
      unsettledSince: 0,
      active: false,
    };
    this.accounts.set(apiKeyId, account);
    return account;
  }
}
