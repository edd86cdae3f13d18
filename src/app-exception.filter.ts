import { Catch, Logger, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { AppError } from './common/errors/app-error.js';
import { PROBLEM_CONTENT_TYPE, renderProblem } from './common/errors/problem.js';
import { toAppError, type ErrorTranslator } from './common/errors/to-app-error.js';
import { isDatabaseAway } from './database/pg-errors.js';
import { toAppError as fromTwilioError } from './twilio/to-app-error.js';
import { TwilioError } from './twilio/twilio-error.js';

/** What the layers below throw, and what becomes of it. */
const TRANSLATORS: ErrorTranslator[] = [
  (error) => (error instanceof TwilioError ? fromTwilioError(error) : null),
  (error) =>
    isDatabaseAway(error)
      ? new AppError('unavailable', {
          detail: 'The database cannot be reached.',
          headers: { 'retry-after': '1' },
          cause: error,
        })
      : null,
];

const logger = new Logger('Failure');

/** Answers a failure as a problem document: the only place that does. Logs what is our fault, never a body. */
export function sendProblem(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const appError = toAppError(error, TRANSLATORS);
  if (appError.status >= 500) {
    const cause = appError.cause instanceof Error ? appError.cause : appError;
    const what = `${appError.code} ${request.id}`;
    if (appError.code === 'internal_error') logger.error(what, cause.stack);
    else logger.warn(`${what}: ${cause.message}`);
  }
  reply
    .status(appError.status)
    .headers(appError.headers)
    .type(PROBLEM_CONTENT_TYPE)
    .send(JSON.stringify(renderProblem(appError, { instance: request.url, requestId: request.id })));
}

/** Nest's door to the one renderer. */
@Catch()
export class AppExceptionFilter implements ExceptionFilter {
  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    sendProblem(error, http.getRequest<FastifyRequest>(), http.getResponse<FastifyReply>());
  }
}
