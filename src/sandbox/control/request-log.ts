import { parse } from 'node:querystring';

const CAPACITY = 100_000;

/** One request as it came; its parameters are read only when somebody asks. */
export interface LogEntry {
  sequence: number;
  time: number;
  method: string;
  url: string;
  body: string | undefined;
  status: number | null;
  durationMs: number | null;
  fault: string | null;
}

/** The newest requests of clients, noted as they arrive; calls of the control API are left out. */
export class RequestLog {
  private entries: LogEntry[] = [];
  private last = 0;
  /** Where the entries begin: after a clearing they fill the array from its start again. */
  private base = 0;

  note(method: string, url: string): LogEntry {
    this.last += 1;
    const entry = {
      sequence: this.last,
      time: Date.now(),
      method,
      url,
      body: undefined,
      status: null,
      durationMs: null,
      fault: null,
    };
    this.entries[this.slot(this.last)] = entry;
    return entry;
  }

  since(sequence: number): { requests: object[]; last: number } {
    const requests: object[] = [];
    for (let at = Math.max(sequence, this.last - CAPACITY, this.base) + 1; at <= this.last; at++) {
      const entry = this.entries[this.slot(at)];
      if (entry?.sequence === at) requests.push(shown(entry));
    }
    return { requests, last: this.last };
  }

  /** Sequence numbers go on, so that a reader's `since` stays right. */
  clear(): void {
    this.entries = [];
    this.base = this.last;
  }

  private slot(sequence: number): number {
    return (sequence - this.base - 1) % CAPACITY;
  }
}

function shown({ sequence, time, method, url, body, status, durationMs, fault }: LogEntry): object {
  const [path, query = ''] = url.split('?');
  const parameters = { ...parse(query), ...parse(body ?? '') };
  return {
    sequence,
    time: new Date(time).toISOString(),
    method,
    path,
    parameters,
    status,
    durationMs,
    fault,
  };
}
