import type { ErrorCode } from '../common/errors/error-catalog.js';
import { READ_THROUGH_FAILURES } from '../common/http/api-docs.js';

export const GOES_ON =
  'Not finished in time: the resource as it is. The work goes on; `Location` says where to look.';

/** What a command on a conversation can be answered with, closed as it may be. */
export const ANY_STATE_FAILURES: ErrorCode[] = [
  'validation_failed',
  'malformed_json',
  'missing_scope',
  'not_found',
  'conversation_deleted',
  'conversation_failed',
  'payload_too_large',
  'uri_too_long',
  'unsupported_media_type',
  'upstream_refused',
  'upstream_auth_failed',
];

/** And one on a conversation that has to be open. */
export const COMMAND_FAILURES: ErrorCode[] = [...ANY_STATE_FAILURES, 'conversation_closed'];

/** And one that takes an Idempotency-Key. */
export const KEYED_FAILURES: ErrorCode[] = [
  'idempotency_in_progress',
  'idempotency_key_reused',
  'answer_erased',
];

/** What a reading that goes through to Twilio can be answered with. */
export const READ_FAILURES: ErrorCode[] = [
  'missing_scope',
  'not_found',
  'uri_too_long',
  ...READ_THROUGH_FAILURES,
];
