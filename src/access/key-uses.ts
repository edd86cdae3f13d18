import { Injectable } from '@nestjs/common';
import { Database } from '../database/database.js';

interface Use {
  usedAt: number;
  writtenAt: number;
}

/** How often the last use of one key is written by this process, in milliseconds. */
const WRITTEN_EVERY_MS = 60_000;

/** A row that another replica is writing is left to it: what it writes is as new, within a minute. */
const NOTE_USES = `
  update api_keys set last_used_at = greatest(last_used_at, free.used_at)
  from (
    select api_keys.id, used.used_at
    from unnest($1::uuid[], $2::timestamptz[]) as used (id, used_at) join api_keys using (id)
    for no key update of api_keys skip locked
  ) as free
  where api_keys.id = free.id`;

/** Notes when keys were used, in memory, and writes it down now and then: no request waits for it or fails by it. */
@Injectable()
export class KeyUses {
  private readonly uses = new Map<string, Use>();

  constructor(private readonly database: Database) {}

  note(apiKeyId: string): void {
    const use = this.uses.get(apiKeyId);
    if (use) use.usedAt = Date.now();
    else this.uses.set(apiKeyId, { usedAt: Date.now(), writtenAt: -Infinity });
  }

  /** Writes what is due, all keys in one statement; with `all`, what is not due yet too. Nothing is sent for nothing. */
  async write(all = false): Promise<void> {
    const now = Date.now();
    const due = [...this.uses].filter(
      ([, use]) => use.usedAt > use.writtenAt && (all || now - use.writtenAt >= WRITTEN_EVERY_MS),
    );
    if (due.length > 0) {
      const times = due.map(([, { usedAt }]) => new Date(usedAt));
      await this.database.query('access.note-uses', NOTE_USES, [due.map(([id]) => id), times]);
    }
    for (const [, use] of due) use.writtenAt = now;
    for (const [id, use] of this.uses) if (isOver(use, now)) this.uses.delete(id);
  }
}

/** Written, and not used for so long that the next use is due at once: as if it had never been. */
function isOver({ usedAt, writtenAt }: Use, now: number): boolean {
  return usedAt <= writtenAt && now - writtenAt >= WRITTEN_EVERY_MS;
}
