import { applyDecorators, type Type } from '@nestjs/common';
import {
  ApiBody,
  ApiHeader,
  ApiProperty,
  ApiPropertyOptional,
  ApiResponse,
  getSchemaPath,
} from '@nestjs/swagger';
import { ERROR_CATALOG, type ErrorCode } from '../errors/error-catalog.js';

export class FieldErrorSchema {
  @ApiProperty({ example: 'participants.0.externalId' }) field!: string;
  @ApiProperty({ example: 'must be 1 to 255 printable characters' }) message!: string;
}

export class TwilioFailureSchema {
  @ApiProperty({ type: 'integer', nullable: true, example: 50407 }) code!: number | null;
  @ApiProperty({ type: 'integer', nullable: true, example: 400 }) status!: number | null;
  @ApiProperty({ type: String, nullable: true, description: 'What Twilio’s support asks for.' })
  requestId!: string | null;
}

/** What a failure is about, where it is about something else than the request names. */
export class ProblemIdentitySchema {
  @ApiProperty({ format: 'uuid' }) id!: string;
}

export class ProblemConversationSchema extends ProblemIdentitySchema {
  @ApiPropertyOptional({ type: String, nullable: true, description: '`CH…`' }) twilioSid?: string | null;
}

/** The body of every failure, RFC 9457. */
export class ProblemSchema {
  @ApiProperty({ example: 'urn:convoke:error:validation_failed' }) type!: string;
  @ApiProperty() title!: string;
  @ApiProperty({ type: 'integer', example: 400 }) status!: number;
  @ApiProperty() detail!: string;
  @ApiProperty({ example: '/v1/conversations' }) instance!: string;
  @ApiProperty({ enum: Object.keys(ERROR_CATALOG), enumName: 'ErrorCode' }) code!: ErrorCode;
  @ApiProperty({ description: 'Also in X-Request-Id and in the log.' }) requestId!: string;
  @ApiPropertyOptional({ type: [FieldErrorSchema] }) errors?: FieldErrorSchema[];
  @ApiPropertyOptional({ type: TwilioFailureSchema }) twilio?: TwilioFailureSchema;
  @ApiPropertyOptional({
    type: ProblemConversationSchema,
    description: 'That holds the externalRef, or that failed.',
  })
  conversation?: ProblemConversationSchema;
  @ApiPropertyOptional({ type: ProblemIdentitySchema, description: 'That has the externalId.' })
  identity?: ProblemIdentitySchema;
}

/** Failures that any authenticated route can answer. */
const EVERYWHERE: ErrorCode[] = ['unauthorized', 'rate_limited', 'internal_error', 'unavailable'];

/** Documents the failures of a route: one response a status, with the codes that can stand in it. */
export function ApiFailures(...codes: ErrorCode[]): MethodDecorator & ClassDecorator {
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of new Set([...codes, ...EVERYWHERE])) {
    const { status } = ERROR_CATALOG[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return applyDecorators(
    ...[...byStatus].map(([status, group]) => ApiResponse({ status, ...failureResponse(group) })),
  );
}

/** The documented response of failures that share a status. */
export function failureResponse(codes: ErrorCode[]) {
  return {
    description: codes.map((code) => `\`${code}\`: ${ERROR_CATALOG[code].title}.`).join(' '),
    content: { 'application/problem+json': { schema: { $ref: getSchemaPath(ProblemSchema) } } },
  };
}

/** How an API key stands, in the form of draft-ietf-httpapi-ratelimit-headers-08 and later. */
export const RATE_LIMIT_HEADERS = {
  'RateLimit-Policy': {
    description:
      'How many requests (`q`) the key may make in how many seconds (`w`). Left out where nothing limits it.',
    schema: { type: 'string', example: '"key";q=5000;w=5' },
  },
  RateLimit: {
    description: 'How many are left now (`r`), and in how many seconds all will be there again (`t`).',
    schema: { type: 'string', example: '"key";r=4999;t=1' },
  },
  'Retry-After': {
    description: 'Seconds after which to send it again.',
    schema: { type: 'integer', minimum: 1 },
  },
} as const;

/** The headers that every command takes. */
export function ApiCommand({ idempotencyKey = true } = {}): MethodDecorator {
  return applyDecorators(
    ApiHeader({
      name: 'Prefer',
      required: false,
      description:
        '`wait=0` to `wait=60` seconds for the final answer (10 by default), or `respond-async`. After that: 202, and the work goes on.',
      schema: { type: 'string', example: 'wait=10' },
    }),
    ...(idempotencyKey ? [ApiIdempotent()] : []),
  );
}

/** The header by which a POST can be repeated safely. */
export function ApiIdempotent(): MethodDecorator {
  return ApiHeader({
    name: 'Idempotency-Key',
    required: false,
    description:
      'Up to 255 characters. The same key and body give the same answer again, with `Idempotent-Replayed: true`.',
    schema: { type: 'string', maxLength: 255 },
  });
}

/** The header by which a change is refused when somebody else was faster. */
export function ApiIfMatch(): MethodDecorator {
  return ApiHeader({
    name: 'If-Match',
    required: false,
    description: 'The ETag of what was read: 412 when the resource has changed since.',
    schema: { type: 'string' },
  });
}

/** A JSON body, with examples by name: each can be sent as it stands. */
export function ApiExamples(type: Type, examples: Record<string, object>): MethodDecorator {
  const values = Object.entries(examples).map(([name, value]) => [name, { value }] as const);
  return ApiBody({ type, examples: Object.fromEntries(values) });
}

/** Makes the class of one page of a list, for the document. */
export function pageOf<T>(item: Type<T>): Type<{ data: T[]; nextCursor: string | null }> {
  class PageSchema {
    @ApiProperty({ type: [item] }) data!: T[];
    @ApiProperty({ type: String, nullable: true, description: 'For `cursor`; null on the last page.' })
    nextCursor!: string | null;
  }
  Object.defineProperty(PageSchema, 'name', { value: `${item.name.replace(/Response$/, '')}Page` });
  return PageSchema;
}
