import type { Lease, Leased } from './lease.js';

/**
 * One kind of row that is brought to what is wanted: what the reconciler must know of it. Its name is what
 * `wishes.aggregate` has, its table carries the columns of the reconciler.
 */
export interface Aggregate extends Leased {
  /** Its column with our id of the chat service. */
  readonly serviceColumn: 'service_id' | 'id';
  /**
   * Does what the open wishes of the row ask for, from any starting point, and settles them. Called by the request that
   * wrote a wish, by the sweep, and by repair alike. It throws what stopped it (a TwilioError, LeaseLost); whatever it
   * throws, the row is tried again later.
   */
  reconcile(lease: Lease): Promise<void>;
  /** Writes wishes for what follows from a setting, a few at a time. Called by each sweep while Twilio answers. */
  plan?(): Promise<void>;
  /** Deletes a batch of what is kept no longer; answers how many rows went. Called on every replica, now and then. */
  prune?(): Promise<number>;
}

/**
 * SQL fragment of an update that settles: gives the lease back unless a newer wish has come meanwhile (`version` is
 * compared with the one to be released), and keeps the time of the look for late landings until somebody has looked. The arguments
 * name parameters: the version seen, the lease in milliseconds, after how many milliseconds to look again (null: not on
 * account of this), and whether the look that was due has been made.
 */
export function releaseColumns(
  seenVersion: string,
  leaseMs: string,
  lookAgainMs: string,
  looked: string,
): string {
  const lookAt = `greatest(
    case when ${looked}::boolean then null else verify_after end,
    now() + ${lookAgainMs}::float8 * interval '1 millisecond')`;
  return `
    lease_token = case when version = ${seenVersion} then null else lease_token end,
    due_at = case
      when version = ${seenVersion} then ${lookAt}
      else now() + ${leaseMs}::float8 * interval '1 millisecond' end,
    verify_after = ${lookAt},
    unsettled_since = case when version = ${seenVersion} then null else unsettled_since end,
    attempts = 0,
    last_error = null`;
}
