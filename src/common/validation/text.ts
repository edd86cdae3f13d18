import { applyDecorators } from '@nestjs/common';
import { Transform, Type } from 'class-transformer';
import { ValidateBy, ValidateIf, type ValidationOptions } from 'class-validator';

/** Twilio's sids: two letters and 32 hexadecimal digits. */
const SID_SHAPED = /^[A-Z]{2}[0-9a-fA-F]{32}$/;
// Control characters, line and paragraph separators, lone surrogates: neither Postgres nor a header holds them safely.
const UNPRINTABLE = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}]/u;
// In a text of several lines, tab and line ends are welcome.
const UNPRINTABLE_IN_TEXT = /(?![\t\n\r])[\p{Cc}\p{Cs}]/u;

const UNSTORABLE = /[\0\p{Cs}]/u;

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

export function isUuid(text: string): boolean {
  return UUID.test(text);
}

export function codePoints(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}

function lengthIn(value: unknown, min: number, max: number): value is string {
  if (typeof value !== 'string' || value.length > max * 2) return false;
  const length = codePoints(value);
  return length >= min && length <= max;
}

/** The bounds of `externalRef` and `externalId`: 1 to 255 code points, printable, any script, not `.` or `..`. */
export function isExternalKey(value: unknown): value is string {
  return (
    lengthIn(value, 1, 255) &&
    !UNPRINTABLE.test(value) &&
    value.trim() !== '' &&
    value !== '.' &&
    value !== '..'
  );
}

/** An `externalId` besides is not shaped like a Twilio sid, as a path may hold either. */
export function isExternalId(value: unknown): value is string {
  return isExternalKey(value) && !SID_SHAPED.test(value);
}

function rule(
  name: string,
  validate: (value: unknown) => boolean,
  message: string,
  options?: ValidationOptions,
) {
  return ValidateBy({ name, validator: { validate, defaultMessage: () => message } }, options);
}

export const IsExternalRef = (): PropertyDecorator =>
  rule('isExternalRef', isExternalKey, 'must be 1 to 255 printable characters, and not "." or ".."');

export const IsExternalId = (): PropertyDecorator =>
  rule(
    'isExternalId',
    isExternalId,
    'must be 1 to 255 printable characters, not "." or "..", and not shaped like a Twilio sid',
  );

/** A name on one line: 1 to `max` code points, printable. */
export const IsLine = (max: number): PropertyDecorator =>
  rule(
    'isLine',
    (value) => lengthIn(value, 1, max) && !UNPRINTABLE.test(value),
    `must be a text of 1 to ${max} printable characters`,
  );

/** What Twilio takes as the body of a chat message, in bytes of UTF-8. */
const MESSAGE_BODY_MAX_BYTES = 32_768;

export const IsMessageBody = (): PropertyDecorator =>
  rule(
    'isMessageBody',
    (value) =>
      typeof value === 'string' &&
      value !== '' &&
      !UNPRINTABLE_IN_TEXT.test(value) &&
      Buffer.byteLength(value) <= MESSAGE_BODY_MAX_BYTES,
    `must be a text of at most ${MESSAGE_BODY_MAX_BYTES} bytes, without control characters`,
  );

/**
 * A JSON object of at most `maxBytes` bytes as serialised UTF-8, without the keys that are ours, and of texts and
 * numbers that every store of it can hold. It is kept as it came: class-transformer, which would drop keys such as
 * `toString` and stumble over `constructor`, is told that it is a Boolean, so as not to look into it.
 */
export const IsAttributes = (maxBytes: number, reserved: string[] = []): PropertyDecorator =>
  applyDecorators(
    Type(() => Boolean),
    Transform(({ obj, key }: { obj: Record<string, unknown>; key: string }) => obj[key]),
    rule(
      'isAttributes',
      (value) =>
        value !== null &&
        typeof value === 'object' &&
        !Array.isArray(value) &&
        Buffer.byteLength(JSON.stringify(value)) <= maxBytes &&
        !reserved.some((key) => Object.hasOwn(value, key)),
      `must be a JSON object of at most ${maxBytes} bytes${reserved.length ? ` without the key "${reserved.join('", "')}"` : ''}`,
    ),
    rule(
      'isStorable',
      isStorable,
      'must not hold NUL characters, lone surrogates or numbers that are too large',
    ),
  );

/** Postgres refuses NUL and lone surrogates in what it takes apart; a number out of range would become null. */
export function isStorable(value: unknown): boolean {
  if (typeof value === 'string') return !UNSTORABLE.test(value);
  if (typeof value === 'number') return Number.isFinite(value);
  if (value === null || typeof value !== 'object') return true;
  return Object.entries(value).every(([key, member]) => !UNSTORABLE.test(key) && isStorable(member));
}

/** The key may be left out, but it may not be null (`@IsOptional` would let null pass). */
export const IfGiven = (): PropertyDecorator => ValidateIf((_, value) => value !== undefined);
