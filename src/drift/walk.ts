import type { Caller } from '../access/caller.js';
import type { ReadyChatService } from '../chat-services/chat-services.service.js';
import type { Command } from '../common/http/command.js';
import type { Finding } from './finding.js';

/** What a repair is told. */
export interface RepairOptions {
  command: Command;
  /** Moment of the local monotonic clock (milliseconds) until which the caller waits, for all repairs together. */
  waitUntil: number;
  readd: boolean;
  deleteOrphans: boolean;
}

/** The command of one repair among several: it waits for what is left of the whole wait. */
export function commandOf({ command, waitUntil }: RepairOptions): Command {
  return { ...command, waitMs: Math.max(0, Math.ceil(waitUntil - performance.now())) };
}

/** What one page is made with. Without `repair` nothing is changed. */
export interface Walk {
  caller: Caller;
  service: ReadyChatService;
  repair: RepairOptions | null;
  /** Moment of the local monotonic clock (milliseconds) after which no further rows are begun. */
  until: number;
}

/** A part of what is compared, a page at a time. */
export interface Part {
  /** Where it begins: null, or the `next` of its page before. `next` is null after its last. */
  page(walk: Walk, from: string | null, limit: number): Promise<PartPage>;
}

export interface PartPage extends Compared {
  next: string | null;
}

export interface Compared {
  findings: Finding[];
  /** Rows, or conversations at Twilio, that were compared. */
  checked: number;
  /** Our ids of those that were skipped. */
  inMotion: string[];
}

/** Rows that are compared at once: each takes two or three calls of those that the process may have under way. */
const AT_ONCE = 10;

/** Works through rows a few at a time, until they end or the time is up. */
export async function inTurns<Row extends { id: string }>(
  rows: Row[],
  limit: number,
  until: number,
  work: (some: Row[]) => Promise<Compared>,
): Promise<PartPage> {
  const page: PartPage = { findings: [], checked: 0, inMotion: [], next: null };
  const wanted = rows.slice(0, limit);
  let done = 0;
  while (done < wanted.length && (done === 0 || performance.now() < until)) {
    const some = wanted.slice(done, done + AT_ONCE);
    const { findings, checked, inMotion } = await work(some);
    page.findings.push(...findings);
    page.checked += checked;
    page.inMotion.push(...inMotion);
    done += some.length;
  }
  if (done < rows.length) page.next = wanted[done - 1]?.id ?? null;
  return page;
}
