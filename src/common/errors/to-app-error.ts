import { HttpException } from '@nestjs/common';
import { AppError } from './app-error.js';
import type { ErrorCode } from './error-catalog.js';

/** Turns a failure of some library into an AppError, or answers null when it is not its kind. */
export type ErrorTranslator = (error: unknown) => AppError | null;

/** Codes of Fastify's own failures. @see https://fastify.dev/docs/latest/Reference/Errors/ */
const FASTIFY_CODES: Record<string, ErrorCode> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'payload_too_large',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported_media_type',
  FST_ERR_CTP_INVALID_JSON_BODY: 'malformed_json',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'malformed_json',
  FST_ERR_BAD_URL: 'malformed_request',
  FST_ERR_MAX_PARAM_LENGTH: 'uri_too_long',
};

/** What is left when only a status is known. */
const BY_STATUS: Record<number, ErrorCode> = {
  400: 'malformed_request',
  401: 'unauthorized',
  404: 'not_found',
  408: 'request_timeout',
  413: 'payload_too_large',
  414: 'uri_too_long',
  415: 'unsupported_media_type',
  429: 'rate_limited',
  431: 'headers_too_large',
  503: 'unavailable',
};

/** Every failure, whoever threw it, as an AppError: one of ours as it is, a known one translated, others hidden. */
export function toAppError(error: unknown, translators: readonly ErrorTranslator[]): AppError {
  if (error instanceof AppError) return error;
  for (const translate of translators) {
    const translated = translate(error);
    if (translated) return translated;
  }
  const { code, status } = facts(error);
  const known = FASTIFY_CODES[code] ?? (error instanceof SyntaxError ? 'malformed_json' : BY_STATUS[status]);
  return new AppError(known ?? (status >= 400 && status < 500 ? 'malformed_request' : 'internal_error'), {
    cause: error,
  });
}

function facts(error: unknown): { code: string; status: number } {
  if (error instanceof HttpException) return { ...facts(error.cause), status: error.getStatus() };
  const { code, statusCode } = (typeof error === 'object' && error !== null ? error : {}) as Record<
    string,
    unknown
  >;
  return {
    code: typeof code === 'string' ? code : '',
    status: typeof statusCode === 'number' ? statusCode : 500,
  };
}
