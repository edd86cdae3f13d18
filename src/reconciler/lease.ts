import { randomUUID } from 'node:crypto';

/** Another replica has the row now, or may have it: nothing more is sent or written for it here. */
export class LeaseLost extends Error {
  constructor(id: string) {
    super(`The lease on ${id} is lost.`);
    this.name = 'LeaseLost';
  }
}

/** What a lease is on: the name of an aggregate, and its table. */
export interface Leased {
  readonly name: string;
  readonly table: string;
}

export interface LeaseTimes {
  leaseMs: number;
  callTimeoutMs: number;
}

/** What a lease covers, and how it came about. */
export interface LeaseClaim {
  id: string;
  /** Version of the row when the lease was taken: a later one means that a new wish has come. */
  version: number;
  /** Tries before this one. */
  attempts: number;
  /** Others may have sent something for this row before: look before sending. */
  takenOver: boolean;
}

/**
 * The right to act for one row, for a limited time. Every write carries the token, so that a holder whose time is up
 * writes nothing; every send asks the local clock first, so that a process that was frozen sends nothing when it wakes.
 */
export class Lease {
  readonly token: string;
  readonly id: string;
  /** Of the row when what is being worked on was read. */
  version: number;
  /** The latest that a statement of ours has met. */
  private latest: number;
  attempts: number;
  /**
   * Something sent for this row may still take effect later: an outcome is unknown, or was unknown to a holder before.
   * What is settled under such a lease is looked at once more.
   */
  uncertain: boolean;
  readonly takenOver: boolean;
  /** Moment on the local monotonic clock (milliseconds) at which the lease ends at the earliest. */
  private deadline: number;
  private lost = false;
  private sentAt = -Infinity;
  /** Until when what a holder before has sent may land. */
  private foreignLandsBy: number;
  /** Until when what was given up under this lease may land. */
  private ownLandsBy = -Infinity;

  /** Pauses under this lease for what is needed first. */
  waits = 0;
  /** Something was sent or settled under this lease. */
  worked = false;
  /** The look for late landings that was due has been made. */
  looked = false;
  /** The row has been settled and the lease given back, by one statement. */
  released = false;
  /** A wish has come that this holder has not seen: there is more to do. */
  newer = false;

  /**
   * `askedAt` is the local time *before* the statement that takes the lease is sent; `renew` asks Postgres for more
   * time, and answers false when the lease is another's.
   */
  constructor(
    readonly aggregate: Leased,
    claim: LeaseClaim,
    private readonly times: LeaseTimes,
    private readonly renew: (lease: Lease) => Promise<boolean>,
    askedAt = performance.now(),
    token: string = randomUUID(),
  ) {
    this.token = token;
    this.id = claim.id;
    this.version = claim.version;
    this.latest = claim.version;
    this.attempts = claim.attempts;
    this.takenOver = claim.takenOver;
    this.uncertain = claim.takenOver;
    this.deadline = askedAt + times.leaseMs;
    // He sends nothing more since his lease has ended; what he had sent has been under way for a part of that already.
    this.foreignLandsBy = claim.takenOver ? askedAt + times.callTimeoutMs : -Infinity;
  }

  /** What was sent was not answered: it may still take effect. */
  outcomeUnknown(): void {
    this.uncertain = true;
    this.ownLandsBy = performance.now() + this.times.leaseMs + this.times.callTimeoutMs;
  }

  /** The look for late landings that was due has been made: what a holder before had sent has landed, or never will. */
  hasLooked(): void {
    this.looked = true;
    this.foreignLandsBy = -Infinity;
  }

  /** For how long what was given up under this lease may still land, in milliseconds. */
  get ownLandingMs(): number {
    return Math.max(0, this.ownLandsBy - performance.now());
  }

  /** The same of what a holder before had sent. */
  get foreignLandingMs(): number {
    return Math.max(0, this.foreignLandsBy - performance.now());
  }

  /** Postgres has renewed the lease by a statement sent at `askedAt`. */
  renewed(askedAt: number): void {
    this.deadline = Math.max(this.deadline, askedAt + this.times.leaseMs);
  }

  /**
   * For the answer of a statement with releaseColumns: the version that the row has. When it is the one that was to be
   * released, the lease has been given back; when it is a later one, a newer wish has come, and the lease goes on.
   */
  settledAt({ version, released }: { version: number; released: boolean }, askedAt: number): void {
    this.released = released;
    this.newer = version !== this.version;
    this.latest = version;
    this.renewed(askedAt);
  }

  /**
   * To be called before the rows are read again. Not earlier: a version counts as seen only with what came with it, or
   * the end of an older wish would release the row over a newer one.
   */
  lookAgain(): void {
    this.version = this.latest;
    this.newer = false;
  }

  /** Postgres has said that the lease is another's. */
  lose(): void {
    this.lost = true;
  }

  /**
   * When to look for late landings, in milliseconds from the settling; null where there is nothing to look for. By then
   * whatever was sent before has been answered or dropped.
   */
  get lookAgainMs(): number | null {
    return this.uncertain && this.worked ? this.times.leaseMs + this.times.callTimeoutMs : null;
  }

  /** For how long something sent may still be on its way, in milliseconds. */
  get sendingMs(): number {
    return Math.max(0, this.sentAt + this.times.callTimeoutMs - performance.now());
  }

  /** Milliseconds left by the local clock. */
  get remainingMs(): number {
    return this.lost ? 0 : this.deadline - performance.now();
  }

  /**
   * To be called right before each send: throws LeaseLost unless the lease outlives the call, so that what is sent has
   * been answered or given up before anybody else may act.
   */
  readonly beforeSend = async (): Promise<void> => {
    if (this.remainingMs <= this.times.callTimeoutMs) {
      const askedAt = performance.now();
      if (this.lost || !(await this.renew(this))) {
        this.lose();
        throw new LeaseLost(this.id);
      }
      this.renewed(askedAt);
      if (this.remainingMs <= this.times.callTimeoutMs) throw new LeaseLost(this.id);
    }
    this.sentAt = performance.now();
  };

  /** For the answer of a fenced statement: no row means that the token was not the row's any more. */
  assertHeld(rows: readonly unknown[]): void {
    if (rows.length > 0) return;
    this.lose();
    throw new LeaseLost(this.id);
  }
}
