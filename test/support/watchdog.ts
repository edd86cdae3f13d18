import { spawn } from 'node:child_process';
import type { Socket } from 'node:net';

/** Reads `+ PID` and `- PID` until its input is closed, then kills those that are still noted. */
const WATCH = `
alive=
while read -r sign pid; do
  case $sign in
    +) alive="$alive $pid" ;;
    -) rest=; for one in $alive; do [ "$one" = "$pid" ] || rest="$rest $one"; done; alive=$rest ;;
  esac
done
[ -z "$alive" ] || kill -KILL $alive 2>/dev/null
`;

let watching: Socket | undefined;

/**
 * Has the process killed when this one ends, in whatever way: by SIGKILL too, and also a process that is frozen. The
 * system closes the pipe to a shell of its own, which does it. Answers what to call when the process has ended.
 */
export function killWithUs(pid: number): () => void {
  watching ??= start();
  watching.write(`+ ${pid}\n`);
  return () => void watching?.write(`- ${pid}\n`);
}

function start(): Socket {
  const shell = spawn('/bin/sh', ['-c', WATCH], { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
  shell.unref();
  const input = shell.stdin as Socket;
  input.on('error', () => undefined);
  input.unref();
  return input;
}
