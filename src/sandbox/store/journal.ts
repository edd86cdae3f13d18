import { closeSync, fsyncSync, ftruncateSync, mkdirSync, openSync, renameSync, writeSync } from 'node:fs';
import { readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Kind, Records } from './records.js';
import { KINDS } from './records.js';
import { readLines } from './lines.js';
import type { Change, Commit, Journal, Store } from './store.js';

/**
 * The data folder: `snapshot-N` holds the state up to where `journal-N` begins, and the journals
 * from N on hold every commit since, one line each. A line is written before anything is answered
 * that knows of it, with write(2) and without fsync: it survives the death of the process, not of
 * the machine.
 */
type Line = [at: number, eventId: number, ...changes: [Kind, Records[Kind] | string][]];

const CHUNK = 500;

export class JournalFolder implements Journal {
  private generation = 0;
  private file = -1;
  private bytes = 0;
  /** Lines that wait for the end of this turn of the event loop, and who waits for them. */
  private lines = '';
  private waiting: (() => void)[] = [];
  private snapshotBytes = 0;
  /** Counts up whenever a compaction that runs has lost its point. */
  private era = 0;
  private compacting: Promise<void> | null = null;

  constructor(
    private readonly folder: string,
    private readonly store: Store,
    private readonly compactBytes: number,
    private readonly notice: (text: string) => void,
  ) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.load();
  }

  /** One write(2) carries all commits of a turn of the event loop; their answers wait for it. */
  append({ at, event_id, changes }: Commit): void {
    if (this.lines === '') setImmediate(() => this.flush());
    let line = `[${at},${event_id}`;
    for (const change of changes) line += written(change);
    this.lines += `${line}]\n`;
  }

  whenWritten(action: () => void): void {
    if (this.lines === '') action();
    else this.waiting.push(action);
  }

  private flush(): void {
    if (this.lines === '') return;
    const bytes = Buffer.from(this.lines);
    const waiting = this.waiting;
    this.lines = '';
    this.waiting = [];
    // A disk that takes no more ends the process: going on would answer what is not kept.
    writeAll(this.file, bytes);
    this.bytes += bytes.length;
    for (const action of waiting) action();
    if (this.bytes > this.compactBytes && this.bytes > 2 * this.snapshotBytes) this.startCompaction();
  }

  /** Forgets everything, so that nothing of it comes back after a crash either. */
  reset(): void {
    this.flush();
    this.era += 1;
    this.generation += 1;
    this.publish(this.openSnapshot());
    this.rotate();
    this.removeOlder();
  }

  async close(): Promise<void> {
    this.flush();
    await this.compacting;
    fsyncSync(this.file);
    closeSync(this.file);
  }

  /** For those who must see it done; otherwise it runs beside the requests. */
  async compact(): Promise<void> {
    this.startCompaction();
    await this.compacting;
  }

  private load(): void {
    const names = readdirSync(this.folder);
    for (const name of names) if (name.endsWith('.tmp')) rmSync(join(this.folder, name));
    const numbers = (kind: string): number[] =>
      names
        .map((name) => new RegExp(`^${kind}-(\\d+)\\.jsonl$`).exec(name)?.[1])
        .filter((text) => text !== undefined)
        .map(Number)
        .sort((a, b) => a - b);
    const snapshot = numbers('snapshot').at(-1) ?? 0;
    if (snapshot > 0) this.loadSnapshot(snapshot);
    const journals = numbers('journal').filter((number) => number >= snapshot);
    for (const number of journals) this.loadJournal(number);
    this.generation = journals.at(-1) ?? snapshot;
    this.openJournal();
    this.removeOlder(snapshot);
  }

  private loadSnapshot(number: number): void {
    const path = this.path('snapshot', number);
    this.snapshotBytes = statSync(path).size;
    readLines(path, (value, index) => {
      if (index === 0) this.store.sequence = (value as { sequence: number }).sequence;
      else this.store.restore(...(value as [Kind, Records[Kind]]));
    });
  }

  private loadJournal(number: number): void {
    const path = this.path('journal', number);
    const { kept, dropped } = readLines(path, (value) => {
      const [at, event_id, ...changes] = value as Line;
      this.store.replay({ at, event_id, changes: changes.map(read) });
    });
    if (dropped === 0) return;
    this.notice(`dropped a torn last line of ${dropped} bytes from ${path}: it was never answered`);
    const file = openSync(path, 'r+');
    ftruncateSync(file, kept);
    closeSync(file);
  }

  private startCompaction(): void {
    this.compacting ??= this.runCompaction().finally(() => {
      this.compacting = null;
    });
  }

  /**
   * New commits go to a new journal while the records as they are now are written beside the
   * requests. A record's derived counters may be ahead of it by then: replaying does not take them back.
   */
  private async runCompaction(): Promise<void> {
    this.flush();
    const era = this.era;
    this.generation += 1;
    this.rotate();
    const snapshot = this.openSnapshot();
    const all = KINDS.map((kind) => [kind, [...this.store.tables[kind].values()]] as const);
    let size = 0;
    for (const [kind, records] of all) {
      for (let at = 0; at < records.length; at += CHUNK) {
        const lines = records.slice(at, at + CHUNK).map((record) => JSON.stringify([kind, record]));
        size += writeAll(snapshot.file, Buffer.from(`${lines.join('\n')}\n`));
        await new Promise(setImmediate);
        if (era === this.era) continue;
        closeSync(snapshot.file);
        return rmSync(snapshot.path);
      }
    }
    this.publish(snapshot);
    this.snapshotBytes = size;
    this.removeOlder();
  }

  private openSnapshot(): { file: number; path: string; number: number } {
    const number = this.generation;
    const path = `${this.path('snapshot', number)}.tmp`;
    const file = openSync(path, 'w', 0o600);
    writeAll(file, Buffer.from(`${JSON.stringify({ sequence: this.store.sequence })}\n`));
    return { file, path, number };
  }

  /** Whole or not at all: a snapshot counts from its rename on. */
  private publish({ file, path, number }: { file: number; path: string; number: number }): void {
    fsyncSync(file);
    closeSync(file);
    renameSync(path, this.path('snapshot', number));
  }

  private rotate(): void {
    closeSync(this.file);
    this.openJournal();
  }

  private openJournal(): void {
    this.file = openSync(this.path('journal', this.generation), 'a', 0o600);
    this.bytes = statSync(this.path('journal', this.generation)).size;
  }

  private removeOlder(than = this.generation): void {
    for (const name of readdirSync(this.folder)) {
      const number = /^(?:snapshot|journal)-(\d+)\.jsonl$/.exec(name)?.[1];
      if (number !== undefined && Number(number) < than) rmSync(join(this.folder, name));
    }
  }

  private path(kind: 'snapshot' | 'journal', number: number): string {
    return join(this.folder, `${kind}-${number}.jsonl`);
  }
}

function writeAll(file: number, bytes: Buffer): number {
  for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at);
  return bytes.length;
}

/** A record put, or the sid of one removed. */
const written = (change: Change): string =>
  `,["${change.kind}",${JSON.stringify(change.record ?? (change as { sid: string }).sid)}]`;

const read = ([kind, value]: [Kind, Records[Kind] | string]): Change =>
  typeof value === 'string' ? { kind, sid: value } : ({ kind, record: value } as Change);
