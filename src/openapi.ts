import type { INestApplication } from '@nestjs/common';
import { DocumentBuilder, SwaggerModule, type OpenAPIObject } from '@nestjs/swagger';
import { ERROR_CATALOG, type ErrorCode } from './common/errors/error-catalog.js';
import { failureResponse, ProblemSchema, RATE_LIMIT_HEADERS } from './common/http/api-docs.js';
import { VERSION } from './config/version.js';

const DESCRIPTION = `
Convokes people into a private Twilio conversation: one call makes it, with the right people in it, each with the right
role, and a system message; one more gives each browser its access token.

Every command can be repeated: with an \`Idempotency-Key\`, or by the natural key of what it makes. What was accepted goes
on over restarts until it is settled. Every failure is an RFC 9457 problem document with a \`code\`.
`.trim();

/** OpenAPI 3.1, out of the decorators alone: the same in development, in tests and in the build. */
export function createOpenApiDocument(app: INestApplication): OpenAPIObject {
  const config = new DocumentBuilder()
    .setTitle('Convoke')
    .setDescription(DESCRIPTION)
    .setVersion(VERSION)
    .setOpenAPIVersion('3.1.0')
    .setLicense('MIT', 'https://opensource.org/license/mit')
    .addServer('/')
    .addBearerAuth({ type: 'http', scheme: 'bearer', bearerFormat: 'cvk_<keyId>_<secret>' })
    .addBearerAuth({ type: 'http', scheme: 'bearer', bearerFormat: 'JWT' }, 'login')
    .addTag('Conversations', 'Private chats: provisioned, read, listed')
    .addTag('Participants', 'Who is in a conversation, by browser, SMS or WhatsApp')
    .addTag('Messages', 'What is said: by the system, or for a participant as far as its role permits')
    .addTag('Identities', 'The people and bots that chats are made of')
    .addTag('Tokens', 'Access tokens for browsers')
    .addTag('Chat services', 'Isolated deployments; nothing crosses from one to another')
    .addTag('API keys', 'What a backend authenticates with')
    .addTag('Reconciliation', 'What is behind, and why')
    .addTag('Health')
    .build();
  const document = SwaggerModule.createDocument(app, config, { extraModels: [ProblemSchema] });
  (document.components ??= {}).headers = RATE_LIMIT_HEADERS;
  for (const path of Object.values(document.paths)) {
    const { get, post, put, patch, delete: remove } = path;
    for (const operation of [get, post, put, patch, remove]) {
      if (!operation) continue;
      documentDoors(operation, operation !== get);
      documentLimits(operation);
    }
  }
  return document;
}

type Operation = NonNullable<OpenAPIObject['paths'][string]['get']>;

/**
 * Adds what is answered before the controller is reached: the same for every route whose method may have a body, also
 * where none is wanted, and for every one with a parameter.
 */
function documentDoors(operation: Operation, mayHaveBody: boolean): void {
  const inPath = operation.parameters?.some((parameter) => 'in' in parameter && parameter.in === 'path');
  const codes: ErrorCode[] = [
    ...(mayHaveBody ? (['malformed_json', 'payload_too_large', 'unsupported_media_type'] as const) : []),
    ...(inPath ? (['malformed_request', 'uri_too_long'] as const) : []),
  ];
  for (const code of codes) {
    const { status } = ERROR_CATALOG[code];
    const added = failureResponse([code]);
    const known = operation.responses[status];
    if (!known) operation.responses[status] = added;
    else if ('description' in known && !known.description?.includes(added.description)) {
      known.description = `${known.description} ${added.description}`;
    }
  }
}

/** Adds the headers that say how a key stands to every answer it gets. One without a good key has none of them. */
function documentLimits(operation: Operation): void {
  for (const [status, response] of Object.entries(operation.responses)) {
    if (!response || '$ref' in response) continue;
    if (status === '429') response.headers = { ...response.headers, 'Retry-After': headerOf('Retry-After') };
    if (!operation.security || status === '401') continue;
    const limits = { 'RateLimit-Policy': headerOf('RateLimit-Policy'), RateLimit: headerOf('RateLimit') };
    response.headers = { ...response.headers, ...limits };
  }
}

function headerOf(name: keyof typeof RATE_LIMIT_HEADERS): { $ref: string } {
  return { $ref: `#/components/headers/${name}` };
}

/** `/openapi.json` and the interactive documentation at `/docs`. The document is made when it is first asked for. */
export function serveOpenApi(app: INestApplication): void {
  SwaggerModule.setup('docs', app, () => createOpenApiDocument(app), {
    jsonDocumentUrl: 'openapi.json',
    customSiteTitle: 'Convoke API',
    raw: ['json'],
  });
}
