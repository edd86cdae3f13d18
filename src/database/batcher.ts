import { DatabaseBusy, isUndone } from './pg-errors.js';

export interface BatcherOptions<Item> {
  /** Batches under way at once. */
  atOnce: number;
  /**
   * How long a batch has to itself before another may go beside it, in milliseconds: 0 unless given. What comes meanwhile
   * makes a larger one, and one that waits for a lock holds nobody up for longer.
   */
  aloneMs?: number;
  /** What a batch may weigh; an item that weighs more goes alone. */
  most: number;
  /** What an item weighs; 1 unless given. */
  weigh?: (item: Item) => number;
  /** Whether an item may go into one statement with those; otherwise it waits for the next. */
  fits?: (item: Item, batch: readonly Item[]) => boolean;
  /** Items that may wait for a batch; beyond it they are refused (DatabaseBusy). No bound unless given. */
  waitingMost?: number;
  /** For how long one may wait for a batch before it is refused (DatabaseBusy), in milliseconds. No bound unless given. */
  patienceMs?: number;
}

interface Waiting<Item, Result> {
  item: Item;
  /** On the local monotonic clock. */
  since: number;
  resolve: (result: Result) => void;
  reject: (error: unknown) => void;
}

/**
 * Puts what comes at about the same time into one statement: what comes while all batches are under way makes the next
 * one, so that nobody waits for company, and a busy process pays for one round trip and one commit instead of many. A batch
 * that Postgres refuses as a whole is undone and sent again item by item: only the one to blame fails.
 */
export class Batcher<Item, Result> {
  private readonly waiting: Waiting<Item, Result>[] = [];
  private underWay = 0;
  /** On the local monotonic clock, of the batch that was sent last. */
  private sentAt = -Infinity;
  private beside: NodeJS.Timeout | undefined;
  private scheduled = false;
  private expiry: NodeJS.Timeout | undefined;

  /** `run` answers a result for each item, in their order. */
  constructor(
    private readonly run: (items: readonly Item[]) => Promise<readonly Result[]>,
    private readonly options: BatcherOptions<Item>,
  ) {}

  add(item: Item): Promise<Result> {
    const { waitingMost = Infinity } = this.options;
    return new Promise((resolve, reject) => {
      if (this.waiting.length >= waitingMost) return reject(new DatabaseBusy());
      this.waiting.push({ item, since: performance.now(), resolve, reject });
      this.watch();
      if (this.scheduled) return;
      this.scheduled = true;
      // What the same turn of the event loop brings goes together.
      setImmediate(() => this.sendAll());
    });
  }

  /** Has an eye on who waits longest. */
  private watch(): void {
    const { patienceMs } = this.options;
    const [oldest] = this.waiting;
    if (patienceMs === undefined || !oldest || this.expiry) return;
    this.expiry = setTimeout(
      () => {
        this.expiry = undefined;
        const late = performance.now() - patienceMs;
        while (this.waiting[0] && this.waiting[0].since <= late)
          this.waiting.shift()!.reject(new DatabaseBusy());
        this.watch();
      },
      oldest.since + patienceMs - performance.now() + 1,
    );
    this.expiry.unref();
  }

  private sendAll(): void {
    this.scheduled = false;
    while (this.waiting.length > 0 && this.underWay < this.options.atOnce) {
      const aloneMs = this.underWay === 0 ? 0 : this.sentAt + (this.options.aloneMs ?? 0) - performance.now();
      if (aloneMs > 0) return this.sendBeside(aloneMs);
      this.underWay += 1;
      this.sentAt = performance.now();
      void this.send(this.takeBatch()).finally(() => {
        this.underWay -= 1;
        this.sendAll();
      });
    }
  }

  private sendBeside(inMs: number): void {
    this.beside ??= setTimeout(() => {
      this.beside = undefined;
      this.sendAll();
    }, inMs);
  }

  private takeBatch(): Waiting<Item, Result>[] {
    const { most, weigh = () => 1, fits = () => true } = this.options;
    const batch: Waiting<Item, Result>[] = [];
    const items: Item[] = [];
    const left: Waiting<Item, Result>[] = [];
    let weight = 0;
    for (const one of this.waiting) {
      const heavier = weight + weigh(one.item);
      if (batch.length > 0 && (heavier > most || !fits(one.item, items))) {
        left.push(one);
        continue;
      }
      weight = heavier;
      batch.push(one);
      items.push(one.item);
    }
    this.waiting.splice(0, this.waiting.length, ...left);
    return batch;
  }

  private async send(batch: Waiting<Item, Result>[]): Promise<void> {
    try {
      const results = await this.run(batch.map(({ item }) => item));
      batch.forEach(({ resolve }, index) => resolve(results[index]!));
    } catch (error) {
      if (batch.length > 1 && isUndone(error)) await Promise.all(batch.map((one) => this.send([one])));
      else for (const { reject } of batch) reject(error);
    }
  }
}
