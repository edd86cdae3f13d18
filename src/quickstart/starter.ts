import { inspectProcess } from '../database/embedded/processes.js';

const POLL_MS = 500;

/**
 * Calls `gone` once when the npm that started us has ended. npm that is killed takes nobody along: without this, a
 * quickstart would live on unseen and hold its ports and its data.
 */
export function endWithStarter(gone: () => void): void {
  const starter = starterNow();
  // Killed earlier still, its child was handed to the first process, which is npm itself only in a container.
  const wasGone = starter === 1 && !inspectProcess(1)?.command.includes('npm');
  const timer = setInterval(() => {
    if (!wasGone && starterNow() === starter) return;
    clearInterval(timer);
    gone();
  }, POLL_MS);
  timer.unref();
}

/** Our parent, or the parent of the shell in between (npm runs its scripts by `sh -c`). */
function starterNow(): number {
  const parent = inspectProcess(process.ppid);
  return parent && /sh -c /.test(parent.command) ? parent.parent : process.ppid;
}
