import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

/** The sandbox as `npm run build` makes it, with one program of the tests: what is measured is what is shipped. */
export function compiled(program: string): { program: string; remove(): void } {
  const folder = join(ROOT, 'node_modules', '.cache', `sandbox-${process.pid}`);
  const { options } = ts.convertCompilerOptionsFromJson(tsconfig().compilerOptions, ROOT);
  // One file at a time, the compiler cannot see that the package is of type module.
  const compilerOptions = { ...options, module: ts.ModuleKind.ESNext, sourceMap: false };
  const sources = readdirSync(join(ROOT, 'src/sandbox'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join('src/sandbox', name));
  for (const source of [...sources, program]) {
    const target = join(folder, source.replace(/\.ts$/, '.js'));
    mkdirSync(dirname(target), { recursive: true });
    const text = readFileSync(join(ROOT, source), 'utf8');
    writeFileSync(target, ts.transpileModule(text, { compilerOptions, fileName: source }).outputText);
  }
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  return {
    program: join(folder, program.replace(/\.ts$/, '.js')),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

function tsconfig(): { compilerOptions: object } {
  const { config } = ts.readConfigFile(join(ROOT, 'tsconfig.json'), (path) => readFileSync(path, 'utf8')) as {
    config: { compilerOptions: object };
  };
  return config;
}
