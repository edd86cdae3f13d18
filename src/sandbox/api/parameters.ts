import { looksLikeSid } from '../store/sid.js';
import type { SidPrefix } from '../store/sid.js';
import type { ErrorCode } from './errors.js';
import { fail } from './errors.js';

/** How one parameter of a form or query is read: the raw text in, a value or Twilio's error out. */
export interface Parameter<T> {
  parse(raw: string | string[], name: string): T;
  /** The errors of its absence, and of an empty value. */
  needed?: ErrorCode;
  neededFull?: ErrorCode;
}

export type Parameters = Record<string, Parameter<unknown>>;
type Needed<P extends Parameters> = {
  [K in keyof P]: P[K] extends { needed: ErrorCode } ? K : never;
}[keyof P];
type ValueOf<P> = P extends Parameter<infer T> ? T : never;

/** The values a table of parameters gives: those marked `needed` are there, the rest may be. */
export type Values<P extends Parameters> = { [K in Needed<P>]: ValueOf<P[K]> } & {
  [K in Exclude<keyof P, Needed<P>>]?: ValueOf<P[K]>;
};

const last = (raw: string | string[]): string => (typeof raw === 'string' ? raw : (raw.at(-1) ?? ''));

const one = <T>(parse: (raw: string, name: string) => T): Parameter<T> => ({
  parse: (raw, name) => parse(last(raw), name),
});

export function needed<T>(
  parameter: Parameter<T>,
  absent: ErrorCode = 20001,
  empty: ErrorCode = absent,
): Parameter<T> & { needed: ErrorCode } {
  return { ...parameter, needed: absent, neededFull: empty };
}

export function text(most = Infinity, code: ErrorCode = 20001): Parameter<string> {
  return one((raw, name) => {
    if (raw.length > most) throw fail(code, `${name} is longer than ${most} characters`);
    return raw;
  });
}

export function sid(
  prefix: SidPrefix,
  code: ErrorCode = 20001,
  whenEmpty: ErrorCode = code,
): Parameter<string> {
  return one((raw, name) => {
    if (raw === '') throw fail(whenEmpty, `${name} is empty`);
    if (!looksLikeSid(prefix, raw)) throw fail(code, `${name} is not a valid ${prefix} SID: ${raw}`);
    return raw;
  });
}

export function oneOf<const T extends string>(
  values: readonly T[],
  code: ErrorCode = 20001,
  whenEmpty: ErrorCode = code,
): Parameter<T> {
  return one((raw, name) => {
    if (raw === '') throw fail(whenEmpty, `${name} is empty`);
    const found = values.find((value) => value === raw.toLowerCase() || value === raw);
    if (found === undefined) throw fail(code, `${name} must be one of ${values.join(', ')}`);
    return found;
  });
}

/** JSON as text, at most so many bytes; '' counts as the empty object. */
export function json(most: number): Parameter<string> {
  return one((raw, name) => {
    if (raw === '' || raw === '{}') return '{}';
    if (Buffer.byteLength(raw) > most) throw fail(50303, `${name} is longer than ${most} bytes`);
    try {
      JSON.parse(raw);
    } catch {
      throw fail(50304, `${name} is not valid JSON`);
    }
    return raw;
  });
}

export function boolean(): Parameter<boolean> {
  return one((raw, name) => {
    if (/^true$/i.test(raw)) return true;
    if (/^false$/i.test(raw)) return false;
    throw fail(20001, `${name} must be true or false`);
  });
}

export function integer(
  least: number,
  most: number,
  code: ErrorCode = 20001,
  outside: ErrorCode = code,
): Parameter<number> {
  return one((raw, name) => {
    if (!/^-?\d{1,15}$/.test(raw)) throw fail(code, `${name} is not a whole number`);
    const value = Number(raw);
    if (value < least || value > most) throw fail(outside, `${name} must be between ${least} and ${most}`);
    return value;
  });
}

const ISO_DATE = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?$/;

/** An ISO 8601 instant, in milliseconds; Twilio drops fractions of a second. */
export function instant(code: ErrorCode = 20001): Parameter<number> {
  return one((raw, name) => {
    const zoned = /T/.test(raw) && !/(Z|[+-]\d{2}:?\d{2})$/.test(raw) ? `${raw}Z` : raw;
    const value = ISO_DATE.test(raw) ? Date.parse(zoned) : NaN;
    if (Number.isNaN(value)) throw fail(code, `${name} is not an ISO 8601 date`);
    return Math.floor(value / 1000) * 1000;
  });
}

const DURATION = /^P(?=.)(?:(\d+)W)?(?:(\d+)D)?(?:T(?=.)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?$/;

/** Seconds of an ISO 8601 duration of weeks or smaller units (Twilio: no months, no years). */
export function secondsOf(duration: string): number | undefined {
  const parts = DURATION.exec(duration);
  if (parts === null) return undefined;
  const [weeks, days, hours, minutes, seconds] = parts.slice(1).map((part) => Number(part ?? 0));
  return ((((weeks ?? 0) * 7 + (days ?? 0)) * 24 + (hours ?? 0)) * 60 + (minutes ?? 0)) * 60 + (seconds ?? 0);
}

/** A timer: its seconds, or null for PT0S, which takes the timer away (Twilio). */
export function timer(least: number, tooShort: ErrorCode, malformed: ErrorCode): Parameter<number | null> {
  return one((raw, name) => {
    const seconds = secondsOf(raw);
    if (seconds === undefined || !Number.isSafeInteger(seconds)) throw fail(malformed, `${name}: ${raw}`);
    if (seconds === 0) return null;
    if (seconds < least) throw fail(tooShort);
    return seconds;
  });
}

/** The same, kept as the text it came in: account defaults are answered that way. */
export function timerText(
  least: number,
  tooShort: ErrorCode,
  malformed: ErrorCode,
): Parameter<string | null> {
  const parameter = timer(least, tooShort, malformed);
  return one((raw, name) => (parameter.parse(raw, name) === null ? null : raw));
}

export function url(most: number, tooLong: ErrorCode, malformed: ErrorCode): Parameter<string> {
  return one((raw, name) => {
    if (raw === '') return raw;
    if (raw.length > most) throw fail(tooLong, `${name} is longer than ${most} characters`);
    if (!URL.canParse(raw) || !/^https?:/i.test(raw)) throw fail(malformed, `${name} is not an http(s) URL`);
    return raw;
  });
}

/** A key that may be repeated; an empty value alone means the empty list. */
export function list<T>(item: Parameter<T>): Parameter<T[]> {
  return {
    parse(raw, name) {
      const all = typeof raw === 'string' ? [raw] : raw;
      return all.length === 1 && all[0] === '' ? [] : all.map((value) => item.parse(value, name));
    },
  };
}

/**
 * Reads a form or query by its table. A name that is not in the table is refused: the sandbox is
 * stricter than Twilio is known to be, so that a misspelt parameter is found on the laptop.
 */
export function readParameters<P extends Parameters>(
  raw: Record<string, string | string[] | undefined>,
  table: P,
  where: 'post body' | 'query',
): Values<P> {
  const values: Record<string, unknown> = {};
  for (const name in raw) {
    const value = raw[name];
    const parameter = Object.hasOwn(table, name) ? table[name] : undefined;
    if (parameter === undefined) throw fail(20001, `Unknown parameter ${name} in the ${where}`);
    if (value !== undefined) values[name] = parameter.parse(value, name);
  }
  for (const name of neededIn(table)) {
    const value = values[name];
    if (value !== undefined && value !== '' && !isEmptyList(value)) continue;
    const code = value === undefined ? table[name]?.needed : table[name]?.neededFull;
    if (code !== undefined) throw fail(code, `Missing required parameter ${name} in the ${where}`);
  }
  return values as Values<P>;
}

const needs = new WeakMap<Parameters, string[]>();

function neededIn(table: Parameters): string[] {
  let names = needs.get(table);
  if (names === undefined) {
    names = Object.keys(table).filter((name) => table[name]?.needed !== undefined);
    needs.set(table, names);
  }
  return names;
}

const isEmptyList = (value: unknown): boolean => Array.isArray(value) && value.length === 0;
