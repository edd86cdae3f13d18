import type { Records } from '../store/records.js';
import type { Store } from '../store/store.js';
import type { queries } from '../api/forms.js';
import type { Values } from '../api/parameters.js';
import type { Call } from './call.js';
import type { Entry, Listing } from './listing.js';
import { newestFirst, sorted } from './listing.js';

type Query = Values<(typeof queries)['conversations']>;

/** By latest message, or, when dates are given, by creation: newest first either way (Twilio). */
export function listConversations({ store, service, query }: Call<object, Query>): Listing {
  const { State: state } = query;
  const dated = query.StartDate !== undefined || query.EndDate !== undefined;
  const listing = dated
    ? byCreation(store, service.sid, query)
    : newestFirst('conversation', store.children('conversation', service.sid));
  if (state === undefined) return listing;
  return { ...listing, keep: (record) => (record as Records['conversation']).state === state };
}

/** The only list that looks at all: creation dates may be given, so no order of ours holds them. */
function byCreation(store: Store, service: string, { StartDate, EndDate }: Query): Listing {
  const entries: Entry[] = [];
  for (const [, sid] of store.children('conversation', service).after()) {
    const created = store.get('conversation', sid)?.date_created ?? 0;
    if (StartDate !== undefined && created < StartDate) continue;
    if (EndDate !== undefined && created >= endOf(EndDate)) continue;
    entries.push([`${String(Number.MAX_SAFE_INTEGER - created).padStart(16, '0')} ${sid}`, sid]);
  }
  return sorted('conversation', entries);
}

const DAY = 86_400_000;

/** A date without a time means the whole of that day. */
const endOf = (instant: number): number => (instant % DAY === 0 ? instant + DAY : instant + 1000);
