import { destination } from 'pino';

/**
 * Where the log goes: standard output. The lines of one turn of the event loop are written together, at its end: a busy
 * process pays for one write instead of one a request. What is left when the process exits is written then.
 */
class LogStream {
  private readonly output = destination({ fd: 1, sync: true });
  private lines = '';

  constructor() {
    process.once('exit', () => this.flush());
  }

  write(line: string): void {
    if (this.lines === '') setImmediate(() => this.flush());
    this.lines += line;
  }

  private flush(): void {
    const { lines } = this;
    this.lines = '';
    if (lines !== '') this.output.write(lines);
  }
}

let stream: LogStream | undefined;

/** The one of this process, however many applications are in it. */
export const logStream = (): LogStream => (stream ??= new LogStream());
