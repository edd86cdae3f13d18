import { AUTH_CODES, BINDING_EXISTS, classify, type TwilioErrorKind } from './twilio-error-table.js';

/** Why an outcome is not known: no answer in time, no connection or a cut one, an answer that is none. */
export type UnknownReason = 'timeout' | 'network' | 'server';

interface TwilioErrorFields {
  kind: TwilioErrorKind;
  message: string;
  code?: number | null;
  status?: number | null;
  requestId?: string | null;
  retryAfterMs?: number | null;
  reason?: UnknownReason | null;
  conflictingConversationSid?: string | null;
}

/**
 * The one failure that comes out of the gateway once a request was made. Safe to log and to show: it holds neither
 * credentials nor the request, and addresses within Twilio's words are masked.
 */
export class TwilioError extends Error {
  readonly kind: TwilioErrorKind;
  /** Twilio's error code; null where the answer had none, or where there was no answer. */
  readonly code: number | null;
  /** HTTP status; null where there was no answer. */
  readonly status: number | null;
  /** `RQ…`: what Twilio's support asks for. */
  readonly requestId: string | null;
  /** How long Twilio asks to wait, in milliseconds. Whether Conversations sends Retry-After is not verified. */
  readonly retryAfterMs: number | null;
  /** Only of kind `unknown`. */
  readonly reason: UnknownReason | null;
  /** Only of code 50416: the conversation that holds the address pair, when its message names one. */
  readonly conflictingConversationSid: string | null;

  constructor(fields: TwilioErrorFields) {
    super(fields.message);
    this.name = 'TwilioError';
    this.kind = fields.kind;
    this.code = fields.code ?? null;
    this.status = fields.status ?? null;
    this.requestId = fields.requestId ?? null;
    this.retryAfterMs = fields.retryAfterMs ?? null;
    this.reason = fields.reason ?? null;
    this.conflictingConversationSid = fields.conflictingConversationSid ?? null;
  }

  /** Whether Twilio refused the credentials or their rights (401, 403, 20003, 20403): what is answered at once. */
  get auth(): boolean {
    if (this.kind !== 'blocked') return false;
    return this.status === 401 || this.status === 403 || (this.code !== null && AUTH_CODES.has(this.code));
  }

  /** An answer that is no success. `headers` have lower-case names; `text` is the body. */
  static fromAnswer(status: number, headers: AnswerHeaders, text: string): TwilioError {
    const body = parseObject(text);
    const code = body && Number.isSafeInteger(Number(body['code'] ?? NaN)) ? Number(body['code']) : null;
    const said = typeof body?.['message'] === 'string' ? body['message'] : null;
    const kind = classify(status, code, body !== null);
    const label = `Twilio answered ${status}${code === null ? '' : `, code ${code}`}`;
    return new TwilioError({
      kind,
      message: said ? `${label}: ${maskSaid(said)}` : label,
      code,
      status,
      requestId: requestIdOf(headers),
      retryAfterMs: parseRetryAfter(first(headers['retry-after']), Date.now()),
      reason: kind === 'unknown' ? (status === 408 ? 'timeout' : 'server') : null,
      conflictingConversationSid:
        code === BINDING_EXISTS ? (/\bCH[0-9a-fA-F]{32}\b/.exec(said ?? '')?.[0] ?? null) : null,
    });
  }

  /** A success whose body is not what was asked for: the change may have been made. */
  static unreadable(why: string, status: number | null = null, headers: AnswerHeaders = {}): TwilioError {
    const message = `Twilio's answer could not be used: ${maskSaid(why)}`;
    return new TwilioError({
      kind: 'unknown',
      reason: 'server',
      message,
      status,
      requestId: requestIdOf(headers),
    });
  }

  static timeout(afterMs: number): TwilioError {
    return new TwilioError({
      kind: 'unknown',
      reason: 'timeout',
      message: `Twilio did not answer within ${afterMs} ms`,
    });
  }

  /** No connection, or one that was cut. `error` is never kept: such errors may hold the request and its credentials. */
  static network(error: unknown): TwilioError {
    const code: unknown = typeof error === 'object' && error !== null && 'code' in error ? error.code : null;
    const known = typeof code === 'string' && /^[A-Z][A-Z0-9_]{1,63}$/.test(code) ? code : 'no code';
    return new TwilioError({
      kind: 'unknown',
      reason: 'network',
      message: `The connection to Twilio failed (${known})`,
    });
  }
}

export type AnswerHeaders = Record<string, string | string[] | undefined>;

function first(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}

function requestIdOf(headers: AnswerHeaders): string | null {
  const id = first(headers['twilio-request-id']);
  return id !== undefined && /^[\w-]{1,64}$/.test(id) ? id : null;
}

function parseObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}

/** More than a day is taken for a day: nobody waits for a header that asks for years. */
const RETRY_AFTER_MAX_MS = 86_400_000;

/** Retry-After, in seconds or as an HTTP date, as milliseconds from `now`; null when absent or neither. */
export function parseRetryAfter(value: string | undefined, now: number): number | null {
  if (value === undefined) return null;
  const ms = /^\d+(\.\d+)?$/.test(value) ? Number(value) * 1000 : Date.parse(value) - now;
  return Number.isNaN(ms) ? null : Math.min(Math.max(Math.ceil(ms), 0), RETRY_AFTER_MAX_MS);
}

/**
 * Twilio's words without the numbers and e-mail addresses it repeats: they end in logs and stored answers, where the
 * erasure of a person does not reach them. Bounded, on one line, and without halves of characters: Postgres takes none,
 * and a failure that cannot be recorded would be met for ever.
 */
function maskSaid(said: string): string {
  return said
    .slice(0, 500)
    .replace(/[\p{Cc}\p{Cs}\s]+/gu, ' ')
    .replace(/\b(basic|bearer)\s+\S+/gi, '$1 …')
    .replace(/[\w.%+-]+@[\w.-]*\w/g, '…@…')
    .replace(/(?<![0-9A-Za-z])\+?\d{7,15}(?![0-9A-Za-z])/g, '…');
}
