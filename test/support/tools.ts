import { spawnSync } from 'node:child_process';

/**
 * Whether a program is there that Node does not bring, as starting it with these arguments tells. Where it is not, the test
 * is skipped, and a line says so; with `REQUIRE_TOOLS=1` it throws.
 */
export function hasTool(name: string, program: string, ...args: string[]): boolean {
  if (spawnSync(program, args).status === 0) return true;
  if (process.env['REQUIRE_TOOLS'] === '1') throw new Error(`REQUIRE_TOOLS=1, but there is no ${name}.`);
  process.stderr.write(`There is no ${name}: what needs it is skipped.\n`);
  return false;
}
