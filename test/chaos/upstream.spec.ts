import { expect, it } from 'vitest';
import { useTestDatabase } from '../support/database.js';
import { SHORT } from './support/world/settings.js';
import { upstreamRun } from './support/runs/upstream-run.js';

const database = useTestDatabase();

it('Twilio failing at three calls in ten: nothing lost, nothing doubled', async () => {
  const report = await upstreamRun(SHORT, { rounds: 1, seconds: 5 }, database.url);
  expect(report.discrepancies, report.lines.join('\n')).toEqual([]);
}, 60_000);
