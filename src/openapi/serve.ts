import type { INestApplication } from '@nestjs/common';
import { SwaggerModule, type OpenAPIObject } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { createOpenApiDocument } from './document.js';
import { toOpenApi30 } from './version-30.js';

/**
 * `/openapi.json`, `/openapi-3.0.json` for generators that are older, and the interactive documentation at `/docs`. The
 * document is made when it is first asked for.
 */
export function serveOpenApi(app: INestApplication): void {
  let made: OpenAPIObject | undefined;
  const document = (): OpenAPIObject => (made ??= createOpenApiDocument(app));
  SwaggerModule.setup('docs', app, document, {
    jsonDocumentUrl: 'openapi.json',
    customSiteTitle: 'Convoke API',
    raw: ['json'],
  });
  let older: OpenAPIObject | undefined;
  app.getHttpAdapter().get('/openapi-3.0.json', (_request: unknown, reply: FastifyReply) => {
    void reply.type('application/json').send((older ??= toOpenApi30(document())));
  });
}
