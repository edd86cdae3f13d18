import { setTimeout as sleep } from 'node:timers/promises';

/** Tries `check` until it no longer throws, for at most `withinMs`; then throws what it threw last. Answers its result. */
export async function eventually<T>(check: () => T | Promise<T>, withinMs = 10_000): Promise<T> {
  const end = performance.now() + withinMs;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (performance.now() > end) throw error;
      await sleep(25);
    }
  }
}
