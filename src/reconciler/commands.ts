import { Injectable } from '@nestjs/common';
import type { Command } from '../common/http/command.js';
import { Reply } from '../common/http/reply.js';
import { AppError } from '../common/errors/app-error.js';
import type { ErrorCode } from '../common/errors/error-catalog.js';
import { PROBLEM_CONTENT_TYPE } from '../common/errors/problem.js';
import { newId } from '../common/new-id.js';
import { Database, type Queryable } from '../database/database.js';
import { isLockTimeout } from '../database/pg-errors.js';
import type { Lease } from './lease.js';
import { Reconciler } from './reconciler.js';
import { findWishByKey, insertWish, watchWish, type NewWish, type SettledWish } from './wish-store.js';
import { WishWaiters } from './wish-waiters.js';

/** Seconds after which a caller who met a command under way should ask again. */
const RETRY_AFTER_SECONDS = '1';

/** What a replay itself is refused with. */
const ABOUT_KEYS: ErrorCode[] = ['idempotency_key_reused', 'idempotency_in_progress', 'answer_erased'];

/** A command that changes Postgres alone. */
export interface RecordedCommand {
  serviceId: string;
  kind: string;
  /** Makes the change and says what to answer; runs in one transaction. What it throws is answered and not stored. */
  work(tx: Queryable): Promise<Recorded>;
}

export interface Recorded {
  status: number;
  body: object;
  location: string;
  /** In place of the body in the first answer alone, and never stored: with a secret that is shown once. */
  once?: object;
}

/** A command that changes Twilio: its wish is written first. */
export interface WishedCommand extends Omit<NewWish, 'id'> {
  /**
   * Writes the wish into the rows of the aggregate, in the transaction that holds the wish. Answers the lease when it
   * could be taken with it, or null when another holds it; or at once the end, where there is nothing to do. What it
   * throws is answered and not stored.
   */
  write(tx: Queryable, wishId: string): Promise<Lease | null | SettledWish>;
  /** The resource as it is, for a 202. */
  pending(): Promise<object>;
  /** Called when all of it has been written. */
  committed?(): void;
}

/** The same, where one statement of the aggregate's own writes rows and wish together. */
export interface WrittenCommand extends Omit<NewWish, 'id'>, Pick<WishedCommand, 'pending'> {
  /** Answers the lease, or null when the Idempotency-Key belongs to another wish, and nothing has been written. */
  write(wish: NewWish): Promise<Lease | null>;
}

class KeyTaken extends Error {}

/** Runs commands: each wish written once, its end stored once and sent to every caller from what is stored. */
@Injectable()
export class Commands {
  constructor(
    private readonly database: Database,
    private readonly reconciler: Reconciler,
    private readonly waiters: WishWaiters,
  ) {}

  async record(command: Command, spec: RecordedCommand): Promise<Reply> {
    const { serviceId, kind } = spec;
    return this.unlessKeyTaken(command, serviceId, () =>
      this.database.transaction(async (tx) => {
        const id = newId();
        const wish = { id, serviceId, aggregate: 'none', aggregateId: id, kind, location: '' };
        if (command.idempotencyHash && !(await insertWish(tx, wish, command))) throw new KeyTaken();
        const { status, body, location, once } = await spec.work(tx);
        if (command.idempotencyHash) {
          await tx.query('wishes.record', RECORD_END, [id, status, JSON.stringify(body), location]);
        }
        return toReply({ status, answer: JSON.stringify(once ?? body), location });
      }),
    );
  }

  async fulfil(command: Command, spec: WishedCommand): Promise<Reply> {
    const id = newId();
    return this.unlessKeyTaken(command, spec.serviceId, async () => {
      const written = await this.database.transaction(async (tx) => {
        if (!(await insertWish(tx, { ...spec, id }, command))) throw new KeyTaken();
        const outcome = await spec.write(tx, id);
        if (outcome && 'answer' in outcome) {
          await tx.query('wishes.record', RECORD_END, [id, outcome.status, outcome.answer, outcome.location]);
        }
        return outcome;
      });
      spec.committed?.();
      if (written && 'answer' in written) return toReply(written);
      return this.answerOf(command, id, written, spec);
    });
  }

  async fulfilWritten(command: Command, spec: WrittenCommand): Promise<Reply> {
    const id = newId();
    return this.unlessKeyTaken(command, spec.serviceId, async () => {
      const lease = await spec.write({ ...spec, id });
      if (!lease) throw new KeyTaken();
      return this.answerOf(command, id, lease, spec);
    });
  }

  private async answerOf(
    command: Command,
    wishId: string,
    lease: Lease | null,
    spec: Pick<WishedCommand, 'location' | 'pending'>,
  ): Promise<Reply> {
    const { location } = spec;
    const end = this.awaitWish(wishId, command.waitMs, lease !== null);
    if (lease) void this.reconciler.drive(lease);
    return located(await end, location) ?? new Reply(202, await spec.pending(), { location });
  }

  /**
   * Runs a command whose checks come before its wish: a repeat with the same Idempotency-Key is answered as the first
   * was, also where the command would be refused by now.
   */
  async orReplay(command: Command, serviceId: string, run: () => Promise<Reply>): Promise<Reply> {
    try {
      return await run();
    } catch (error) {
      const key = command.idempotencyHash;
      const decided = !(error instanceof AppError) || error.status >= 500 || ABOUT_KEYS.includes(error.code);
      const reply = decided || !key ? null : await this.replay(command, serviceId, key);
      if (!reply) throw error;
      return reply;
    }
  }

  /**
   * Waits for a wish that somebody else has written. Null when the wait is over first; throws when the wish cannot get
   * on without a person.
   */
  async awaitWish(wishId: string, waitMs: number, heldHere = false): Promise<Reply | null> {
    const waiting = this.waiters.wait(wishId, waitMs);
    if (!heldHere) {
      await watchWish(this.database, wishId);
      // It may have been settled before it was watched.
      await this.waiters.check([wishId]);
    }
    const result = await waiting;
    if (result === 'pending') return null;
    if (result === 'erased') throw new AppError('answer_erased');
    if ('trouble' in result) {
      throw new AppError(result.trouble as ErrorCode, {
        detail: 'The work is kept and goes on when this is mended.',
      });
    }
    return toReply(result);
  }

  private async unlessKeyTaken(
    command: Command,
    serviceId: string,
    run: () => Promise<Reply>,
  ): Promise<Reply> {
    // Twice: the wish that held the key may have been pruned between the two statements.
    for (let round = 0; ; round++) {
      try {
        return await run();
      } catch (error) {
        // The key is being written by a call that does not come to its end.
        if (isLockTimeout(error) && command.idempotencyHash) throw inProgress(null);
        if (!(error instanceof KeyTaken) || !command.idempotencyHash || round === 2) throw error;
        const reply = await this.replay(command, serviceId, command.idempotencyHash);
        if (reply) return reply;
      }
    }
  }

  private async replay(command: Command, serviceId: string, hash: Buffer): Promise<Reply | null> {
    const wish = await findWishByKey(this.database, serviceId, hash);
    if (!wish) return null;
    if (!wish.requestHash?.equals(command.requestHash)) throw new AppError('idempotency_key_reused');
    if (wish.erased) throw new AppError('answer_erased');
    const end = wish.settled ? toReply(wish.settled) : await this.awaitWish(wish.id, command.waitMs);
    const reply = located(end, wish.location);
    if (reply)
      return new Reply(reply.status, reply.body, { ...reply.headers, 'idempotent-replayed': 'true' });
    throw inProgress(wish.location);
  }
}

function inProgress(location: string | null): AppError {
  return new AppError('idempotency_in_progress', {
    headers: { 'retry-after': RETRY_AFTER_SECONDS, ...(location && { location }) },
  });
}

/** The same Location whether the end came from here or from what is stored. */
function located(reply: Reply | null, location: string | null): Reply | null {
  if (!reply || location === null || reply.status === 204 || reply.status >= 400) return reply;
  return new Reply(reply.status, reply.body, { location, ...reply.headers });
}

const RECORD_END = `
  update wishes set status = $2, answer = $3, location = $4, settled_at = now() where id = $1`;

function toReply(end: SettledWish): Reply {
  if (end.status === 204) return new Reply(204, null);
  if (end.status >= 400) return new Reply(end.status, end.answer, { 'content-type': PROBLEM_CONTENT_TYPE });
  return new Reply(end.status, end.answer, end.location === null ? {} : { location: end.location });
}
