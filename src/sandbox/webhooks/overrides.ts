/** Twilio's connection overrides that the sandbox knows, out of a webhook URL's fragment. */
export interface Overrides {
  /** How often a failed call is made again. */
  rc: number;
  /** What counts as failed: connecting, no answer, 4xx, 5xx, all. */
  rp: readonly string[];
}

const MOST_RETRIES = 5;

export function overridesOf(url: string): Overrides {
  const fragment = new URLSearchParams(/#(.*)$/s.exec(url)?.[1] ?? '');
  const rc = Number(fragment.get('rc') ?? 1);
  return {
    rc: Number.isInteger(rc) && rc >= 0 ? Math.min(rc, MOST_RETRIES) : 1,
    rp: (fragment.get('rp') ?? 'ct').split(','),
  };
}

export function retries(
  policy: readonly string[],
  outcome: { status: number } | 'unreachable' | 'silent',
): boolean {
  const kind =
    outcome === 'unreachable'
      ? 'ct'
      : outcome === 'silent'
        ? 'rt'
        : outcome.status >= 500
          ? '5xx'
          : outcome.status >= 400
            ? '4xx'
            : undefined;
  return kind !== undefined && (policy.includes('all') || policy.includes(kind));
}
