import { request, type ClientRequest, type IncomingMessage } from 'node:http';
import type { ImportResult } from '../../src/identities/import/import.dto.js';

export interface ImportOptions {
  type?: string | null;
  headers?: Record<string, string>;
}

/** An import under way: what is sent and what is answered are two streams. */
export class RunningImport {
  readonly results: ImportResult[] = [];
  /** The answer's head, once it is there. */
  readonly head: Promise<IncomingMessage>;
  /** Settles when the answer is whole; rejects when the connection breaks first. */
  readonly done: Promise<ImportResult[]>;
  private readonly sending: ClientRequest;
  private response: IncomingMessage | undefined;

  constructor(
    baseUrl: string,
    key: string,
    { type = 'application/x-ndjson', headers = {} }: ImportOptions = {},
  ) {
    this.sending = request(`${baseUrl}/v1/identities/import`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, ...(type !== null && { 'content-type': type }), ...headers },
    });
    this.sending.flushHeaders();
    this.head = new Promise((resolve, reject) => {
      this.sending.once('response', (response) => resolve((this.response = response)));
      this.sending.on('error', reject);
    });
    this.done = this.head.then((response) => this.read(response));
    // Who asks for one of them alone is not told of the other.
    this.head.catch(() => undefined);
    this.done.catch(() => undefined);
  }

  /** Resolves when more may be sent. */
  async send(text: string | Buffer): Promise<void> {
    if (!this.sending.write(text)) await new Promise((resolve) => this.sending.once('drain', resolve));
  }

  /** Whether what was sent has left this process. */
  get sent(): boolean {
    return this.sending.writableLength === 0;
  }

  end(): void {
    this.sending.end();
  }

  /** Goes away without a word. */
  drop(): void {
    this.sending.destroy();
  }

  pause(): void {
    this.response?.pause();
  }

  resume(): void {
    this.response?.resume();
  }

  private async read(response: IncomingMessage): Promise<ImportResult[]> {
    let rest = '';
    response.setEncoding('utf8');
    response.on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      this.results.push(...lines.map((line) => JSON.parse(line) as ImportResult));
    });
    await new Promise((resolve, reject) => response.once('end', resolve).once('error', reject));
    if (rest !== '') throw new Error(`The answer ends within a line: ${rest}`);
    return this.results;
  }
}

/** Sends all of it, and answers what was answered. */
export async function importAll(
  baseUrl: string,
  key: string,
  text: string | Buffer,
  options?: ImportOptions,
): Promise<ImportResult[]> {
  const running = new RunningImport(baseUrl, key, options);
  void running.send(text);
  running.end();
  return running.done;
}
