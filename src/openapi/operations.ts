import type { OpenAPIObject } from '@nestjs/swagger';
import { ERROR_CATALOG, type ErrorCode } from '../common/errors/error-catalog.js';
import { failureResponse } from '../common/http/api-docs.js';

type Operation = NonNullable<OpenAPIObject['paths'][string]['get']>;
type Response = Exclude<NonNullable<Operation['responses'][string]>, { $ref: string }>;

/** Every header of an answer, by the name it goes under. */
export const ANSWER_HEADERS = {
  'X-Request-Id': {
    description: 'The id of the request: the one that was sent, or a new one. It is in the log.',
    schema: { type: 'string' },
  },
  ETag: {
    description: 'The version of the resource, for `If-Match`.',
    schema: { type: 'string', example: '"i1kXpOiJq3r0aZ0Cw2kqSx1Q4P2FQbPZ0m3mX3o9b8s"' },
  },
  Location: {
    description: 'Where the resource is.',
    schema: { type: 'string', example: '/v1/conversations/01890000-0000-7000-8000-000000000000' },
  },
  'Idempotent-Replayed': {
    description:
      '`true` where this is the stored answer to an earlier request with the same `Idempotency-Key`.',
    schema: { type: 'string', enum: ['true'] },
  },
  'RateLimit-Policy': {
    description:
      'How many requests (`q`) the key may make in how many seconds (`w`). Left out where nothing limits it.',
    schema: { type: 'string', example: '"key";q=3000;w=3' },
  },
  RateLimit: {
    description: 'How many are left now (`r`), and in how many seconds all will be there again (`t`).',
    schema: { type: 'string', example: '"key";r=2999;t=1' },
  },
  'Retry-After': {
    description: 'Seconds after which to send it again.',
    schema: { type: 'integer', minimum: 1 },
  },
} as const;

type AnswerHeader = keyof typeof ANSWER_HEADERS;

/** What a single answer shows that has an ETag. */
const TAGGED = ['ConversationResponse', 'ParticipantResponse', 'IdentityResponse', 'ChatServiceResponse'];

/** Failures that come again by themselves, and say when to. */
const COME_AGAIN: ErrorCode[] = ['rate_limited', 'idempotency_in_progress', 'upstream_rate_limited'];

/** Where the decorators say no more about a success. */
const DONE: Record<string, string> = {
  200: 'As it is now.',
  201: 'As it was made.',
  204: 'Done; there is nothing to show.',
};

/** What may stand in a path, by the name of its parameter. */
const PATH_PARAMETERS: Record<string, string> = {
  conversation: 'Our id, or its `CH…`.',
  participant: 'Our id, its `MB…`, or the `externalId` of its identity: the newest one, then.',
  message: 'Our id, or its `IM…`.',
  identity: 'Our id, or its `US…`.',
  id: 'Our id.',
};

/** Adds what all operations have in common, which no controller says. Answers the codes of its failures. */
export function completeOperation(operation: Operation, mayHaveBody: boolean): ErrorCode[] {
  documentPath(operation);
  documentDoors(operation, mayHaveBody);
  const codes: ErrorCode[] = [];
  for (const [status, response] of Object.entries(operation.responses)) {
    if (!response || '$ref' in response) continue;
    response.description ||= DONE[status] ?? '';
    const names = headersOf(operation, status, response);
    const headers = names.map((name) => [name, { $ref: `#/components/headers/${name}` }] as const);
    response.headers = { ...response.headers, ...Object.fromEntries(headers) };
    codes.push(...codesOf(response));
  }
  return codes;
}

function documentPath(operation: Operation): void {
  for (const parameter of operation.parameters ?? []) {
    if ('$ref' in parameter || parameter.in !== 'path') continue;
    parameter.description ??= PATH_PARAMETERS[parameter.name];
    parameter.schema = { ...parameter.schema, minLength: 1, maxLength: 255 };
  }
}

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
    const known = operation.responses[status];
    const listed = known && 'description' in known ? codesOf(known) : [];
    if (!listed.includes(code)) operation.responses[status] = failureResponse([...listed, code]);
  }
}

/** The codes of a failure: the names of its examples. */
function codesOf({ content = {} }: Response): ErrorCode[] {
  return Object.keys(content['application/problem+json']?.examples ?? {}) as ErrorCode[];
}

/** A key's headers stand with every answer it gets; one without a good key has none of them. */
function headersOf(operation: Operation, status: string, response: Response): AnswerHeader[] {
  const shown = shownBy(response);
  const made = Number(status) < 400;
  const codes = codesOf(response);
  const takesKey = operation.parameters?.some((one) => 'name' in one && one.name === 'Idempotency-Key');
  return [
    'X-Request-Id',
    ...(['200', '201'].includes(status) && shown && TAGGED.includes(shown) ? (['ETag'] as const) : []),
    ...(pointsSomewhere(operation, status, codes) ? (['Location'] as const) : []),
    ...(takesKey && (made ? status !== '202' : ['409', '422'].includes(status))
      ? (['Idempotent-Replayed'] as const)
      : []),
    ...(codes.some((code) => COME_AGAIN.includes(code)) ? (['Retry-After'] as const) : []),
    ...(operation.security && status !== '401' && !isLogin(operation)
      ? (['RateLimit-Policy', 'RateLimit'] as const)
      : []),
  ];
}

/** A command says where its resource is. Tokens are nowhere to be read again, and what was deleted is nowhere. */
function pointsSomewhere({ responses }: Operation, status: string, codes: ErrorCode[]): boolean {
  if (!status.startsWith('2')) return codes.includes('idempotency_in_progress');
  const shows = (one: string): boolean => {
    const shown = shownBy(responses[one]);
    return shown !== null && shown !== 'TokenResponse';
  };
  return shows(status) && (shows('201') || shows('202'));
}

/** The class that stands for what is answered. */
function shownBy(response: Operation['responses'][string]): string | null {
  const schema =
    response && 'content' in response ? response.content?.['application/json']?.schema : undefined;
  return schema && '$ref' in schema ? schema.$ref.replace(/^.*\//, '') : null;
}

const isLogin = ({ security = [] }: Operation): boolean => security.some((one) => 'login' in one);
