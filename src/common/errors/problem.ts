import type { AppError, FieldError, TwilioFailure } from './app-error.js';
import { ERROR_CATALOG, type ErrorCode } from './error-catalog.js';

/** RFC 9457 problem document: the body of every failure. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  instance: string;
  code: ErrorCode;
  requestId: string;
  errors?: FieldError[];
  twilio?: TwilioFailure;
  [extension: string]: unknown;
}

export const PROBLEM_CONTENT_TYPE = 'application/problem+json; charset=utf-8';

export function renderProblem(error: AppError, request: { instance: string; requestId: string }): Problem {
  const { errors, twilio, extensions } = error.options;
  return {
    type: `urn:convoke:error:${error.code}`,
    title: ERROR_CATALOG[error.code].title,
    status: error.status,
    detail: error.message,
    instance: request.instance,
    code: error.code,
    requestId: request.requestId,
    ...(errors && { errors }),
    ...(twilio && { twilio }),
    ...extensions,
  };
}
