interface PgError {
  code: string;
  constraint?: string;
}

function isPgError(error: unknown): error is PgError {
  return error instanceof Error && 'code' in error && typeof error.code === 'string';
}

/** Postgres 23505 on this constraint (or unique index): the translation keys on the names in `migrations/`. */
export function isUniqueViolation(error: unknown, constraint: string): boolean {
  return isPgError(error) && error.code === '23505' && error.constraint === constraint;
}

/**
 * Postgres is away, starting, stopping or out of connections: nothing is wrong with the request, and it may be sent
 * again. SQLSTATE classes 08 (connection) and 57P (operator intervention), 53300 (too many connections), a time-out of
 * Postgres (57014, 25P03), a deadlock (40P01), and what the socket says.
 */
export function isDatabaseAway(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (error instanceof AggregateError) return error.errors.some(isDatabaseAway);
  const code = isPgError(error) ? error.code : '';
  if (
    /^(08...|57P0.|53300|57014|25P03|40P01|ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|ENOENT)$/.test(
      code,
    )
  )
    return true;
  return /^(Connection terminated|timeout exceeded when trying to connect|Cannot use a pool after)/.test(
    error.message,
  );
}
