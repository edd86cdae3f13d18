import type { Clock } from '../store/clock.js';
import { DueHeap } from '../store/clock.js';
import type { Applied, Store } from '../store/store.js';
import { inState } from './conversations.js';
import { nextStatus, RECEIPT_STEP_MS } from './receipts.js';
import { nextTransition } from './timers.js';

const LONGEST_TIMEOUT = 2 ** 31 - 1;
const BY_ITSELF = { source: 'API', reason: 'TIMER', hooks: true } as const;

interface Item {
  kind: 'conversation' | 'receipt';
  sid: string;
}

/** What happens of itself: conversations whose timers run out, receipts that go forward. */
export class Scheduler {
  private readonly heap = new DueHeap<Item>();
  /** The one instant each sid waits for; heap entries for another are stale. */
  private readonly waiting = new Map<string, number>();
  private alarm: NodeJS.Timeout | undefined;
  private stopped = false;

  constructor(
    private readonly store: Store,
    private readonly clock: Clock,
  ) {
    store.onCommit((applied) => this.note(applied));
  }

  /** After a start: everything that waits in what was read back. */
  begin(): void {
    for (const sid of this.store.tables.conversation.keys()) this.schedule({ kind: 'conversation', sid });
    for (const sid of this.store.tables.receipt.keys()) this.schedule({ kind: 'receipt', sid });
    this.arm();
  }

  clear(): void {
    this.heap.clear();
    this.waiting.clear();
    clearTimeout(this.alarm);
  }

  stop(): void {
    this.stopped = true;
    this.clear();
  }

  /** Moves the clock; every timer that is passed fires on the way, at its own instant. */
  moveTo(offset: number): number {
    const target = Date.now() + offset;
    this.fireUntil(target);
    this.clock.offset = offset;
    const now = this.clock.now();
    const setting = this.store.get('clock', 'clock');
    const record = {
      sid: 'clock',
      offset,
      date_created: setting?.date_created ?? now,
      date_updated: now,
      created_event_id: setting?.created_event_id ?? 0,
      event_id: 0,
    };
    this.store.commit([{ kind: 'clock', record }], { ...BY_ITSELF, reason: 'API', hooks: false });
    this.arm();
    return now;
  }

  private note(applied: readonly Applied[]): void {
    for (const { kind, before, after } of applied) {
      if (after === undefined) continue;
      if (kind === 'conversation') this.schedule({ kind, sid: after.sid });
      else if (kind === 'receipt') this.schedule({ kind, sid: after.sid });
      else if (kind === 'message' && before === undefined) {
        this.schedule({ kind: 'conversation', sid: after.conversation_sid });
      }
    }
  }

  private schedule(item: Item): void {
    const due = this.dueOf(item);
    const waiting = this.waiting.get(item.sid);
    // A later instant than the one waited for is found when that one comes.
    if (due === undefined || (waiting !== undefined && waiting <= due)) return;
    this.waiting.set(item.sid, due);
    const next = this.heap.next;
    this.heap.push(due, item);
    if (next === undefined || due < next) this.arm();
  }

  private dueOf({ kind, sid }: Item): number | undefined {
    if (kind === 'conversation') {
      const conversation = this.store.get('conversation', sid);
      return conversation === undefined ? undefined : nextTransition(conversation)?.due;
    }
    const receipt = this.store.get('receipt', sid);
    if (receipt === undefined || nextStatus(this.store, receipt) === undefined) return undefined;
    return receipt.date_updated + RECEIPT_STEP_MS;
  }

  private arm(): void {
    clearTimeout(this.alarm);
    const next = this.heap.next;
    if (next === undefined || this.stopped) return;
    const wait = Math.min(Math.max(next - this.clock.now(), 0), LONGEST_TIMEOUT);
    this.alarm = setTimeout(() => {
      this.fireUntil(this.clock.now());
      this.arm();
    }, wait);
    this.alarm.unref();
  }

  private fireUntil(target: number): void {
    for (let next = this.heap.next; next !== undefined && next <= target; next = this.heap.next) {
      const due = next;
      const item = this.heap.pop() as Item;
      if (this.waiting.get(item.sid) !== due) continue;
      this.waiting.delete(item.sid);
      const actual = this.dueOf(item);
      if (actual === undefined) continue;
      if (actual > due) this.schedule(item);
      else this.clock.at(due, () => this.fire(item, due));
    }
  }

  private fire({ kind, sid }: Item, now: number): void {
    if (kind === 'conversation') {
      const conversation = this.store.get('conversation', sid);
      const transition = conversation === undefined ? undefined : nextTransition(conversation);
      if (conversation === undefined || transition === undefined) return;
      this.store.commit([{ kind, record: inState(conversation, transition.to, now) }], BY_ITSELF);
      return;
    }
    const receipt = this.store.get('receipt', sid);
    const next = receipt === undefined ? undefined : nextStatus(this.store, receipt);
    if (receipt === undefined || next === undefined) return;
    this.store.commit([{ kind, record: { ...receipt, ...next, date_updated: now } }], BY_ITSELF);
  }
}
