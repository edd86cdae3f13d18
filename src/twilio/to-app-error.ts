import { AppError, type AppErrorOptions } from '../common/errors/app-error.js';
import type { ErrorCode } from '../common/errors/error-catalog.js';
import type { TwilioError } from './twilio-error.js';

/**
 * What a caller is told who waits for this one call: reads that go through to Twilio, and changes of roles. Commands
 * are wishes and go on instead; they use this only for what ends them.
 */
export function toAppError(error: TwilioError): AppError {
  const options: AppErrorOptions = { cause: error };
  if (error.status !== null) {
    options.twilio = { code: error.code, status: error.status, requestId: error.requestId };
  }
  const code = codeFor(error);
  // Twilio's words are shown only where they speak of what the caller asked for.
  if (code === 'upstream_refused' || code === 'address_in_use') options.detail = error.message;
  if (error.kind === 'rate_limited') {
    options.headers = { 'Retry-After': String(Math.max(1, Math.ceil((error.retryAfterMs ?? 0) / 1000))) };
  }
  return new AppError(code, options);
}

function codeFor(error: TwilioError): ErrorCode {
  switch (error.kind) {
    case 'refused':
      return 'upstream_refused';
    case 'already_exists':
      return error.conflictingConversationSid === null ? 'upstream_refused' : 'address_in_use';
    case 'closed':
      return 'conversation_closed';
    case 'not_found':
      return 'not_found';
    case 'rate_limited':
      return 'upstream_rate_limited';
    case 'blocked':
      return error.auth ? 'upstream_auth_failed' : 'upstream_unavailable';
    case 'unknown':
      return error.reason === 'timeout' ? 'upstream_timeout' : 'upstream_unavailable';
    case 'conflict':
      return 'upstream_unavailable';
  }
}
