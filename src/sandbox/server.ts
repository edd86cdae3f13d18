import Fastify from 'fastify';
import type { FastifyInstance } from 'fastify';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { registerApi, registerErrors, sendAnswer } from './api/http.js';
import { errorBody } from './api/errors.js';
import type { SandboxConfig } from './config.js';
import { defaultConfig } from './config.js';
import { registerControl } from './control/routes.js';
import { Sandbox } from './sandbox.js';

export interface RunningSandbox {
  baseUrl: string;
  port: number;
  config: SandboxConfig;
  stop(): Promise<void>;
}

/** Longer than any request line that Node takes: what nobody has is a 404, however long. */
const LONGEST_PATH_PARAMETER = 64 * 1024;

/** Starts a sandbox in this process: in memory and on a free port unless the options say otherwise. */
export async function startSandbox(options: Partial<SandboxConfig> = {}): Promise<RunningSandbox> {
  const config = { ...defaultConfig(), ...options };
  const sandbox = new Sandbox(config, (text) => process.stderr.write(`sandbox: ${text}\n`));
  const app = build(sandbox);
  try {
    await app.listen({ host: config.host, port: config.port });
  } catch (error) {
    await sandbox.stop();
    throw error;
  }
  const { port } = app.server.address() as AddressInfo;
  const host = config.host.includes(':') ? `[${config.host}]` : config.host;
  let stopping: Promise<void> | undefined;
  const stop = async (): Promise<void> => {
    await app.close();
    await sandbox.stop();
  };
  return { baseUrl: `http://${host}:${port}`, port, config, stop: () => (stopping ??= stop()) };
}

function build(sandbox: Sandbox): FastifyInstance {
  const app = Fastify({
    logger: false,
    forceCloseConnections: true,
    // Idle connections of a load test must not be cut just as they are used again.
    keepAliveTimeout: 65_000,
    routerOptions: { maxParamLength: LONGEST_PATH_PARAMETER, ignoreTrailingSlash: true },
    ajv: { customOptions: { removeAdditional: false, coerceTypes: false } },
    frameworkErrors: (error, request, reply) => {
      const body = JSON.stringify(errorBody(20001, 400, error.message));
      sendAnswer(reply, request.raw.noted, { status: 400, body });
    },
  });
  // Before Fastify looks at it: what arrives is noted, whatever becomes of it.
  app.server.prependListener('request', (request: IncomingMessage) => {
    const { method = '', url = '' } = request;
    if (!url.startsWith('/sandbox')) request.noted = sandbox.log.note(method, url);
  });
  registerErrors(app, sandbox);
  app.register(
    (control, _options, done) => {
      registerControl(control, sandbox);
      done();
    },
    { prefix: '/sandbox' },
  );
  app.register((api, _options, done) => {
    registerApi(api, sandbox);
    done();
  });
  return app;
}
