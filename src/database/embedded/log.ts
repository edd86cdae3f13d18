import { readFile } from 'node:fs/promises';

/** The end of a log file, for a message: at most `count` lines. Empty when the file cannot be read. */
export async function lastLines(path: string, count = 15): Promise<string> {
  const text = await readFile(path, 'utf8').catch(() => '');
  return text.trimEnd().split('\n').slice(-count).join('\n');
}
