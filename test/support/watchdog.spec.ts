import { afterAll, describe, expect, it } from 'vitest';
import { killHard, startChild, TYPESCRIPT, untilSaid, type Child } from './child.js';
import { eventually } from './eventually.js';

/** Starts two programs as the tests do, freezes the second, says who they are, and stays. */
const STARTER = `
  import { startChild } from './test/support/child.ts';
  const [one, other] = [0, 1].map(() => startChild(['sleep', '600']).process);
  other.kill('SIGSTOP');
  console.log('started', one.pid, other.pid);
  setInterval(() => undefined, 1000);
`;

describe('A process that tests have started', () => {
  let starter: Child | undefined;
  afterAll(() => starter && killHard(starter));

  it('is gone when the one that started it was killed, also a frozen one', async () => {
    starter = startChild([...TYPESCRIPT, '--input-type=module', '--eval', STARTER]);
    const [, ...pids] = await untilSaid(starter, /started (\d+) (\d+)/);
    for (const pid of pids) expect(isThere(Number(pid))).toBe(true);
    await killHard(starter);
    await eventually(() => expect(pids.filter((pid) => isThere(Number(pid)))).toEqual([]));
  });
});

function isThere(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
