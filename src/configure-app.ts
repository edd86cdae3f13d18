import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { AppModule } from './app.module.js';
import type { AppConfig } from './config/app-config.js';
import { createAdapter } from './http-adapter.js';
import { NestLogger } from './nest-logger.js';
import { serveOpenApi } from './openapi/serve.js';
import { addSecurityHeaders } from './security-headers.js';

/**
 * The whole application, ready to listen: the same for the process, for quickstart and for tests. Rejects when it cannot
 * start (Postgres away, tables missing, a bootstrap key that contradicts a known one); nothing is left open then.
 */
export async function createApp(config: AppConfig): Promise<NestFastifyApplication> {
  const adapter = createAdapter(config);
  const app = await NestFactory.create<NestFastifyApplication>(AppModule.with(config), adapter, {
    logger: new NestLogger(adapter.getInstance().log),
    bodyParser: false,
    abortOnError: false,
  });
  await addSecurityHeaders(app);
  serveOpenApi(app);
  try {
    await app.init();
    await adapter.getInstance().ready();
    return app;
  } catch (error) {
    await app.close().catch(() => undefined);
    throw error;
  }
}
