import { Injectable, Logger, type OnModuleDestroy } from '@nestjs/common';
import { setTimeout as sleep } from 'node:timers/promises';
import pLimit from 'p-limit';
import type { Caller } from '../../access/caller.js';
import { AppError } from '../../common/errors/app-error.js';
import type { ErrorCode } from '../../common/errors/error-catalog.js';
import { LineSplitter, type Line } from '../../common/http/line-splitter.js';
import { Reply } from '../../common/http/reply.js';
import { NDJSON_TYPES, type Upload, type UploadEnd } from '../../common/http/upload.js';
import { isDatabaseAway } from '../../database/pg-errors.js';
import type { ImportResult } from './import.dto.js';
import { ImportBatches, type WantedLine } from './import-batch.js';
import { failed, IMPORT_LINE_MAX, readLine } from './import-lines.js';

/** Lines of one transaction. */
const BATCH_LINES = 500;
/** Batches that one process writes at once: what else it serves needs connections too. */
const WRITERS = 2;
/** Waits between the tries of a batch when Postgres is away or somebody holds a row, in milliseconds. */
const RETRIES_MS = [100, 400, 1600];

/** Why an import ended before its last line. Where the client has gone, nobody reads it. */
const ENDS: Record<Exclude<UploadEnd, 'complete' | 'gone'>, [ErrorCode, string]> = {
  stalled: ['request_timeout', 'did not come in time: send it and those after it again'],
  stopped: ['unavailable', 'was not read, as this replica is stopping: send it and those after it again'],
};

/** Imports identities line by line: each batch is answered once it is written, and nothing more than that is kept. */
@Injectable()
export class ImportService implements OnModuleDestroy {
  private readonly logger = new Logger(ImportService.name);
  private readonly stopping = new AbortController();
  private readonly writer = pLimit(WRITERS);

  constructor(private readonly batches: ImportBatches) {}

  /** 200 at once; what becomes of the lines is told in the body, as it is known. */
  import(caller: Caller, upload: Upload): Reply {
    const body = upload.answer(this.answers(caller.serviceId, upload));
    return new Reply(200, body, { 'content-type': `${NDJSON_TYPES[0]}; charset=utf-8` });
  }

  /** Ends all imports after the batch that is being written: before anybody waits for what is under way. */
  onModuleDestroy(): void {
    this.stopping.abort();
  }

  private async *answers(serviceId: string, upload: Upload): AsyncGenerator<string> {
    const splitter = new LineSplitter(IMPORT_LINE_MAX);
    const chunks = upload.chunks(this.stopping.signal);
    let next = 1;
    try {
      for (;;) {
        const { value, done } = await chunks.next();
        if (done && value !== 'complete') return yield* this.ended(next, value);
        const lines = done ? splitter.end() : splitter.push(value);
        for (let from = 0; from < lines.length; from += BATCH_LINES) {
          if (this.stopping.signal.aborted) return yield* this.ended(next, 'stopped');
          const slice = lines.slice(from, from + BATCH_LINES);
          for await (const results of this.results(serviceId, upload, slice)) {
            if (results.length > 0) yield ndjson(results);
            next = (results.at(-1)?.line ?? next - 1) + 1;
          }
          next = (slice.at(-1)?.number ?? 0) + 1;
        }
        if (done) return;
      }
    } catch (error) {
      yield ndjson([this.broken(next, error)]);
    } finally {
      await chunks.return('stopped');
    }
  }

  /** Writes lines in as few transactions as their order allows: of one person's two, the later one comes later. */
  private async *results(serviceId: string, upload: Upload, lines: Line[]): AsyncGenerator<ImportResult[]> {
    let results: ImportResult[] = [];
    let batch = new Map<string, WantedLine>();
    const write = async (): Promise<ImportResult[]> => {
      const written = batch.size > 0 ? await this.write(serviceId, [...batch.values()]) : [];
      return [...results, ...written].sort((a, b) => a.line - b.line);
    };
    for (const line of lines) {
      const read = await readLine(upload, line);
      if (read === null) continue;
      if ('status' in read) {
        results.push(read);
        continue;
      }
      if (batch.has(read.wanted.externalId)) {
        yield await write();
        results = [];
        batch = new Map();
      }
      batch.set(read.wanted.externalId, read);
    }
    yield await write();
  }

  private async write(serviceId: string, lines: WantedLine[]): Promise<ImportResult[]> {
    for (let tries = 0; ; tries += 1) {
      try {
        return await this.writer(() => this.batches.write(serviceId, lines));
      } catch (error) {
        const wait = RETRIES_MS[tries];
        if (wait === undefined || !isDatabaseAway(error)) throw error;
        await sleep(wait);
      }
    }
  }

  private *ended(line: number, how: Exclude<UploadEnd, 'complete'>): Generator<string, void> {
    if (how === 'gone') return;
    const [code, detail] = ENDS[how];
    yield ndjson([{ ...failed(line, new AppError(code, { detail })), ended: true }]);
  }

  private broken(line: number, error: unknown): ImportResult {
    const away = isDatabaseAway(error);
    if (!away) this.logger.error('An import broke', error instanceof Error ? error.stack : undefined);
    const code = away ? 'unavailable' : 'internal_error';
    const detail = 'was not written, nor those after it: send them again';
    return { ...failed(line, new AppError(code, { detail })), ended: true };
  }
}

const ndjson = (results: ImportResult[]): string =>
  results.map((result) => `${JSON.stringify(result)}\n`).join('');
