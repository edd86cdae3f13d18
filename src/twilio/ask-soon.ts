import { setTimeout as delay } from 'node:timers/promises';
import type { Sending } from './twilio.types.js';

/** How long somebody waits for what he can do without, in milliseconds. */
const SOON_MS = 2000;

class Abandoned extends Error {}

/**
 * Asks Twilio for something that an answer can do without: null when it fails, or does not come soon. What is still
 * waiting for its turn then is not sent at all.
 */
export async function askSoon<T>(ask: (sending: Sending) => Promise<T>): Promise<T | null> {
  let abandoned = false;
  const beforeSend = (): void => {
    if (abandoned) throw new Abandoned();
  };
  const timer = new AbortController();
  try {
    return await Promise.race([
      ask({ beforeSend }).catch(() => null),
      delay(SOON_MS, null, { ref: false, signal: timer.signal }),
    ]);
  } finally {
    abandoned = true;
    timer.abort();
  }
}
