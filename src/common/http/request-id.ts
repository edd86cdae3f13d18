import { randomUUID } from 'node:crypto';

/** What a caller's X-Request-Id may look like: bounded, and nothing that could break a log line or a header. */
const ACCEPTED = /^[\w.:@/+=-]{1,128}$/;

export const REQUEST_ID_HEADER = 'x-request-id';

/** The caller's request id where it is usable, otherwise a new one. */
export function requestIdOf(headers: Record<string, string | string[] | undefined>): string {
  const given = headers[REQUEST_ID_HEADER];
  return typeof given === 'string' && ACCEPTED.test(given) ? given : randomUUID();
}
