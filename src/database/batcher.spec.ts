import { expect, it, vi } from 'vitest';
import { Batcher } from './batcher.js';
import { DatabaseBusy } from './pg-errors.js';

/** What pg throws when a server has refused a statement. */
const refusal = (code = '23505') => Object.assign(new Error('refused'), { code, severity: 'ERROR' });

/** A run whose batches the test ends one by one. */
function held(options = {}) {
  const batches: { items: readonly string[]; end: (error?: Error) => void }[] = [];
  const run = (items: readonly string[]): Promise<string[]> =>
    new Promise((resolve, reject) => {
      const end = (error?: Error): void => (error ? reject(error) : resolve(items.map((item) => `${item}!`)));
      batches.push({ items, end });
    });
  return { batches, batcher: new Batcher(run, { atOnce: 1, most: 3, ...options }) };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

it('what comes in one turn goes together, and each gets its own result', async () => {
  const { batches, batcher } = held();
  const results = Promise.all(['a', 'b'].map((item) => batcher.add(item)));
  await turn();
  batches[0]?.end();
  expect(await results).toEqual(['a!', 'b!']);
  expect(batches).toHaveLength(1);
});

it('what comes while all batches are under way makes the next one, as far as it may weigh', async () => {
  const { batches, batcher } = held();
  const results = [batcher.add('a')];
  await turn();
  results.push(...['b', 'c', 'd', 'e'].map((item) => batcher.add(item)));
  for (const count of [1, 2, 3]) {
    await turn();
    expect(batches).toHaveLength(count);
    batches[count - 1]?.end();
  }
  expect(await Promise.all(results)).toEqual(['a!', 'b!', 'c!', 'd!', 'e!']);
  expect(batches.map(({ items }) => items)).toEqual([['a'], ['b', 'c', 'd'], ['e']]);
});

it('a batch has its time to itself; one that takes longer holds nobody up', async () => {
  const { batches, batcher } = held({ atOnce: 2, aloneMs: 100 });
  const results = [batcher.add('a')];
  await turn();
  results.push(batcher.add('b'));
  await turn();
  results.push(batcher.add('c'));
  await turn();
  expect(batches).toHaveLength(1);
  const begun = performance.now();
  await vi.waitFor(() => expect(batches).toHaveLength(2), { interval: 5 });
  expect(performance.now() - begun).toBeGreaterThan(50);
  results.push(batcher.add('d'));
  await turn();
  batches[0]?.end();
  await turn();
  // The second one has not had its time yet, and the place of the first one is free.
  expect(batches).toHaveLength(2);
  batches[1]?.end();
  await turn();
  batches[2]?.end();
  expect(await Promise.all(results)).toEqual(['a!', 'b!', 'c!', 'd!']);
  expect(batches.map(({ items }) => items)).toEqual([['a'], ['b', 'c'], ['d']]);
});

it('what does not fit waits for the next batch, and what weighs too much goes alone', async () => {
  const { batches, batcher } = held({
    fits: (item: string, batch: readonly string[]) => !batch.includes(item),
    weigh: (item: string) => item.length,
  });
  const results = Promise.all(['a', 'a', 'heavy', 'b'].map((item) => batcher.add(item)));
  for (let next = 0; next < 3; next += 1) {
    await turn();
    batches[next]?.end();
  }
  expect(await results).toEqual(['a!', 'a!', 'heavy!', 'b!']);
  expect(batches.map(({ items }) => items)).toEqual([['a', 'b'], ['a'], ['heavy']]);
});

it('a batch that is refused is sent again one by one: only the one to blame fails', async () => {
  const run = (items: readonly string[]): Promise<string[]> =>
    items.includes('bad') ? Promise.reject(refusal()) : Promise.resolve([...items]);
  const batcher = new Batcher(run, { atOnce: 1, most: 10 });
  const results = await Promise.allSettled(['a', 'bad', 'c'].map((item) => batcher.add(item)));
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
});

it('a batch whose outcome is not known, or that meets a server in need, is not sent again', async () => {
  for (const error of [new Error('Connection terminated'), refusal('57014'), refusal('53200')]) {
    const { batches, batcher } = held();
    const results = Promise.allSettled(['a', 'b'].map((item) => batcher.add(item)));
    await turn();
    batches[0]?.end(error);
    expect((await results).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(batches).toHaveLength(1);
  }
});

it('more than may wait is refused at once, and what waits is still done', async () => {
  const { batches, batcher } = held({ most: 10, waitingMost: 2 });
  const first = batcher.add('a');
  await turn();
  const waiting = ['b', 'c'].map((item) => batcher.add(item));
  await expect(batcher.add('d')).rejects.toThrow(DatabaseBusy);
  batches[0]?.end();
  await first;
  await turn();
  batches[1]?.end();
  expect(await Promise.all(waiting)).toEqual(['b!', 'c!']);
  const after = batcher.add('e');
  await turn();
  batches[2]?.end();
  expect(await after).toBe('e!');
});

it('who waits longer than he may is refused; what is under way is not', async () => {
  const { batches, batcher } = held({ patienceMs: 30 });
  const first = batcher.add('a');
  await turn();
  await expect(batcher.add('b')).rejects.toThrow(DatabaseBusy);
  await expect(batcher.add('c')).rejects.toThrow(DatabaseBusy);
  batches[0]?.end();
  expect(await first).toBe('a!');
  const after = batcher.add('d');
  await turn();
  batches[1]?.end();
  expect(await after).toBe('d!');
  expect(batches.map(({ items }) => items)).toEqual([['a'], ['d']]);
});
