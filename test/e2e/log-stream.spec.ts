import { describe, expect, it } from 'vitest';
import { startChild, untilSaid, TYPESCRIPT, type Child } from '../support/child.js';
import { eventually } from '../support/eventually.js';

const LINES = 2000;

/** A process that logs as the service does, and then does what `code` says. */
function start(code: string, through: string[] = []): Child {
  const before = `
    import { pino } from 'pino';
    import { logStream } from './src/log-stream.ts';
    const log = pino({ base: undefined }, logStream());`;
  return startChild([...through, ...TYPESCRIPT, '--input-type=module', '-e', before + code]);
}

const logAll = `for (let n = 1; n <= ${LINES}; n++) log.info({ n }, 'x'.repeat(50));`;
const ends: [string, string, number][] = [
  ['comes to its end', '', 0],
  ['calls process.exit', 'process.exit(3);', 3],
  ['throws', `throw new Error('at last');`, 1],
  ['rejects', `void Promise.reject(new Error('at last'));`, 1],
  [
    'exits at a signal',
    `process.on('SIGTERM', () => process.exit(0)); process.kill(process.pid, 'SIGTERM'); setInterval(() => {}, 9);`,
    0,
  ],
];

describe('The last line of the log is there', () => {
  it.each(ends)('when the process %s', async (_what, code, status) => {
    const child = start(logAll + code);
    expect(await child.ended).toBe(status);
    const written = [...child.output().matchAll(/"n":(\d+)/g)].map(([, n]) => Number(n));
    // What was being written at the end may come after what was still to be.
    expect(written.sort((a, b) => a - b)).toEqual(Array.from({ length: LINES }, (_, n) => n + 1));
  });
});

it('A log that nobody reads holds nothing up, keeps memory bounded, and says afterwards what was dropped', async () => {
  const child = start(`
    process.on('SIGTERM', () => process.exit(0));
    const line = 'x'.repeat(1000);
    const before = process.memoryUsage().rss;
    for (let round = 0; round < 1000; round++) {
      for (let n = 0; n < 100; n++) log.info(line);
      await new Promise((resolve) => setImmediate(resolve));
    }
    process.stderr.write('grown by ' + Math.round((process.memoryUsage().rss - before) / 1e6) + ' MB.');
    setInterval(() => log.info('alive'), 20);`);
  child.process.stdout?.pause();
  const [, grown] = await untilSaid(child, /grown by (\d+) MB\./);
  // Of 100 MB that were logged.
  expect(Number(grown)).toBeLessThan(70);
  child.process.stdout?.resume();
  await eventually(
    () => expect(child.output()).toMatch(/"msg":"\d+ line\(s\) of the log were dropped"/),
    10_000,
  );
  await eventually(() => expect(child.output()).toContain('"alive"'));
  child.process.kill('SIGTERM');
  expect(await child.ended).toBe(0);
});

it('A full disk under the log does not end the process, nor keep it from its end', async () => {
  const code = `${logAll} setTimeout(() => { log.error('again'); process.stderr.write('still here'); process.exit(0); }, 300);`;
  const child = start(code, ['/bin/sh', '-c', 'exec "$0" "$@" > /dev/full']);
  expect(await child.ended).toBe(0);
  expect(child.output()).toContain('still here');
});
