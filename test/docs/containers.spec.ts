import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { loadMigrateConfig } from '../../src/config/app-config.js';
import { Env, ENV_NAMES, readEnv } from '../../src/config/env.js';
import { configFromEnvironment } from '../../src/sandbox/config.js';
import { startSandbox, type RunningSandbox } from '../../src/sandbox/server.js';
import { packageJson, sandboxVariables } from './support/repository.js';

/** No container engine runs here: both files are read, and everything they name is looked up. */

interface Instruction {
  name: string;
  text: string;
}

interface Stage {
  base: string;
  name: string;
  instructions: Instruction[];
}

interface Service {
  image: string;
  build?: { context: string; target: string };
  command?: string[];
  environment?: Record<string, string>;
  ports?: string[];
  volumes?: string[];
  depends_on?: Record<string, { condition: string }>;
  healthcheck?: { test?: string[]; disable?: boolean };
  stop_grace_period?: string;
}

const stages = readStages(readFileSync('Dockerfile', 'utf8'));
const runtime = stages.at(-1)!;
const compose = parse(readFileSync('docker-compose.yml', 'utf8'), { merge: true }) as {
  services: Record<string, Service>;
  volumes: Record<string, unknown>;
};
const services = Object.entries(compose.services);
const { postgres, sandbox, migrate, service } = compose.services;

const sources = (text: string): string[] => text.split(/\s+/).slice(0, -1);

function readStages(dockerfile: string): Stage[] {
  const found: Stage[] = [];
  for (const line of dockerfile
    .replace(/^\s*#.*\n/gm, '')
    .replace(/\\\n\s*/g, '')
    .split('\n')) {
    const [, name, text] = /^([A-Z]+)\s+(.*)$/.exec(line) ?? [];
    if (name === undefined || text === undefined) continue;
    const from = name === 'FROM' ? /^(\S+) AS (\S+)$/.exec(text) : null;
    if (from) found.push({ base: from[1]!, name: from[2]!, instructions: [] });
    else found.at(-1)!.instructions.push({ name, text });
  }
  return found;
}

const those = (stage: Stage, name: string): string[] =>
  stage.instructions.filter((instruction) => instruction.name === name).map(({ text }) => text);

/** `NAME=value` pairs of a stage's ENV. */
const environmentOf = (stage: Stage): Record<string, string> =>
  Object.fromEntries(
    those(stage, 'ENV').flatMap((text) =>
      text.split(/\s+/).map((pair) => pair.split('=') as [string, string]),
    ),
  );

/** `dist/src/main.js` is built from `src/main.ts`. */
function expectProgram(command: string[]): void {
  const [node, ...args] = command;
  expect(node).toBe('node');
  const options = args.filter((arg) => arg.startsWith('--'));
  for (const option of options) expect(option).toMatch(/^--max-semi-space-size=\d+$/);
  const [file, ...rest] = args.filter((arg) => !options.includes(arg));
  expect(rest).toEqual([]);
  expect(file).toMatch(/^dist\/.*\.js$/);
  expect(existsSync(file!.replace(/^dist\//, '').replace(/\.js$/, '.ts')), file).toBe(true);
}

function runNode(args: string[], env: Record<string, string>): Promise<number | null> {
  const child = spawn(process.execPath, args, { env, stdio: 'inherit' });
  return new Promise((resolve) => child.once('close', resolve));
}

describe('the Dockerfile', () => {
  it('copies only what exists, is let in by .dockerignore, or is in a stage before', () => {
    const letIn = readFileSync('.dockerignore', 'utf8').match(/^!.*$/gm)!;
    const wanted = new Set<string>();
    for (const [index, stage] of stages.entries()) {
      for (const text of those(stage, 'COPY')) {
        const [, from, rest] = /^--from=(\S+) (.*)$/.exec(text) ?? [];
        if (from === undefined) {
          for (const path of sources(text)) wanted.add(path);
        } else {
          const source = stages.slice(0, index).find(({ name }) => name === from);
          expect(source, from).toBeDefined();
          expect(['/app/dist', '/app/node_modules']).toContain(sources(rest!)[0]);
          expect(those(source!, 'WORKDIR')).toEqual(['/app']);
        }
      }
    }
    for (const path of wanted) expect(existsSync(path), path).toBe(true);
    expect(new Set(letIn)).toEqual(new Set([...wanted].map((path) => `!${path}`)));
  });

  it('runs only scripts that exist, and leaves out of the runtime what the service does not need', () => {
    const runs = stages.flatMap((stage) => those(stage, 'RUN'));
    for (const [, script] of runs.join('\n').matchAll(/npm run (\S+)/g)) {
      expect(packageJson.scripts).toHaveProperty([script!]);
    }
    const packages = stages.find(({ name }) => name === 'packages')!;
    expect(those(packages, 'RUN')).toEqual(['npm ci --omit=dev --omit=optional --ignore-scripts']);
    expect(those(runtime, 'COPY')).toContain('--from=packages /app/node_modules node_modules');
  });

  it('stands on one glibc base, with a Node that package.json accepts', () => {
    const [base, ...others] = new Set(stages.map((stage) => stage.base));
    expect(others).toEqual([]);
    const [, major] = /^node:(\d+)-bookworm-slim$/.exec(base!) ?? [];
    const [, least] = /^>=(\d+)\./.exec(packageJson.engines.node) ?? [];
    expect(Number(major)).toBeGreaterThanOrEqual(Number(least));
  });

  it('does not run as root, sets variables that the service reads, and exposes its port', () => {
    expect(those(runtime, 'USER')).toEqual(['node']);
    const environment = environmentOf(runtime);
    for (const name of Object.keys(environment)) expect(ENV_NAMES).toContain(name);
    expect(environment).toMatchObject({ NODE_ENV: 'production', HOST: '0.0.0.0' });
    expect(those(runtime, 'EXPOSE')).toEqual([environment['PORT']]);
    expect(environment['PORT']).toBe(String(new Env().PORT));
  });

  it('starts the program itself, so that signals reach it', () => {
    expect(those(runtime, 'ENTRYPOINT')).toEqual([]);
    expectProgram(JSON.parse(those(runtime, 'CMD')[0]!) as string[]);
  });

  describe('HEALTHCHECK', () => {
    let server: Server | undefined;
    afterEach(() => new Promise((resolve) => (server ? server.close(resolve) : resolve(undefined))));

    it.each([
      { status: 200, exit: 0 },
      { status: 503, exit: 1 },
    ])('is $exit when /livez answers $status', async ({ status, exit }) => {
      server = createServer((request, response) => {
        response.writeHead(request.url === '/livez' ? status : 404).end();
      });
      await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve));
      const { port } = server.address() as AddressInfo;
      const [, command] = /CMD (\[.*\])$/.exec(those(runtime, 'HEALTHCHECK')[0]!)!;
      const [node, ...args] = JSON.parse(command!) as string[];
      expect(node).toBe('node');
      expect(await runNode(args, { PORT: String(port) })).toBe(exit);
    });
  });
});

describe('docker-compose.yml', () => {
  it('has the database, the sandbox, the migrations and the service', () => {
    expect(Object.keys(compose.services)).toEqual(['postgres', 'sandbox', 'migrate', 'service']);
    for (const [name, { build, command }] of services) {
      if (name === 'postgres') continue;
      expect(build).toEqual({ context: '.', target: runtime.name });
      if (command) expectProgram(command);
    }
  });

  it('starts things in an order that holds', () => {
    for (const [, { depends_on = {} }] of services) {
      for (const [other, { condition }] of Object.entries(depends_on)) {
        const needed = compose.services[other];
        expect(needed, other).toBeDefined();
        if (condition === 'service_healthy') expect(needed!.healthcheck?.test).toBeDefined();
        else expect([other, condition]).toEqual(['migrate', 'service_completed_successfully']);
      }
    }
    expect(Object.keys(service!.depends_on!)).toEqual(['migrate', 'sandbox']);
    expect(Object.keys(migrate!.depends_on!)).toEqual(['postgres']);
  });

  it('gives the service and the migrations a configuration that they accept', () => {
    for (const name of Object.keys(service!.environment!)) expect(ENV_NAMES).toContain(name);
    const env = readEnv({ ...environmentOf(runtime), ...service!.environment });
    const database = new URL(env.DATABASE_URL);
    expect(compose.services).toHaveProperty([database.hostname]);
    expect(postgres!.environment).toEqual({
      POSTGRES_USER: database.username,
      POSTGRES_PASSWORD: database.password,
      POSTGRES_DB: database.pathname.slice(1),
    });
    expect(loadMigrateConfig(migrate!.environment)).toEqual({ databaseUrl: env.DATABASE_URL });
    expect(service!.stop_grace_period).toMatch(/^\d+s$/);
    expect(parseInt(service!.stop_grace_period!) * 1000).toBeGreaterThan(env.SHUTDOWN_GRACE_MS);
  });

  it('points the service at the sandbox, with the credentials that the sandbox has', () => {
    for (const name of Object.keys(sandbox!.environment!)) expect(sandboxVariables()).toContain(name);
    const config = configFromEnvironment(sandbox!.environment);
    expect(service!.environment).toMatchObject({
      TWILIO_ACCOUNT_SID: config.accountSid,
      TWILIO_AUTH_TOKEN: config.authToken,
      TWILIO_API_KEY_SID: config.apiKeySid,
      TWILIO_API_KEY_SECRET: config.apiKeySecret,
      TWILIO_CHAT_SERVICE_SID: config.chatServiceSid,
      TWILIO_API_BASE_URL: `http://sandbox:${config.port}`,
    });
    // Whoever asks from outside the container does not come from its loopback.
    expect(config).toMatchObject({ host: '0.0.0.0', dataDir: '/data' });
    expect(config.controlToken).not.toBeNull();
  });

  it('publishes the two ports, on this machine alone', () => {
    const { PORT } = readEnv({ ...environmentOf(runtime), ...service!.environment });
    const { port } = configFromEnvironment(sandbox!.environment);
    expect(service!.ports).toEqual([`127.0.0.1:${PORT}:${PORT}`]);
    expect(sandbox!.ports).toEqual([`127.0.0.1:${port}:${port}`]);
    expect([postgres!.ports, migrate!.ports]).toEqual([undefined, undefined]);
  });

  it('declares each volume it uses, and the sandbox can write to its own', () => {
    const used = services.flatMap(([, { volumes = [] }]) => volumes.map((volume) => volume.split(':')[0]!));
    expect(new Set(used)).toEqual(new Set(Object.keys(compose.volumes)));
    const folder = sandbox!.environment!['SANDBOX_DATA_DIR']!;
    expect(sandbox!.volumes![0]!.split(':')[1]).toBe(folder);
    expect(those(runtime, 'RUN')).toContain(`install -d -o node -g node ${folder}`);
  });

  it('marks every secret as one for development', () => {
    const secrets = services
      .flatMap(([, { environment = {} }]) => Object.entries(environment))
      .filter(([name]) => /PASSWORD|SECRET|TOKEN|API_KEY$/.test(name));
    expect(secrets.length).toBeGreaterThanOrEqual(5);
    for (const [name, value] of secrets) expect(value, name).toContain('development');
  });

  describe("the sandbox's health check", () => {
    let running: RunningSandbox | undefined;
    afterEach(() => running?.stop());

    it('is 0 while the sandbox answers, and 1 when it does not', async () => {
      const [kind, node, ...args] = sandbox!.healthcheck!.test!;
      expect([kind, node]).toEqual(['CMD', 'node']);
      running = await startSandbox();
      const here = args.map((text) => text.replace(':4010/', `:${running!.port}/`));
      expect(here).not.toEqual(args);
      expect(await runNode(here, {})).toBe(0);
      await running.stop();
      expect(await runNode(here, {})).toBe(1);
    });
  });
});
