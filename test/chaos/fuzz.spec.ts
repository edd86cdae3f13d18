import { expect, it } from 'vitest';
import { useTestDatabase } from '../support/database.js';
import { fuzzRun } from './support/runs/fuzz-run.js';
import { SHORT } from './support/world/settings.js';

const database = useTestDatabase();

it('Requests made out of the document, valid and broken: every answer is as documented, none is a failure of ours', async () => {
  const report = await fuzzRun(SHORT, { requests: 1000, everyOperation: false }, database.url);
  expect(report.discrepancies, report.lines.join('\n')).toEqual([]);
}, 60_000);
