/**
 * Makes a clone ready to run: checks Node, installs the packages when they are not those of package-lock.json, builds
 * when `dist` is not of these sources. Says in one line what it does, and nothing when nothing is to be done. Only what
 * comes with Node is used here, as it runs before anything is installed.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const LOCK = join(ROOT, '.convoke', 'ready.lock');
const STAMP = join(ROOT, 'dist', '.built-from');
const BUILD_INPUTS = [
  'src',
  'migrations',
  'nest-cli.json',
  'tsconfig.json',
  'tsconfig.build.json',
  'package-lock.json',
];
const POLL_MS = 200;

async function makeReady() {
  process.once('exit', await takeLock());
  // Whoever held the lock before may have done it all.
  if (!isInstalled()) await run('Installing packages', npm('ci', '--include=dev', '--include=optional'));
  if (!isBuilt()) await build();
}

function checkNode() {
  const wanted = readJson('package.json').engines.node.replace(/^\D+/, '').split('.').map(Number);
  const found = process.versions.node.split('.').map(Number);
  const first = wanted.findIndex((part, index) => part !== found[index]);
  if (first === -1 || found[first] > wanted[first]) return;
  console.error(
    `Convoke needs Node ${wanted.join('.')} or newer; this is ${process.versions.node} (${process.execPath}).`,
  );
  process.exit(1);
}

/** npm writes down what it has put into node_modules when it is done with it. */
function isInstalled() {
  if (!existsSync(join(ROOT, 'node_modules', '.package-lock.json'))) return false;
  const present = readJson(join('node_modules', '.package-lock.json')).packages;
  return Object.entries(readJson('package-lock.json').packages).every(([path, wanted]) => {
    const found = present[path];
    // Packages for other platforms are left out.
    if (path === '' || (!found && wanted.optional)) return true;
    return found && found.version === wanted.version && found.integrity === wanted.integrity;
  });
}

function isBuilt() {
  return existsSync(STAMP) && readFileSync(STAMP, 'utf8') === hashOfSources();
}

async function build() {
  const sources = hashOfSources();
  // A build that is cut short leaves a folder without the stamp: nest empties it first, and the stamp comes last.
  if (existsSync(STAMP)) unlinkSync(STAMP);
  await run('Building', [
    process.execPath,
    join('node_modules', '@nestjs', 'cli', 'bin', 'nest.js'),
    'build',
  ]);
  writeFileSync(STAMP, sources);
}

function hashOfSources() {
  const hash = createHash('sha256');
  for (const path of BUILD_INPUTS.flatMap(filesOf)) {
    hash.update(`${path}\0`).update(
      createHash('sha256')
        .update(readFileSync(join(ROOT, path)))
        .digest(),
    );
  }
  return hash.digest('hex');
}

function filesOf(path) {
  if (path.endsWith('.json')) return [path];
  return readdirSync(join(ROOT, path), { withFileTypes: true })
    .sort((one, other) => (one.name < other.name ? -1 : 1))
    .flatMap((entry) => {
      const inner = `${path}/${entry.name}`;
      if (entry.isDirectory()) return filesOf(inner);
      return entry.name.endsWith('.spec.ts') ? [] : [inner];
    });
}

/** The npm that runs us, if one does. */
function npm(...args) {
  const cli = process.env.npm_execpath;
  return cli && basename(cli) === 'npm-cli.js' ? [process.execPath, cli, ...args] : ['npm', ...args];
}

/**
 * The shell in between holds a pipe from us, which the system closes when we end in whatever way: then it kills the
 * command, lest it go on writing beside the next start.
 */
const WATCHDOG = `
exec 3<&0 </dev/null
"$@" 3<&- &
command=$!
( while read -r _; do :; done; kill -KILL $command ) <&3 3<&- >/dev/null 2>&1 &
watcher=$!
exec 3<&-
wait $command
status=$?
kill $watcher 2>/dev/null
exit $status
`;

/** Runs a step quietly. When it fails, shows what it wrote and ends with its exit status. */
async function run(what, command) {
  console.log(`${what} ...`);
  const { status, output } = await new Promise((resolve) => {
    const child = spawn('/bin/sh', ['-c', WATCHDOG, 'sh', ...command], { cwd: ROOT });
    let output = '';
    child.stdout.on('data', (chunk) => (output += chunk));
    child.stderr.on('data', (chunk) => (output += chunk));
    child.once('error', (error) => resolve({ status: 1, output: error.message }));
    child.once('close', (code) => resolve({ status: code ?? 1, output }));
  });
  if (status === 0) return;
  console.error(`${output.trimEnd()}\n${what} failed (status ${status}).`);
  process.exit(status);
}

/**
 * One process at a time. The lock is a link whose target names its holder: made in one step, and worth nothing once the
 * holder is dead. Answers the function that releases it.
 */
async function takeLock(path = LOCK) {
  mkdirSync(dirname(path), { recursive: true });
  const mine = `${process.pid}|${startOf(process.pid)}|${randomUUID()}`;
  for (let told = false; ;) {
    const holder = claim(path, mine);
    if (holder === mine) return () => removeLock(path, mine);
    if (holder && isDead(holder)) await breakLock(path, holder);
    else if (holder) {
      if (!told && path === LOCK)
        console.log(`Waiting for process ${holder.split('|')[0]}, which is at it already ...`);
      told = true;
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }
}

function claim(path, mine) {
  try {
    symlinkSync(mine, path);
    return mine;
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
    return holderOf(path);
  }
}

/** Of two that find a dead holder, the slower must not remove the lock that the faster has taken since. */
async function breakLock(path, dead) {
  const release = await takeLock(`${path}.break`);
  removeLock(path, dead);
  release();
}

function removeLock(path, holder) {
  if (holderOf(path) === holder) unlinkSync(path);
}

function holderOf(path) {
  try {
    return readlinkSync(path);
  } catch {
    return null;
  }
}

function isDead(holder) {
  const [pid, start] = holder.split('|');
  return startOf(pid) !== start;
}

/** When the process started, which tells it from a later one with the same id; empty when there is none. */
function startOf(pid) {
  if (!existsSync('/proc/self/stat')) {
    return spawnSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).stdout.trim();
  }
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? '' : fields[19];
  } catch {
    return '';
  }
}

function readJson(path) {
  return JSON.parse(readFileSync(join(ROOT, path), 'utf8'));
}

checkNode();
try {
  if (!isInstalled() || !isBuilt()) await makeReady();
} catch (error) {
  console.error(`This clone cannot be made ready: ${error.message}`);
  process.exitCode = 1;
}
