import type { Kind, Records } from '../store/records.js';
import type { Store } from '../store/store.js';
import type { Entry, Listing, Position } from '../rules/listing.js';
import { fail } from './errors.js';

const USUAL = 50;

/** Where a page begins: after a position going forward, before one going back. */
interface Token {
  page: number;
  after?: Position;
  before?: Position;
}

export interface PageRequest {
  PageSize?: number;
  Page?: number;
  PageToken?: string;
}

export interface Page {
  meta: {
    page: number;
    page_size: number;
    first_page_url: string;
    previous_page_url: string | null;
    url: string;
    next_page_url: string | null;
    key: string;
  };
  records: Records[Kind][];
}

/** "PT" and JSON in base64, as Twilio's look; only the token decides what a page holds. */
function encode(token: Token): string {
  return `PT${Buffer.from(JSON.stringify(token)).toString('base64url')}`;
}

function decode(text: string): Token {
  try {
    const token = JSON.parse(Buffer.from(text.slice(2), 'base64url').toString()) as Token;
    const position = token.after ?? token.before;
    const known = typeof position === 'number' || typeof position === 'string';
    if (text.startsWith('PT') && Number.isInteger(token.page) && known) return token;
  } catch {
    // Falls through to Twilio's error.
  }
  throw fail(19038, `PageToken ${text} is invalid`);
}

/** A page larger than the maximum is cut to it: what Twilio does could not be verified. */
export function pageOf(
  store: Store,
  listing: Listing,
  query: PageRequest,
  { most, key, url }: { most: number; key: string; url: string },
): Page {
  const size = Math.min(query.PageSize ?? Math.min(USUAL, most), most);
  const token: Token = query.PageToken === undefined ? { page: 0 } : decode(query.PageToken);
  const back = token.before !== undefined;
  const source = token.before !== undefined ? listing.backward(token.before) : listing.forward(token.after);
  const taken = take(store, listing, source, size + 1);
  const more = taken.length > size;
  const shown = taken.slice(0, size);
  if (back) shown.reverse();
  const at = (page: number, pageToken?: Token): string =>
    `${url}PageSize=${size}&Page=${page}${pageToken === undefined ? '' : `&PageToken=${encode(pageToken)}`}`;
  const first = shown[0];
  const last = shown.at(-1);
  const next = back || more ? last : undefined;
  const previous = token.page > 0 && (!back || more) ? first : undefined;
  return {
    meta: {
      page: token.page,
      page_size: size,
      first_page_url: at(0),
      previous_page_url:
        previous === undefined
          ? null
          : at(token.page - 1, { page: token.page - 1, before: previous.position }),
      url: at(token.page, query.PageToken === undefined ? undefined : token),
      next_page_url:
        next === undefined ? null : at(token.page + 1, { page: token.page + 1, after: next.position }),
      key,
    },
    records: shown.map(({ record }) => record),
  };
}

function take(
  store: Store,
  { kind, keep }: Listing,
  source: Iterable<Entry>,
  count: number,
): { position: Position; record: Records[Kind] }[] {
  const taken: { position: Position; record: Records[Kind] }[] = [];
  for (const [position, sid] of source) {
    const record = store.get(kind, sid);
    if (record === undefined || keep?.(record) === false) continue;
    taken.push({ position, record });
    if (taken.length === count) break;
  }
  return taken;
}
