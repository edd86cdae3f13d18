import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { VERSION } from '../../src/config/version.js';
import { packageJson } from './support/repository.js';

it('the version is the same in package.json, in the code and at the head of the changelog', () => {
  expect(VERSION).toBe(packageJson.version);
  const [, newest] = /^## \[(.+?)\]/m.exec(readFileSync('CHANGELOG.md', 'utf8')) ?? [];
  expect(newest).toBe(packageJson.version);
});
