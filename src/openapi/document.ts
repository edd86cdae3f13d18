import type { INestApplication } from '@nestjs/common';
import { DocumentBuilder, SwaggerModule, type OpenAPIObject } from '@nestjs/swagger';
import type { ErrorCode } from '../common/errors/error-catalog.js';
import { PROBLEM_EXAMPLES, ProblemSchema } from '../common/http/api-docs.js';
import { VERSION } from '../config/version.js';
import { ANSWER_HEADERS, completeOperation } from './operations.js';
import { tidySchemas } from './schemas.js';

const DESCRIPTION = `
Convokes people into a private Twilio conversation: one call makes it, with the right people in it, each with the right
role, and a system message; one more gives each browser its access token.

**Keys.** Send \`Authorization: Bearer cvk_…\`. A key belongs to one chat service, and sees nothing of another one: what
is not its own is \`404\`.

**Commands are wishes.** What changes Twilio is written down first, and goes on over restarts until it is settled. A
command waits up to 10 seconds for the final answer, or as long as \`Prefer: wait=…\` says. Not settled by then is
\`202\` with the resource as it is, and \`Location\` says where to look. Every command can be repeated: with an
\`Idempotency-Key\`, or by the natural key of what it makes.

**Failures.** Every failure is an RFC 9457 problem document with a \`code\` that keeps its meaning. Beside those that stand
with each operation, any of them may be \`400\` \`malformed_request\` (not HTTP), \`408\` \`request_timeout\` or \`431\`
\`headers_too_large\`.

**Lists** are pages, in an order that is stable while things are made: pass \`nextCursor\` as \`cursor\`, until it is null.

**Changes.** In a PATCH a key that is left out stays, \`null\` clears it, and \`attributes\` are replaced whole. Times are
RFC 3339 in UTC, ids are UUIDs. An \`X-Request-Id\` that is sent is answered and logged; one is made otherwise.
`.trim();

/** In reading order. */
const TAGS: [name: string, description: string][] = [
  ['Conversations', 'Private chats: provisioned, read, listed, handed over, closed and deleted.'],
  ['Participants', 'Who is in a conversation, by browser, SMS or WhatsApp, and in which role.'],
  [
    'Messages',
    'What is said: by the system, or for a participant as far as its role permits; and transcripts.',
  ],
  ['Identities', 'The people and bots that chats are made of.'],
  ['Tokens', 'Access tokens for browsers, and the sessions that renew them.'],
  ['Roles', 'What people may do: the presets of Convoke, and roles of your own.'],
  ['Chat services', 'Isolated deployments at Twilio; nothing crosses from one to another.'],
  ['API keys', 'What a backend authenticates with.'],
  ['Reconciliation', 'What is behind and why, and what differs between our rows and Twilio.'],
  ['Health', 'Whether the process runs, and whether it can serve.'],
];

/** OpenAPI 3.1, out of the decorators alone: the same in development, in tests and in the build. */
export function createOpenApiDocument(app: INestApplication): OpenAPIObject {
  const builder = new DocumentBuilder()
    .setTitle('Convoke')
    .setDescription(DESCRIPTION)
    .setVersion(VERSION)
    .setOpenAPIVersion('3.1.0')
    .setLicense('MIT', 'https://opensource.org/license/mit')
    .addServer('/', 'Where this document is served')
    .addBearerAuth({
      type: 'http',
      scheme: 'bearer',
      bearerFormat: 'cvk_<keyId>_<secret>',
      description: 'An API key. Its scopes decide what it may do, its chat service what it sees.',
    })
    .addBearerAuth(
      {
        type: 'http',
        scheme: 'bearer',
        bearerFormat: 'JWT',
        description: 'A token of the company’s own login, for `POST /v1/tokens/exchange` alone.',
      },
      'login',
    );
  for (const [name, description] of TAGS) builder.addTag(name, description);
  const document = SwaggerModule.createDocument(app, builder.build(), { extraModels: [ProblemSchema] });
  document.info.contact = { name: 'Convoke contributors' };
  const codes = new Set<ErrorCode>();
  for (const path of Object.values(document.paths)) {
    const { get, post, put, patch, delete: remove } = path;
    for (const operation of [get, post, put, patch, remove]) {
      if (!operation) continue;
      for (const code of completeOperation(operation, operation !== get)) codes.add(code);
    }
  }
  const used = Object.entries(PROBLEM_EXAMPLES).filter(([code]) => codes.has(code as ErrorCode));
  Object.assign((document.components ??= {}), {
    headers: ANSWER_HEADERS,
    examples: Object.fromEntries(used),
  });
  return tidySchemas(document);
}
