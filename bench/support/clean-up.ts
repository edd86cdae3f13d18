import { constants } from 'node:os';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * What is to be undone when a comparison is over, however that comes: its end, an error, or a signal, after which the
 * process ends with its status. SIGKILL leaves everything.
 */
export class CleanUp {
  private readonly steps: (() => unknown)[] = [];
  private done: Promise<void> | undefined;

  constructor() {
    for (const signal of SIGNALS) process.on(signal, () => this.endBy(signal));
  }

  /** Steps run one after another, the last one given first; what one throws does not keep the others from running. */
  later(step: () => unknown): void {
    this.steps.push(step);
  }

  /** A second call waits for the same. Throws what the first of the steps that failed threw. */
  run(): Promise<void> {
    return (this.done ??= this.undo());
  }

  /** A terminal's signal comes twice: from it, and from the programs above, which hand it on. */
  private endBy(signal: (typeof SIGNALS)[number]): void {
    // What is in the middle of something loses its server.
    process.on('uncaughtException', () => undefined).on('unhandledRejection', () => undefined);
    void this.run().finally(() => process.exit(128 + constants.signals[signal]));
  }

  private async undo(): Promise<void> {
    const errors: unknown[] = [];
    for (let step = this.steps.pop(); step; step = this.steps.pop()) {
      try {
        await step();
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw errors[0];
  }
}
