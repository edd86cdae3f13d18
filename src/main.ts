import { loadConfig } from './config/app-config.js';
import { ConfigError } from './config/env.js';
import { createApp } from './configure-app.js';

try {
  const config = loadConfig();
  const app = await createApp(config);
  app.enableShutdownHooks();
  await app.listen(config.http.port, config.http.host);
} catch (error) {
  const reason =
    error instanceof ConfigError ? error.message : error instanceof Error ? error.stack : String(error);
  process.stderr.write(`Convoke could not start. ${reason}\n`);
  process.exit(1);
}
