import { expect, it } from 'vitest';
import { useTestDatabase } from '../support/database.js';
import { sameKeyRun } from './support/runs/same-key-run.js';
import { SHORT } from './support/world/settings.js';

const database = useTestDatabase();

it('One key from many callers over two replicas: one chat each, and the same bytes for all', async () => {
  const report = await sameKeyRun(SHORT, { keys: 40, callers: 8 }, database.url);
  expect(report.discrepancies, report.lines.join('\n')).toEqual([]);
});
