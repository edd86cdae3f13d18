import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { loadConfig, type AppConfig } from './config/app-config.js';
import { ConfigError } from './config/env.js';
import { createApp } from './configure-app.js';

/** Beyond grace and call time-out, in milliseconds: what is closed after the work has been finished or given up. */
const CLOSE_MS = 3000;

/**
 * Stops in order, and with status 0. Not by Nest's own hooks: they end with the signal itself, which does nothing to
 * the first process of a container. A second signal ends at once.
 */
function stopOnSignal(app: NestFastifyApplication, config: AppConfig): void {
  let stopping = false;
  const stop = (): void => {
    if (stopping) process.exit(1);
    stopping = true;
    setTimeout(
      () => process.exit(1),
      config.http.shutdownGraceMs + config.twilio.callTimeoutMs + CLOSE_MS,
    ).unref();
    void app.close().then(
      () => process.exit(0),
      () => process.exit(1),
    );
  };
  process.on('SIGTERM', stop).on('SIGINT', stop);
}

try {
  const config = loadConfig();
  const app = await createApp(config);
  stopOnSignal(app, config);
  await app.listen(config.http.port, config.http.host);
} catch (error) {
  const reason =
    error instanceof ConfigError ? error.message : error instanceof Error ? error.stack : String(error);
  process.stderr.write(`Convoke could not start. ${reason}\n`);
  process.exit(1);
}
