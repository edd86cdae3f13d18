import { Readable } from 'node:stream';

/** How long a chunk may lie there before its reader counts as gone, in milliseconds. */
const STALLED_MS = 60_000;

/**
 * A stream of texts that are made as they are read: nothing is made ahead of a slow reader, and one who has stopped
 * reading is let go. When making one fails, the stream is destroyed.
 */
export class ChunkStream extends Readable {
  private stalled: NodeJS.Timeout | undefined;

  /** `gone` is aborted when nobody reads any more, also at the end. */
  constructor(
    private readonly chunks: AsyncGenerator<string, void>,
    private readonly gone: AbortController,
  ) {
    super();
  }

  override _read(): void {
    clearTimeout(this.stalled);
    this.chunks.next().then(
      ({ done, value }) => {
        if (this.destroyed) return;
        if (!done) this.stalled = setTimeout(() => this.destroy(), STALLED_MS).unref();
        this.push(done ? null : value);
      },
      (error: unknown) => this.destroy(error as Error),
    );
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    clearTimeout(this.stalled);
    this.gone.abort();
    void this.chunks.return().catch(() => undefined);
    callback(error);
  }
}
