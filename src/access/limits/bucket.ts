/** So many requests may come in one go, and at the same pace they may come for ever. */
export interface Policy {
  /** Requests in one go. */
  readonly quota: number;
  /** What one request takes of the time, in milliseconds. */
  readonly costMs: number;
  /** `quota` times `costMs`: how far ahead of the time a caller may be. */
  readonly burstMs: number;
}

/** `perMinute` requests a minute, of which those of `burstSeconds` (one request at least) may come in one go. */
export function policyOf(perMinute: number, burstSeconds: number): Policy {
  const costMs = 60_000 / perMinute;
  const quota = Math.ceil((perMinute * burstSeconds) / 60);
  return { quota, costMs, burstMs: quota * costMs };
}

/** What sums of fractions may be off by, in milliseconds. */
const ROUNDING_MS = 0.001;

/**
 * A bucket that fills steadily, kept as one number: when it will be full again. A request takes `costMs` out of it; it
 * is empty when it lacks `burstMs`. Times are in milliseconds of any clock that does not go back.
 */
export class Bucket {
  fullAt = 0;

  /** Takes one request out, unless it is empty. */
  take(now: number, { costMs, burstMs }: Policy): boolean {
    const full = Math.max(this.fullAt, now) + costMs;
    if (full - now > burstMs + ROUNDING_MS) return false;
    this.fullAt = full;
    return true;
  }

  /** How many requests could be taken at once. */
  remaining(now: number, { costMs, burstMs }: Policy): number {
    const left = burstMs + ROUNDING_MS - Math.max(0, this.fullAt - now);
    return Math.max(0, Math.floor(left / costMs));
  }

  /** How long until one request can be taken; 0 where it can be now. */
  waitMs(now: number, { costMs, burstMs }: Policy): number {
    return Math.max(0, this.fullAt + costMs - burstMs - now - ROUNDING_MS);
  }
}
