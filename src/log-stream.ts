import { pino, type DestinationStream } from 'pino';

/** How long a line may wait for company, in milliseconds. */
const FLUSH_MS = 100;
/**
 * Bytes that are written without waiting for the time to be over. Those that wait are counted anew with each line that
 * joins them (measured: with eight times as many, a twentieth of the CPU of a token).
 */
const FLUSH_BYTES = 8_192;
/** Bytes that wait at most, where nobody reads what is written; what comes beyond is dropped, and counted. */
const WAITING_MAX_BYTES = 8_388_608;
/** Pino's number of `warn`. */
const WARN = 40;

/**
 * Where the log goes: standard output, many lines by one write (measured: a write for each request was 6 % of the CPU of
 * a busy process). Warnings and errors are written at once, and so is what is left when the process ends, by itself or
 * by an exception; only SIGKILL loses what the last tenth of a second has brought. An output that is full or that nobody
 * reads neither ends the service nor holds it up.
 */
export function logStream(): DestinationStream {
  return (stream ??= openStream());
}

/** One for the process, however many applications it holds. */
let stream: DestinationStream | undefined;

function openStream(): DestinationStream {
  const destination = pino.destination({
    dest: 1,
    sync: false,
    minLength: FLUSH_BYTES,
    maxWrite: 2 * FLUSH_BYTES,
    maxLength: WAITING_MAX_BYTES,
  });
  let dropped = 0;
  let failing = false;
  // Nobody listening, a full disk would end the process.
  destination.on('error', () => (failing = true)).on('write', () => (failing = false));
  // At the end of the process it would be tried for ever.
  const flushSync = destination.flushSync.bind(destination);
  destination.flushSync = () => (failing ? undefined : flushSync());
  destination.on('drop', () => (dropped += 1));
  const tellDropped = (): void => {
    const before = dropped;
    const time = new Date().toISOString();
    destination.write(
      `{"level":${WARN},"time":"${time}","msg":"${before} line(s) of the log were dropped"}\n`,
    );
    // That line may have been dropped as well.
    dropped = dropped === before ? 0 : before;
  };
  setInterval(() => {
    if (dropped > 0) tellDropped();
    destination.flush();
  }, FLUSH_MS).unref();
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
