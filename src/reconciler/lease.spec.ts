import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Lease, LeaseLost } from './lease.js';

const AGGREGATE = { name: 'thing', table: 'things' };
const TIMES = { leaseMs: 10_000, callTimeoutMs: 4000 };
const CLAIM = { id: 'row-1', version: 3, attempts: 2, takenOver: false };

/** What Postgres would answer to the next renewals; each asked for is counted. */
let renewals: { answers: boolean[]; asked: number; takesMs: number };

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] });
  renewals = { answers: [], asked: 0, takesMs: 0 };
});
afterEach(() => vi.useRealTimers());

const renew = (): Promise<boolean> => {
  renewals.asked += 1;
  vi.advanceTimersByTime(renewals.takesMs);
  return Promise.resolve(renewals.answers.shift() ?? true);
};

const lease = (claim: object = {}, askedAt?: number) =>
  new Lease(AGGREGATE, { ...CLAIM, ...claim }, TIMES, renew, askedAt);

describe('the time of a lease', () => {
  it('runs from before the statement that takes it, so that it ends here before it ends in Postgres', () => {
    const askedAt = performance.now();
    vi.advanceTimersByTime(700);
    expect(lease({}, askedAt).remainingMs).toBe(9300);
  });

  it('is over for good once the lease is lost', () => {
    const held = lease();
    held.lose();
    held.renewed(performance.now());
    expect(held.remainingMs).toBe(0);
  });

  it('is never shortened by an answer that comes late', () => {
    const held = lease();
    const before = performance.now() - 5000;
    held.renewed(before);
    expect(held.remainingMs).toBe(10_000);
  });
});

describe('before a send', () => {
  it('asks nobody while the lease outlives the call', async () => {
    const held = lease();
    vi.advanceTimersByTime(5999);
    await held.beforeSend();
    expect(renewals.asked).toBe(0);
  });

  it('renews where the lease would end during the call', async () => {
    const held = lease();
    vi.advanceTimersByTime(6000);
    await held.beforeSend();
    expect(renewals.asked).toBe(1);
    expect(held.remainingMs).toBe(10_000);
  });

  it('sends nothing when the lease is another’s, nor ever after', async () => {
    const held = lease();
    vi.advanceTimersByTime(20_000);
    renewals.answers = [false];
    await expect(held.beforeSend()).rejects.toThrow(LeaseLost);
    await expect(held.beforeSend()).rejects.toThrow(LeaseLost);
    expect(renewals.asked).toBe(1);
  });

  it('sends nothing when the renewal itself took so long that the call could outlive it', async () => {
    const held = lease();
    vi.advanceTimersByTime(7000);
    renewals.takesMs = 6000;
    await expect(held.beforeSend()).rejects.toThrow(LeaseLost);
  });

  it('counts a renewal from before it was asked for', async () => {
    const held = lease();
    vi.advanceTimersByTime(7000);
    renewals.takesMs = 1500;
    await held.beforeSend();
    expect(held.remainingMs).toBe(8500);
  });

  it('passes on that Postgres could not be asked, and keeps the lease', async () => {
    const held = new Lease(AGGREGATE, CLAIM, TIMES, () => Promise.reject(new Error('away')));
    vi.advanceTimersByTime(7000);
    await expect(held.beforeSend()).rejects.toThrow('away');
    expect(held.remainingMs).toBe(3000);
  });
});

describe('a fenced statement', () => {
  it('that met no row says that the lease is lost', () => {
    const held = lease();
    held.assertHeld([{}]);
    expect(held.remainingMs).toBeGreaterThan(0);
    expect(() => held.assertHeld([])).toThrow(LeaseLost);
    expect(held.remainingMs).toBe(0);
  });
});

describe('a statement that settles', () => {
  it('gives the lease back where the version is the one seen', () => {
    const held = lease();
    held.settledAt({ version: 3, released: true }, performance.now());
    expect(held).toMatchObject({ released: true, newer: false, version: 3 });
  });

  it('keeps it where there is more to do, although nothing new has come', () => {
    const held = lease();
    held.settledAt({ version: 3, released: false }, performance.now());
    expect(held).toMatchObject({ released: false, newer: false, version: 3 });
  });

  it('keeps it, renewed, where a newer wish has come, until the rows have been read again', () => {
    const held = lease();
    vi.advanceTimersByTime(4000);
    held.settledAt({ version: 4, released: false }, performance.now());
    expect(held).toMatchObject({ released: false, newer: true, version: 3, remainingMs: 10_000 });
    held.settledAt({ version: 4, released: false }, performance.now());
    expect(held).toMatchObject({ newer: true, version: 3 });
    held.lookAgain();
    expect(held).toMatchObject({ newer: false, version: 4 });
  });
});

describe('the look for late landings', () => {
  it('is due when whatever was sent has been answered or dropped', () => {
    const held = lease({ takenOver: true });
    held.worked = true;
    expect(held.lookAgainMs).toBe(14_000);
  });

  it('is needed neither where every outcome is known, nor where nothing was done', () => {
    const known = lease();
    known.worked = true;
    expect(known.lookAgainMs).toBeNull();
    expect(lease({ takenOver: true }).lookAgainMs).toBeNull();
  });

  it('is needed once an outcome has become unknown', () => {
    const held = lease();
    held.worked = true;
    held.outcomeUnknown();
    expect(held.lookAgainMs).toBe(14_000);
  });

  it('says for how long what was given up here may land, from the last that was', () => {
    const held = lease();
    expect(held.ownLandingMs).toBe(0);
    held.outcomeUnknown();
    vi.advanceTimersByTime(5000);
    expect(held.ownLandingMs).toBe(9000);
    held.outcomeUnknown();
    held.hasLooked();
    expect(held.ownLandingMs).toBe(14_000);
    vi.advanceTimersByTime(20_000);
    expect(held.ownLandingMs).toBe(0);
  });

  it('and what a holder before had sent: until a call time-out has passed, or somebody has looked', () => {
    expect(lease().foreignLandingMs).toBe(0);
    const held = lease({ takenOver: true });
    expect(held.foreignLandingMs).toBe(4000);
    held.hasLooked();
    expect(held).toMatchObject({ foreignLandingMs: 0, looked: true });
  });
});

it('each lease has a token of its own, unless it is given one', () => {
  expect(lease().token).not.toBe(lease().token);
  expect(new Lease(AGGREGATE, CLAIM, TIMES, renew, 0, 'shared').token).toBe('shared');
});
