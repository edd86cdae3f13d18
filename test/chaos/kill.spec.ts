import { expect, it } from 'vitest';
import { useTestDatabase } from '../support/database.js';
import { killRun } from './support/runs/kill-run.js';
import { SHORT } from './support/world/settings.js';

const database = useTestDatabase();

it('Replicas killed and frozen while chats are in the making: nothing lost, nothing doubled', async () => {
  const plan = { kills: 5, freezes: 1, perRound: 5, everyBoundary: false };
  const report = await killRun(SHORT, plan, database.url);
  expect(report.discrepancies, report.lines.join('\n')).toEqual([]);
}, 90_000);
