import { ERROR_CATALOG, type ErrorCode } from './error-catalog.js';

/** One reason why a field of the request was refused. `field` is a path such as `participants.0.externalId`. */
export interface FieldError {
  field: string;
  message: string;
}

/** What Twilio said, as far as it may be shown. */
export interface TwilioFailure {
  code: number | null;
  status: number | null;
  requestId: string | null;
}

export interface AppErrorOptions {
  /** For the client: what went wrong in this case, without secrets or internals. */
  detail?: string;
  errors?: FieldError[];
  twilio?: TwilioFailure;
  /** Further members of the problem document, such as `conversation`. */
  extensions?: Record<string, unknown>;
  /** Response headers, such as `Retry-After`. */
  headers?: Record<string, string>;
  /** For the log only. */
  cause?: unknown;
}

/** The one kind of failure that services throw. What is not an AppError is rendered as `internal_error`. */
export class AppError extends Error {
  readonly status: number;
  readonly headers: Record<string, string>;

  constructor(
    readonly code: ErrorCode,
    readonly options: AppErrorOptions = {},
  ) {
    super(options.detail ?? ERROR_CATALOG[code].title, { cause: options.cause });
    this.name = 'AppError';
    this.status = ERROR_CATALOG[code].status;
    this.headers = options.headers ?? {};
  }

  static validation(errors: FieldError[]): AppError {
    const detail = errors.map((error) => `${error.field}: ${error.message}`).join('; ');
    return new AppError('validation_failed', { detail, errors });
  }

  static invalid(field: string, message: string): AppError {
    return AppError.validation([{ field, message }]);
  }
}
