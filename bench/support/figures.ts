import { cpus } from 'node:os';

export function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** The value that so many of a hundred stay below. */
export function percentile(values: number[], percent: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * percent) / 100))]!;
}

export const ms = (value: number): string => `${value.toFixed(1)} ms`;

/** What the figures were made on. */
export function machine(): string {
  return `${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, Node ${process.version}`;
}

/** Milliseconds that `work` takes. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

/** Says whether each bound holds; the exit status tells it too. */
export function judge(bounds: [what: string, holds: boolean][]): void {
  for (const [what, holds] of bounds) console.log(`${holds ? 'holds ' : 'MISSED'}  ${what}`);
  if (bounds.some(([, holds]) => !holds)) process.exitCode = 1;
}
