import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { ERROR_CATALOG } from '../../src/common/errors/error-catalog.js';
import { tableBelow } from './support/repository.js';

it('docs/errors.md has the codes of the catalogue, in its order, with status and title, and says what to do', () => {
  const rows = tableBelow(readFileSync('docs/errors.md', 'utf8'), '## Codes');
  const documented = rows.map(([code, status, title]) => [code, Number(status), title]);
  const known = Object.entries(ERROR_CATALOG).map(([code, { status, title }]) => [
    `\`${code}\``,
    status,
    title,
  ]);
  expect(documented).toEqual(known);
  for (const row of rows) {
    expect(row).toHaveLength(5);
    expect(
      row.every((cell) => cell !== ''),
      row[0],
    ).toBe(true);
  }
});
