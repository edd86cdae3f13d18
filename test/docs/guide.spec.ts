import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { useApp } from '../support/app.js';
import { hasTool } from '../support/tools.js';
import { expectLike } from './support/like.js';

/** The commands of the guide, in one shell and in their order, as a reader runs them. */
const running = useApp();

interface Step {
  command: string;
  /** What is documented of the answer, when something is. */
  answer: { type: string; text: string } | null;
}

const MARK = '@@ the next command';

function stepsOf(guide: string): Step[] {
  const blocks = [...guide.matchAll(/^```(\w+)\n(.*?)^```$/gms)].map(([, type, text]) => ({
    type: type!,
    text: text!.trim(),
  }));
  return blocks.flatMap(({ type, text }, index) => {
    if (type !== 'sh' || text.startsWith('npm ')) return [];
    const next = blocks[index + 1];
    return [{ command: text, answer: next && next.type !== 'sh' ? next : null }];
  });
}

/** Runs the commands beside a `quickstart.json` as quickstart writes it. Answers what each has written. */
async function runAll(commands: string[]): Promise<string[]> {
  const folder = await mkdtemp(join(tmpdir(), 'convoke-guide-'));
  try {
    await mkdir(join(folder, '.convoke'));
    const started = { baseUrl: new URL(await running.baseUrl()).origin, apiKey: running.api.key };
    await writeFile(join(folder, '.convoke', 'quickstart.json'), JSON.stringify(started));
    const script = commands.map((command) => `${command}\necho; echo '${MARK}'`).join('\n');
    const { stdout } = await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', script], { cwd: folder });
    return stdout.split(MARK);
  } finally {
    await rm(folder, { recursive: true });
  }
}

function expectAnswer(found: string, { type, text }: { type: string; text: string }, command: string): void {
  if (type === 'ndjson') {
    const lines = (all: string): unknown[] =>
      all
        .trim()
        .split('\n')
        .map((line): unknown => JSON.parse(line));
    expectLike(lines(found), lines(text), command);
    return;
  }
  const [status, ...headers] = text.split('\n');
  const head = found
    .trim()
    .split(/\r?\n\r?\n/)[0]!
    .split(/\r?\n/);
  expect(head[0], `${command}\n${found}`).toBe(status);
  for (const header of headers) {
    const name = header.slice(0, header.indexOf(':') + 1);
    expectLike(
      head.find((line) => line.toLowerCase().startsWith(name)),
      header,
      command,
    );
  }
}

it.skipIf(!hasTool('curl', 'curl', '--version'))('the commands of the guide do what it says', async () => {
  const steps = stepsOf(await readFile('docs/guide.md', 'utf8'));
  expect(steps.length).toBeGreaterThan(12);
  const answers = await runAll(steps.map(({ command }) => command));
  steps.forEach(({ command, answer }, index) => {
    if (answer) expectAnswer(answers[index]!, answer, command);
    else expect(command, 'a command without a documented answer keeps it').toMatch(/^[A-Z]+=/);
  });
});
