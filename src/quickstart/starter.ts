import { inspectProcess } from '../database/embedded/processes.js';

const POLL_MS = 250;

/**
 * Calls `gone` once when the process that started us has ended. npm that is killed takes nobody along: without this, a
 * quickstart would live on unseen and hold its ports and its data.
 */
export function endWithStarter(gone: () => void): void {
  const starter = process.ppid;
  const isGone = () =>
    process.ppid !== starter || (starter === 1 && !inspectProcess(1)?.command.includes('npm'));
  const timer = setInterval(() => {
    if (!isGone()) return;
    clearInterval(timer);
    gone();
  }, POLL_MS);
  timer.unref();
}
