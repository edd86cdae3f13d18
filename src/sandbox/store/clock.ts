/** The sandbox's time: the machine's, moved by an offset that the control API sets. */
export class Clock {
  offset = 0;
  /** While passed timers fire, each sees the instant it was due at, not the one the clock goes to. */
  private held: number | null = null;

  now(): number {
    return this.held ?? Date.now() + this.offset;
  }

  at<T>(instant: number, run: () => T): T {
    const outer = this.held;
    this.held = instant;
    try {
      return run();
    } finally {
      this.held = outer;
    }
  }
}

/** Instants with something due at them, nearest first (a binary heap). */
export class DueHeap<T> {
  private readonly items: { due: number; value: T }[] = [];

  get next(): number | undefined {
    return this.items[0]?.due;
  }

  push(due: number, value: T): void {
    this.items.push({ due, value });
    let at = this.items.length - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (this.dueAt(parent) <= due) break;
      this.swap(at, parent);
      at = parent;
    }
  }

  pop(): T | undefined {
    const first = this.items[0];
    const last = this.items.pop();
    if (first === undefined || last === undefined) return undefined;
    if (this.items.length === 0) return first.value;
    this.items[0] = last;
    this.sink();
    return first.value;
  }

  clear(): void {
    this.items.length = 0;
  }

  private sink(): void {
    let at = 0;
    for (;;) {
      let least = at;
      for (const child of [2 * at + 1, 2 * at + 2]) {
        if (child < this.items.length && this.dueAt(child) < this.dueAt(least)) least = child;
      }
      if (least === at) return;
      this.swap(at, least);
      at = least;
    }
  }

  private dueAt(at: number): number {
    return (this.items[at] as { due: number }).due;
  }

  private swap(a: number, b: number): void {
    const kept = this.items[a] as { due: number; value: T };
    this.items[a] = this.items[b] as { due: number; value: T };
    this.items[b] = kept;
  }
}
