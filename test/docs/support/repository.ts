import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const packageJson = JSON.parse(readFileSync('package.json', 'utf8')) as {
  version: string;
  engines: { node: string };
  scripts: Record<string, string>;
};

/** The files below a folder, with `/` between the parts of a path. */
export function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).replaceAll('\\', '/'));
}

/** The variables that the sandbox reads: `src/sandbox/config.ts` names each once, as a string. */
export function sandboxVariables(): string[] {
  const source = readFileSync('src/sandbox/config.ts', 'utf8');
  return [...source.matchAll(/'(SANDBOX_[A-Z_]+)'/g)].map(([, name]) => name!);
}

/** The documents that people read, as paths. */
export function documents(): string[] {
  return [...readdirSync('.'), ...filesBelow('docs'), ...filesBelow('src')].filter((path) =>
    path.endsWith('.md'),
  );
}

/** The cells of a Markdown table, row by row without its head: the first one below `heading`. */
export function tableBelow(markdown: string, heading: string): string[][] {
  const start = markdown.indexOf(`\n${heading}\n`);
  if (start === -1) throw new Error(`There is no heading "${heading}".`);
  const lines = markdown.slice(start + heading.length + 2).split('\n');
  const first = lines.findIndex((line) => line.startsWith('|'));
  const length = lines.slice(first).findIndex((line) => !line.startsWith('|'));
  return lines
    .slice(first + 2, length === -1 ? undefined : first + length)
    .map((line) => line.split(/(?<!\\)\|/).slice(1, -1))
    .map((cells) => cells.map((cell) => cell.trim()));
}
