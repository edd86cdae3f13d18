/**
 * The SDK puts path parameters into the URL as they are and refuses only `/` and `?`: a participant called `..` makes
 * `DELETE …/Conversations/CH…/`, which deletes the conversation. So nothing reaches it but a sid of the right kind, or a
 * name out of a whitelist that no URL parser rewrites.
 */

/** A path parameter that must not be sent: a mistake on our side. Says which one; never repeats the value. */
export class PathParameterError extends TypeError {
  constructor(what: string) {
    super(`Not usable in a path to Twilio: ${what}`);
    this.name = 'PathParameterError';
  }
}

export type SidPrefix = 'CH' | 'MB' | 'IM' | 'IS' | 'RL' | 'US';

const SID = /^[A-Z]{2}[0-9a-fA-F]{32}$/;
const NAME = /^[A-Za-z0-9_.:@+=-]{1,255}$/;

function isSid(prefix: SidPrefix, value: unknown): value is string {
  return typeof value === 'string' && value.startsWith(prefix) && SID.test(value);
}

/** The value, when it is a sid of that kind. Throws PathParameterError. */
export function sidParameter(prefix: SidPrefix, value: string): string {
  if (!isSid(prefix, value)) throw new PathParameterError(`a value that is no ${prefix}… sid`);
  return value;
}

/** The value, when it is a sid of that kind, or a unique name or identity of safe characters. Throws PathParameterError. */
export function nameParameter(prefix: SidPrefix, value: string): string {
  if (isSid(prefix, value)) return value;
  if (typeof value !== 'string' || !NAME.test(value) || value === '.' || value === '..') {
    throw new PathParameterError(`a value that is neither a ${prefix}… sid nor a name of safe characters`);
  }
  return value;
}
