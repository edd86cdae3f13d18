import { Injectable } from '@nestjs/common';
import { Bucket, policyOf, type Policy } from '../access/limits/bucket.js';
import { clientOf } from '../access/limits/failed-keys.js';
import { AppError } from '../common/errors/app-error.js';
import { AppConfig } from '../config/app-config.js';

interface Limit {
  policy: Policy;
  detail: string;
}

/** All requests of a minute may come in one go: browsers behind one address wake up at once. */
const BURST_SECONDS = 60;
/** Of one session, or one login: a browser has no use for more than a few an hour, unless it tries again and again. */
const CREDENTIAL: Limit = {
  policy: policyOf(120, BURST_SECONDS),
  detail: 'Too many requests with this session or login.',
};
/** Of either kind, kept at once; beyond that the one that came longest ago is forgotten. */
const KEPT_MAX = 10_000;

/**
 * Limits those who come without an API key, in this process alone: each request may cost a look into Postgres, or a
 * signature to be checked.
 */
@Injectable()
export class BrowserLimits {
  private readonly addresses = new Map<string, Bucket>();
  private readonly credentials = new Map<string, Bucket>();
  private readonly address: Limit | null;

  constructor(config: AppConfig) {
    const perMinute = config.tokens.browserRequestsPerMinute;
    const detail = 'Too many requests of this address.';
    this.address = perMinute === 0 ? null : { policy: policyOf(perMinute, BURST_SECONDS), detail };
  }

  /** `address` as Fastify has it, which trusts a forwarded one from trusted proxies alone. Throws `rate_limited`. */
  takeAddress(address: string): void {
    if (this.address) take(this.addresses, clientOf(address), this.address);
  }

  /** By what stays the same of a credential: no secret, but the hash of one. */
  takeCredential(name: string): void {
    take(this.credentials, name, CREDENTIAL);
  }
}

function take(buckets: Map<string, Bucket>, name: string, { policy, detail }: Limit): void {
  const now = performance.now();
  const bucket = buckets.get(name) ?? new Bucket();
  // Deleted first, so that they stand in the order in which they came.
  buckets.delete(name);
  buckets.set(name, bucket);
  const [oldest] = buckets.keys();
  if (buckets.size > KEPT_MAX && oldest !== undefined) buckets.delete(oldest);
  if (bucket.take(now, policy)) return;
  const seconds = Math.max(1, Math.ceil(bucket.waitMs(now, policy) / 1000));
  throw new AppError('rate_limited', { detail, headers: { 'retry-after': String(seconds) } });
}
