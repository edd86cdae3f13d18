/**
 * Sids in the order of an ever-growing key (the event id that put them there). Adding is at the
 * end, removing leaves a hole, and a page is found by binary search: no operation looks at all of
 * them, however many there are, and a page token (a key) stays good while others come and go.
 */
export class Ordered {
  private keys: number[] = [];
  private sids: (string | undefined)[] = [];
  private alive = 0;

  get size(): number {
    return this.alive;
  }

  add(key: number, sid: string): void {
    const last = this.keys.length - 1;
    if (last >= 0 && key <= (this.keys[last] ?? 0)) {
      this.insert(key, sid);
      return;
    }
    this.keys.push(key);
    this.sids.push(sid);
    this.alive += 1;
  }

  remove(key: number): void {
    const at = this.firstAtOrAfter(key);
    if (this.keys[at] !== key || this.sids[at] === undefined) return;
    this.sids[at] = undefined;
    this.alive -= 1;
    if (this.keys.length > 32 && this.alive < this.keys.length / 2) this.compact();
  }

  /** Those after `key`, oldest first; all when `key` is undefined. */
  *after(key?: number): Generator<[number, string]> {
    for (let at = key === undefined ? 0 : this.firstAtOrAfter(key + 1); at < this.keys.length; at++) {
      const sid = this.sids[at];
      if (sid !== undefined) yield [this.keys[at] as number, sid];
    }
  }

  /** Those before `key`, newest first; all when `key` is undefined. */
  *before(key?: number): Generator<[number, string]> {
    for (let at = (key === undefined ? this.keys.length : this.firstAtOrAfter(key)) - 1; at >= 0; at--) {
      const sid = this.sids[at];
      if (sid !== undefined) yield [this.keys[at] as number, sid];
    }
  }

  /** Only a journal that is read over a newer snapshot comes here: everything else adds at the end. */
  private insert(key: number, sid: string): void {
    const at = this.firstAtOrAfter(key);
    if (this.keys[at] === key) {
      if (this.sids[at] === undefined) this.alive += 1;
      this.sids[at] = sid;
      return;
    }
    this.keys.splice(at, 0, key);
    this.sids.splice(at, 0, sid);
    this.alive += 1;
  }

  private firstAtOrAfter(key: number): number {
    let low = 0;
    let high = this.keys.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.keys[middle] as number) < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  private compact(): void {
    const keys: number[] = [];
    const sids: string[] = [];
    for (const [key, sid] of this.after()) {
      keys.push(key);
      sids.push(sid);
    }
    this.keys = keys;
    this.sids = sids;
  }
}
