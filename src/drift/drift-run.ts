import { setTimeout as sleep } from 'node:timers/promises';
import type { Caller } from '../access/caller.js';
import { AppError } from '../common/errors/app-error.js';
import type { Command } from '../common/http/command.js';
import { newId } from '../common/new-id.js';
import type { DriftPage, DriftService } from './drift.service.js';
import type { Finding } from './finding.js';

/** What `npm run drift` was told. */
export interface DriftRunOptions {
  repair: boolean;
  readd: boolean;
  deleteOrphans: boolean;
  /** Where to begin: `nextCursor` of a page, or null. */
  from: string | null;
}

/** What a run came to. */
export interface DriftTotals {
  checked: number;
  differing: number;
  /** Of those that differ, the ones that still do. */
  left: number;
  inMotion: number;
}

/** A run stopped before its end; `cursor` is where it can go on. */
export class DriftStopped extends Error {
  constructor(
    readonly cursor: string | null,
    reason: string,
  ) {
    super(reason);
  }
}

/** Rows a page: each is a line of progress. */
const LIMIT = 100;
/** How long one repair is waited for, in milliseconds. */
const WAIT_MS = 30_000;
/** Tries of a page while Twilio fails, and the pause after the first of them; doubled each time. */
const TRIES = 6;
const PAUSE_MS = 1000;
/** Values may be of persons, and output ends in logs. */
const SHOWN = new Set<Finding['kind']>([
  'conversation_state',
  'participant_role',
  'identity_service_role',
  'conversation_orphan',
]);

/** Walks all pages of one chat service, and says what it finds. Rejects with DriftStopped when it cannot go on. */
export async function runDrift(
  drift: DriftService,
  serviceId: string,
  options: DriftRunOptions,
  say: (line: string) => void,
  stopping: AbortSignal,
): Promise<DriftTotals> {
  const caller: Caller = { apiKeyId: 'drift', scopes: ['admin'], serviceId, rateLimit: null };
  const totals = { checked: 0, differing: 0, left: 0, inMotion: 0 };
  const compared = new Map<string, number>();
  for (let cursor = options.from; ;) {
    const page = await pageAt(drift, caller, options, cursor, stopping);
    for (const finding of page.data) say(lineOf(finding));
    totals.checked += page.checked;
    totals.differing += page.data.length;
    totals.left += page.data.filter(({ outcome }) => outcome !== 'repaired').length;
    totals.inMotion += page.inMotion.length;
    const count = (compared.get(page.part) ?? 0) + page.checked;
    compared.set(page.part, count);
    say(`${page.part}: ${count} compared so far; ${totals.differing} differences in all`);
    cursor = page.nextCursor;
    if (cursor === null) return totals;
    if (stopping.aborted) throw new DriftStopped(cursor, 'It was told to stop.');
  }
}

/** Tries again while Twilio is shaky: a long run must not end because of one answer. */
async function pageAt(
  drift: DriftService,
  caller: Caller,
  options: DriftRunOptions,
  cursor: string | null,
  stopping: AbortSignal,
): Promise<DriftPage> {
  const query = { limit: LIMIT, ...(cursor !== null && { cursor }) };
  const { readd, deleteOrphans } = options;
  for (let attempt = 1; ; attempt++) {
    try {
      if (!options.repair) return await drift.report(caller, query);
      return await drift.repair(ownCommand(), caller, { ...query, readd, deleteOrphans });
    } catch (error) {
      const again = error instanceof AppError && error.status >= 500 && error.code !== 'upstream_auth_failed';
      if (!again || attempt === TRIES || stopping.aborted)
        throw new DriftStopped(cursor, error instanceof Error ? error.message : String(error));
      const askedMs = Number(error.headers['Retry-After'] ?? error.headers['retry-after'] ?? 0) * 1000;
      const pauseMs = Math.max(askedMs, PAUSE_MS * 2 ** (attempt - 1));
      await sleep(pauseMs, undefined, { signal: stopping }).catch(() => undefined);
    }
  }
}

function ownCommand(): Command {
  const requestId = newId();
  return {
    requestId,
    instance: '/v1/drift/repair',
    waitMs: WAIT_MS,
    idempotencyHash: null,
    requestHash: Buffer.alloc(0),
  };
}

function lineOf(finding: Finding): string {
  const { kind, conversation, participant, message, identity, ours, twilio, repair, outcome, detail } =
    finding;
  const where = [
    conversation && `conversation ${conversation.id ?? 'of no row'} ${conversation.twilioSid ?? ''}`.trim(),
    participant && `participant ${participant.id ?? 'of no row'} ${participant.twilioSid ?? ''}`.trim(),
    message && `message ${message.id} ${message.twilioSid}`,
    identity && `identity ${identity.id}`,
  ].filter(Boolean);
  const values = SHOWN.has(kind) ? ` (ours ${JSON.stringify(ours)}, Twilio's ${JSON.stringify(twilio)})` : '';
  const end = outcome === null ? `a repair would be: ${repair}` : `${repair}: ${outcome}`;
  return `${kind}: ${where.join(', ')}${values}; ${end}${detail === null ? '' : `; ${detail}`}`;
}
