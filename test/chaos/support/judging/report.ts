import type { Recorder } from '../load/record.js';
import type { Settings } from '../world/settings.js';

/** What a run ended with. */
export interface Report {
  lines: string[];
  discrepancies: string[];
}

/** Describes a run: its settings, what was asked, what was done to the world, and every discrepancy. */
export function reportOf(
  name: string,
  settings: Settings,
  recorder: Recorder,
  facts: Record<string, string | number>,
  discrepancies: string[],
): Report {
  const counts = [...recorder.counts].sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    lines: [
      `${name}: seed ${settings.seed}; ${JSON.stringify(settings)}`,
      `  asked and answered: ${counts.map(([what, n]) => `${what} × ${n}`).join(', ')}`,
      ...Object.entries(facts).map(([what, value]) => `  ${what}: ${value}`),
      ...discrepancies.map((text) => `  ✗ ${text}`),
      discrepancies.length === 0
        ? '  0 discrepancies: nothing lost, nothing doubled, nothing left over'
        : `  ${discrepancies.length} discrepancies; again with --seed ${settings.seed}`,
    ],
    discrepancies,
  };
}

/** A program that is told to stop takes its processes with it. */
export function stopWithSignals(): void {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
}

/** Prints the report of a program; the exit status says whether there was a discrepancy. */
export function finish({ lines, discrepancies }: Report): void {
  for (const line of lines) console.log(line);
  process.exitCode = discrepancies.length === 0 ? 0 : 1;
}
