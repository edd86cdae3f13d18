import { TwilioError } from './twilio-error.js';

/** So many calls in a row without an answer, over so many milliseconds, and Twilio counts as down. */
const FAILURES = 5;
const OVER_MS = 2000;

/**
 * Whether Twilio answers at all, by what this process has seen. While it does not, one call a second asks it again; that
 * is the caller's to arrange.
 */
export class UpstreamHealth {
  private failures = 0;
  private since = 0;

  /** What came of a call: any answer but 5xx is a sign of life. */
  note(error: unknown): void {
    const silent = error instanceof TwilioError && error.kind === 'unknown';
    if (!silent) this.failures = 0;
    else if (this.failures++ === 0) this.since = performance.now();
  }

  get down(): boolean {
    return this.failures >= FAILURES && performance.now() - this.since >= OVER_MS;
  }
}
