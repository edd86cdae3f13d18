import type { Records } from '../store/records.js';
import { timersOf } from '../rules/timers.js';

let lastSecond = NaN;
let lastIso = '';

/** `YYYY-MM-DDTHH:mm:ssZ`: whole seconds, as Twilio answers. */
export function iso(instant: number): string {
  const second = Math.floor(instant / 1000);
  if (second !== lastSecond) {
    lastSecond = second;
    lastIso = `${new Date(second * 1000).toISOString().slice(0, 19)}Z`;
  }
  return lastIso;
}

export function timersAnswer(conversation: Records['conversation']): Record<string, string> {
  const { date_inactive, date_closed } = timersOf(conversation);
  return {
    ...(date_inactive === null ? {} : { date_inactive: iso(date_inactive) }),
    ...(date_closed === null ? {} : { date_closed: iso(date_closed) }),
  };
}
