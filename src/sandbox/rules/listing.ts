import type { Kind, Records } from '../store/records.js';
import type { Ordered } from '../store/ordered.js';

/** A place in a list, as a page token carries it. */
export type Position = number | string;
export type Entry = readonly [Position, string];

/** The sids of a list in its order, from a position on, forwards and backwards. */
export interface Listing {
  kind: Kind;
  forward(from?: Position): Iterable<Entry>;
  backward(from: Position): Iterable<Entry>;
  keep?: (record: Records[Kind]) => boolean;
}

export function oldestFirst(kind: Kind, list: Ordered): Listing {
  return {
    kind,
    forward: (from) => list.after(from as number | undefined),
    backward: (from) => list.before(from as number),
  };
}

export function newestFirst(kind: Kind, list: Ordered): Listing {
  return {
    kind,
    forward: (from) => list.before(from as number | undefined),
    backward: (from) => list.after(from as number),
  };
}

/** A list put together for this request, sorted ascending by position. */
export function sorted(kind: Kind, entries: Entry[]): Listing {
  entries.sort(([a], [b]) => compare(a, b));
  return {
    kind,
    forward: (from) => (from === undefined ? entries : entries.filter(([at]) => compare(at, from) > 0)),
    backward: (from) => entries.filter(([at]) => compare(at, from) < 0).reverse(),
  };
}

const compare = (a: Position, b: Position): number => (a < b ? -1 : a > b ? 1 : 0);
