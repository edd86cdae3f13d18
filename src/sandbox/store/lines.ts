import { closeSync, openSync, readSync } from 'node:fs';

const CHUNK_BYTES = 4 * 1024 * 1024;
const NEWLINE = 10;

/**
 * Reads a file of JSON lines, whatever its size. A last line that is not whole is what a killed
 * process leaves: it is told as dropped. One in the middle is damage, and an error.
 */
export function readLines(
  path: string,
  each: (value: unknown, index: number) => void,
): { kept: number; dropped: number } {
  const file = openSync(path, 'r');
  try {
    const state = { rest: Buffer.alloc(0), kept: 0, index: 0 };
    const chunk = Buffer.alloc(CHUNK_BYTES);
    for (let size = readSync(file, chunk); size > 0; size = readSync(file, chunk)) {
      consume(path, Buffer.concat([state.rest, chunk.subarray(0, size)]), state, each);
    }
    return { kept: state.kept, dropped: state.rest.length };
  } finally {
    closeSync(file);
  }
}

function consume(
  path: string,
  bytes: Buffer,
  state: { rest: Buffer; kept: number; index: number },
  each: (value: unknown, index: number) => void,
): void {
  let start = 0;
  for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, start)) {
    let value: unknown;
    try {
      value = JSON.parse(bytes.toString('utf8', start, end));
    } catch {
      throw new Error(`${path}: line ${state.index + 1} is damaged`);
    }
    each(value, state.index);
    state.index += 1;
    state.kept += end + 1 - start;
    start = end + 1;
  }
  state.rest = bytes.subarray(start);
}
