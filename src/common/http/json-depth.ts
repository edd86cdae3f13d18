/** Deeper documents are refused: what walks them by recursion must not run out of stack. */
const DEPTH_MAX = 64;

/** Whether a parsed JSON value is nested no deeper than anybody means it. */
export function isShallow(value: unknown): boolean {
  let level: unknown[] = [value];
  for (let depth = 0; depth <= DEPTH_MAX; depth++) {
    level = level.flatMap((item) =>
      item !== null && typeof item === 'object' ? (Object.values(item) as unknown[]) : [],
    );
    if (level.length === 0) return true;
  }
  return false;
}
