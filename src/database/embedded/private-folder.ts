import { chmod, lstat, mkdir } from 'node:fs/promises';
import { getuid } from 'node:process';

/**
 * Makes the folder, or takes the one that is there, and answers its path; others may enter it (as the account that
 * Postgres runs with must) but not write. Throws when it is not ours alone to write: somebody else could have laid it out
 * for us.
 */
export async function privateFolder(path: string): Promise<string> {
  const made = await mkdir(path, { recursive: true, mode: 0o755 });
  const found = await lstat(path);
  if (!found.isDirectory() || found.uid !== getuid?.() || (found.mode & 0o022) !== 0) {
    throw new Error(`${path} is not a folder that this user alone may write.`);
  }
  if (made !== undefined) await chmod(path, 0o755);
  return path;
}
