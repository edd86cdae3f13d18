import pLimit from 'p-limit';
import { setTimeout as delay } from 'node:timers/promises';
import { TwilioError } from './twilio-error.js';
import type { ListOptions, Sending } from './twilio.types.js';
import { UpstreamHealth } from './upstream-health.js';

/** Attempts of a read, the first one included. */
const READ_ATTEMPTS = 3;

/** What the pauses of one read may sum up to; a Retry-After beyond the rest of it is the caller's to wait for. */
const READ_PAUSES_MS = 2000;

/** Pause before the second attempt at most; doubled for the third. */
const READ_BACKOFF_MS = 100;

/** The part of an SDK page that is read. */
export interface SdkPage<T> {
  instances: T[];
  nextPageUrl?: string;
}

/** A list of the SDK, and how its rows become ours. */
export interface ListSource<S, T> {
  list: {
    page(parameters: { pageSize: number }): Promise<SdkPage<S>>;
    getPage(url: string): Promise<SdkPage<S>>;
  };
  /** Rows that Twilio gives in one page at most. */
  largestPage: 50 | 100;
  toOurs: (row: S) => T;
  /** Further query parameters of the first page; the following ones are in the URL that Twilio gives. */
  parameters?: Record<string, string>;
}

export interface Page<T> {
  rows: T[];
  nextUrl: string | null;
}

/** How calls go out: so many at once, the caller's check before each, and what may be repeated without harm repeated. */
export class UpstreamCalls {
  readonly #limit: ReturnType<typeof pLimit>;
  readonly health = new UpstreamHealth();

  /** @param maxConcurrency calls under way at once in this process; further ones wait, without a time-out */
  constructor(maxConcurrency: number) {
    this.#limit = pLimit(maxConcurrency);
  }

  /** A change: sent once, whatever comes of it. Its repetition needs a look-up, which is the caller's decision. */
  write<T>(sending: Sending, send: () => Promise<T>): Promise<T> {
    return this.#limit(async () => {
      await sending.beforeSend?.();
      return await this.#noted(understood(send));
    });
  }

  async #noted<T>(answer: Promise<T>): Promise<T> {
    try {
      const result = await answer;
      this.health.note(null);
      return result;
    } catch (error) {
      this.health.note(error);
      throw error;
    }
  }

  /** A reading: repeated when it was not looked at, met another change, or lost its connection. */
  async read<T>(sending: Sending, send: () => Promise<T>): Promise<T> {
    let budgetMs = READ_PAUSES_MS;
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.write(sending, send);
      } catch (error) {
        const again = attempt < READ_ATTEMPTS && !this.health.down;
        const pauseMs = again ? pauseBeforeRepeat(error, attempt) : null;
        if (pauseMs === null || pauseMs > budgetMs) throw error;
        budgetMs -= pauseMs;
        await delay(pauseMs);
      }
    }
  }

  /** A reading of one resource; null when it is not there. */
  async find<T>(sending: Sending, send: () => Promise<T>): Promise<T | null> {
    try {
      return await this.read(sending, send);
    } catch (error) {
      if (isMissing(error)) return null;
      throw error;
    }
  }

  /** A removal; one of something that is not there is done. */
  async remove(sending: Sending, send: () => Promise<unknown>): Promise<void> {
    await this.removeIfThere(sending, send);
  }

  /** The same; false when Twilio did not find it. */
  async removeIfThere(sending: Sending, send: () => Promise<unknown>): Promise<boolean> {
    try {
      await this.write(sending, send);
      return true;
    } catch (error) {
      if (!isMissing(error)) throw error;
      return false;
    }
  }

  /**
   * One page of a list. `pageSize` always goes along: without it the SDK asks for as many rows a page as its `limit`,
   * which may be more than Twilio allows.
   */
  page<S, T>(sending: Sending, load: () => Promise<SdkPage<S>>, toOurs: (row: S) => T): Promise<Page<T>> {
    return this.read(sending, async () => {
      const { instances, nextPageUrl } = await load();
      return { rows: instances.map(toOurs), nextUrl: nextPageUrl ?? null };
    });
  }

  /** The rows of a list, a page at a time, as far as they are asked for. */
  async *each<S, T>(
    sending: Sending,
    source: ListSource<S, T>,
    options: ListOptions,
  ): AsyncGenerator<T, void> {
    const limit = options.limit ?? Infinity;
    const pageSize = pageSizeOf(options, source.largestPage);
    let load: (() => Promise<SdkPage<S>>) | null = () => source.list.page({ ...source.parameters, pageSize });
    for (let left = limit; load !== null && left > 0;) {
      const { rows, nextUrl }: Page<T> = await this.page(sending, load, source.toOurs);
      yield* rows.slice(0, left);
      left -= rows.length;
      load = nextUrl === null ? null : () => source.list.getPage(nextUrl);
    }
  }

  /** The same rows in one array. */
  async list<S, T>(sending: Sending, source: ListSource<S, T>, options: ListOptions): Promise<T[]> {
    const rows: T[] = [];
    for await (const row of this.each(sending, source, options)) rows.push(row);
    return rows;
  }
}

/** The page size asked for, or the largest that is allowed and needed. Throws RangeError: a mistake on our side. */
export function pageSizeOf({ pageSize, limit }: ListOptions, largest: number): number {
  if (limit !== undefined && !(Number.isInteger(limit) && limit >= 0)) {
    throw new RangeError('limit must be an integer from 0');
  }
  const size = pageSize ?? Math.min(largest, Math.max(limit ?? largest, 1));
  if (!Number.isInteger(size) || size < 1 || size > largest) {
    throw new RangeError(`pageSize must be an integer from 1 to ${largest}`);
  }
  return size;
}

function isMissing(error: unknown): boolean {
  // A missing role is known by a code that means a wrong parameter elsewhere: here it was in the path.
  return (
    error instanceof TwilioError &&
    (error.kind === 'not_found' || (error.kind === 'refused' && error.status === 404))
  );
}

/** How long to wait before the next attempt; null where a repetition would not help, or was not to be made here. */
function pauseBeforeRepeat(error: unknown, attempt: number): number | null {
  if (!(error instanceof TwilioError)) return null;
  const repeatable = error.kind === 'rate_limited' || error.kind === 'conflict' || error.reason === 'network';
  if (!repeatable) return null;
  return (error.retryAfterMs ?? 0) + Math.random() * READ_BACKOFF_MS * 2 ** (attempt - 1);
}

/** What fails after sending, and is no TwilioError, failed on an answer that was not as expected. */
async function understood<T>(send: () => Promise<T>): Promise<T> {
  try {
    return await send();
  } catch (error) {
    if (error instanceof TwilioError) throw error;
    throw TwilioError.unreadable(
      error instanceof Error ? `${error.name}: ${error.message}` : 'it was not as expected',
    );
  }
}
