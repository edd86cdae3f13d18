import { ValidateBy } from 'class-validator';

const DURATION = /^P(?=\d|T\d)(?:(\d{1,5})D)?(?:T(?=\d)(?:(\d{1,7})H)?(?:(\d{1,9})M)?(?:(\d{1,10})S)?)?$/;

/** Seconds of an ISO 8601 duration of days or smaller units (Twilio takes no others), or null when it is none. */
export function durationSeconds(text: unknown): number | null {
  const match = typeof text === 'string' ? DURATION.exec(text) : null;
  if (!match) return null;
  const [days, hours, minutes, seconds] = match.slice(1).map((part) => Number(part ?? 0));
  return days! * 86_400 + hours! * 3600 + minutes! * 60 + seconds!;
}

/** A timer: a duration of at least `minSeconds`, or `PT0S`, which turns it off. */
export const IsTimer = (minSeconds: number, minText: string): PropertyDecorator =>
  ValidateBy({
    name: 'isTimer',
    validator: {
      validate: (value) => {
        const seconds = durationSeconds(value);
        return seconds === 0 || (seconds !== null && seconds >= minSeconds);
      },
      defaultMessage: () =>
        `must be an ISO 8601 duration in days or smaller units of at least ${minText}, or PT0S for none`,
    },
  });

export const INACTIVE_TIMER = { minSeconds: 60, text: 'PT1M' };
export const CLOSED_TIMER = { minSeconds: 600, text: 'PT10M' };
