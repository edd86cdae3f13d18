interface PgError {
  code: string;
  constraint?: string;
  severity?: string;
}

function isPgError(error: unknown): error is PgError {
  return error instanceof Error && 'code' in error && typeof error.code === 'string';
}

/** Postgres 23505 on this constraint (or unique index): the translation keys on the names in `migrations/`. */
export function isUniqueViolation(error: unknown, constraint: string): boolean {
  return isPgError(error) && error.code === '23505' && error.constraint === constraint;
}

/** Postgres 55P03: somebody holds a lock for longer than we wait. */
export function isLockTimeout(error: unknown): boolean {
  return isPgError(error) && error.code === '55P03';
}

/** Postgres 40001: others have written what a statement counted on. The same again sees it. */
export function isRaced(error: unknown): boolean {
  return isPgError(error) && error.code === '40001';
}

/** The statement has been refused and undone, and the server is well: for some other values it may go through. */
export function isUndone(error: unknown): boolean {
  return isPgError(error) && error.severity === 'ERROR' && !/^(53...|57014|58...)$/.test(error.code);
}

/**
 * SQLSTATEs that say nothing against the request: connection (08), operator intervention (57P), resources and disk (53,
 * 58), time-outs (57014, 25P03, 55P03), deadlock and serialisation (40P01, 40001), a server that has become a standby
 * (25006), a cached plan that no longer fits (0A000).
 */
const PASSING_STATES = /^(08...|53...|57P0.|58...|57014|25P03|25006|55P03|40P01|40001|0A000)$/;
const SOCKET_CODES =
  /^(ECONNREFUSED|ECONNRESET|ECONNABORTED|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|EADDRNOTAVAIL|ENOTFOUND|EAI_AGAIN|ENOENT|ERR_STREAM_DESTROYED)$/;
/** What pg says without a code. */
const SOCKET_MESSAGES =
  /^(Connection terminated|timeout exceeded when trying to connect|Cannot use a pool after|Query read timeout|Client (has encountered a connection error|was closed) and is not queryable)/;

/** Nothing has been sent: more waits for Postgres than it gets done in any time that a caller waits. */
export class DatabaseBusy extends Error {
  constructor() {
    super('Too much waits for Postgres.');
    this.name = 'DatabaseBusy';
  }
}

/** Postgres is away, starting, stopping or overloaded: nothing is wrong with the request, and it may be sent again. */
export function isDatabaseAway(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (error instanceof DatabaseBusy) return true;
  if (error instanceof AggregateError) return error.errors.some(isDatabaseAway);
  const code = isPgError(error) ? error.code : '';
  return PASSING_STATES.test(code) || SOCKET_CODES.test(code) || SOCKET_MESSAGES.test(error.message);
}
