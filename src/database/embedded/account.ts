import { spawnSync } from 'node:child_process';
import { getuid } from 'node:process';

/** A user of the system whose rights Postgres runs with. */
export interface Account {
  uid: number;
  gid: number;
}

/**
 * Postgres refuses to run as root, so root hands it to `postgres`, else to `nobody`, without making users. Null for
 * everybody else: they run it themselves.
 */
export function serverAccount(): Account | null {
  if (getuid?.() !== 0) return null;
  for (const name of ['postgres', '_postgres', 'nobody']) {
    const account = { uid: idOf('-u', name), gid: idOf('-g', name) };
    if (account.uid !== 0 && !Number.isNaN(account.uid)) return account;
  }
  throw new Error(
    'Postgres does not run as root, and this system has neither a user "postgres" nor "nobody" to run it as. ' +
      'Start as another user, or set DATABASE_URL.',
  );
}

function idOf(flag: '-u' | '-g', name: string): number {
  const { status, stdout } = spawnSync('id', [flag, name], { encoding: 'utf8' });
  // Where ids are unsigned, `nobody` may be above what Node takes: it wants the signed form of the same bits.
  return status === 0 ? Number.parseInt(stdout, 10) | 0 : Number.NaN;
}

/** Whether the account may enter the folder, whatever the rights of those above it. Null: this process itself. */
export function canEnter(account: Account | null, folder: string): boolean {
  return spawnSync('/bin/sh', ['-c', 'cd "$1"', 'sh', folder], { ...account, cwd: '/' }).status === 0;
}
