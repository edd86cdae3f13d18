/** Deeper documents are refused: what walks them by recursion must not run out of stack. */
const DEPTH_MAX = 64;

/** Whether a parsed JSON value is nested no deeper than anybody means it. Looks no deeper itself. */
export function isShallow(value: unknown, levels = DEPTH_MAX + 1): boolean {
  if (levels === 0) return false;
  if (value === null || typeof value !== 'object') return true;
  return Object.values(value).every((item) => isShallow(item, levels - 1));
}
