/** What two texts together name. The texts stay apart: joining them would cost a new string each time. */
export class Pairs<V> {
  private readonly firsts = new Map<string, Map<string, V>>();

  get(first: string, second: string): V | undefined {
    return this.firsts.get(first)?.get(second);
  }

  set(first: string, second: string, value: V): void {
    const seconds = this.firsts.get(first);
    if (seconds === undefined) this.firsts.set(first, new Map([[second, value]]));
    else seconds.set(second, value);
  }

  delete(first: string, second: string): void {
    const seconds = this.firsts.get(first);
    seconds?.delete(second);
    if (seconds?.size === 0) this.firsts.delete(first);
  }
}

/** Sids under two texts: mostly one, and then it is kept without a set around it. */
export class SidSets {
  private readonly sets = new Pairs<string | Set<string>>();

  all(first: string, second: string): Iterable<string> & { size: number } {
    const found = this.sets.get(first, second);
    return found === undefined ? NONE : typeof found === 'string' ? new Set([found]) : found;
  }

  size(first: string, second: string): number {
    const found = this.sets.get(first, second);
    return found === undefined ? 0 : typeof found === 'string' ? 1 : found.size;
  }

  add(first: string, second: string, sid: string): void {
    const found = this.sets.get(first, second);
    if (found === undefined || found === sid) this.sets.set(first, second, sid);
    else if (typeof found === 'string') this.sets.set(first, second, new Set([found, sid]));
    else found.add(sid);
  }

  remove(first: string, second: string, sid: string): void {
    const found = this.sets.get(first, second);
    if (found === sid) this.sets.delete(first, second);
    if (found === undefined || typeof found === 'string') return;
    found.delete(sid);
    if (found.size === 0) this.sets.delete(first, second);
  }
}

const NONE: ReadonlySet<string> = new Set();
