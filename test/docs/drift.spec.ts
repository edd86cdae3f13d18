import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { DRIFTS } from '../../src/drift/drift.dto.js';
import { tableBelow } from './support/repository.js';

it('docs/drift.md explains every kind of drift', () => {
  const rows = tableBelow(readFileSync('docs/drift.md', 'utf8'), '## What differs, and what a repair does');
  expect(rows.map(([kind]) => kind)).toEqual(DRIFTS.map((kind) => `\`${kind}\``));
});
