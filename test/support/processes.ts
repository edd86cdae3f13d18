import { startChild, untilSaid } from './child.js';

/** A process of the product, built, that listens. */
export interface Running {
  readonly baseUrl: string;
  readonly pid: number;
  /** Everything it has printed. */
  readonly output: () => string;
  signal(signal: NodeJS.Signals): void;
  /** Sends the signal, SIGTERM by default, and waits for the end: the exit status, or the signal that ended it. */
  end(signal?: NodeJS.Signals): Promise<number | string>;
}

/** `npm start`, without npm: needs the built product. `PORT` may be 0. */
export function startService(env: Record<string, string>): Promise<Running> {
  return start(
    ['--max-semi-space-size=32', 'dist/src/main.js'],
    { ...env, LOG_LEVEL: 'info' },
    /Server listening at (http:[^"]+)/,
  );
}

/** `npm run sandbox`, without npm. */
export function startSandboxProcess(env: Record<string, string>): Promise<Running> {
  return start(['dist/src/sandbox/main.js'], env, /sandbox listening on (http:\S+)/);
}

async function start(script: string[], env: Record<string, string>, listening: RegExp): Promise<Running> {
  const child = startChild([process.execPath, ...script], { env: { PATH: process.env['PATH'], ...env } });
  const [, baseUrl = ''] = await untilSaid(child, listening);
  return {
    baseUrl,
    pid: child.process.pid ?? -1,
    output: child.output,
    signal: (signal) => void child.process.kill(signal),
    end: (signal = 'SIGTERM') => {
      child.process.kill(signal);
      return child.ended;
    },
  };
}
