import { TwilioError } from '../twilio/twilio-error.js';

/** Longest pause while the world is merely shaky, in milliseconds: what was accepted goes on soon after it is well again. */
const SHAKY_MAX_MS = 5_000;
/** Longest pause when only a person can help (credentials, a code that nobody knows). */
const BLOCKED_MAX_MS = 60_000;

/** So many short pauses for what is needed first are made under the lease; then it is given up. */
export const SHORT_WAITS = 20;

/** Why a wish waits for a person: an error code of the catalogue, told to its waiters at once. */
export const AUTH_TROUBLE = 'upstream_auth_failed';

/** What this row needs first is being made, under another lease: it is tried again within moments. */
export class NotReady extends Error {
  /** `trouble` is what keeps that other row from getting on. */
  constructor(
    what: string,
    readonly trouble: string | null = null,
  ) {
    super(`${what} is not ready yet.`);
    this.name = 'NotReady';
  }
}

/** Nothing is wrong, but this row has to wait: it is given up until then, and taken up by whoever sweeps. */
export class Postponed extends Error {
  constructor(
    what: string,
    /** In milliseconds. */
    readonly pauseMs: number,
  ) {
    super(`${what} has to wait for ${pauseMs} ms.`);
    this.name = 'Postponed';
  }
}

/** Half of it is chance, so that rows that failed together do not come back together. */
function backoff(baseMs: number, attempts: number, maxMs: number, random: () => number): number {
  const ceiling = Math.min(maxMs, baseMs * 2 ** Math.min(attempts, 20));
  return Math.round(ceiling / 2 + (random() * ceiling) / 2);
}

/** How long to leave a row alone after `error`, in milliseconds, before try number `attempts` + 1. */
export function pauseAfter(error: unknown, attempts: number, random: () => number = Math.random): number {
  if (error instanceof NotReady)
    return attempts < SHORT_WAITS - 1 ? backoff(50, attempts, 150, random) : backoff(2000, 0, 2000, random);
  if (!(error instanceof TwilioError)) return backoff(1000, attempts, BLOCKED_MAX_MS, random);
  switch (error.kind) {
    case 'rate_limited':
      return Math.max(error.retryAfterMs ?? 0, backoff(250, attempts, SHAKY_MAX_MS, random));
    case 'conflict':
    case 'unknown':
      return Math.max(error.retryAfterMs ?? 0, backoff(100, attempts, SHAKY_MAX_MS, random));
    default:
      return backoff(1000, attempts, BLOCKED_MAX_MS, random);
  }
}

/** What `last_error` and the list of what is behind say: a code, never a text that could hold a secret. */
export function troubleOf(error: unknown): string {
  if (error instanceof NotReady) return error.trouble ?? 'not_ready';
  if (!(error instanceof TwilioError)) return 'internal_error';
  if (error.auth) return AUTH_TROUBLE;
  const code = error.code ?? error.status;
  return code === null ? `twilio_${error.kind}` : `twilio_${error.kind}_${code}`;
}
