import { readFileSync } from 'node:fs';
import pg from 'pg';
import { cpuOfTree } from './cpu.js';

const parentOf = (pid: number): number =>
  Number(readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[1] ?? 0);

/** CPU of all processes of the server behind the URL, in milliseconds; those of ended sessions count no more. */
export async function postgresCpu(url: string): Promise<number> {
  const client = new pg.Client(url);
  await client.connect();
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
  const server = parentOf(rows[0]?.pid ?? 0);
  await client.end();
  return cpuOfTree(server);
}
