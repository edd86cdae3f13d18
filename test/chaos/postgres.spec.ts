import { expect, it } from 'vitest';
import { postgresRun } from './support/runs/postgres-run.js';
import { SHORT } from './support/world/settings.js';

it('Postgres stopped and started again while chats are in the making: nothing lost, nothing doubled', async () => {
  const report = await postgresRun(SHORT, { stops: 3, perRound: 3 });
  expect(report.discrepancies, report.lines.join('\n')).toEqual([]);
}, 60_000);
