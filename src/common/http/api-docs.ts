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
  @ApiProperty({ description: 'What the code means, always the same.' }) title!: string;
  @ApiProperty({ type: 'integer', example: 400 }) status!: number;
  @ApiProperty({ description: 'What is wrong here, for people.' }) detail!: string;
  @ApiProperty({ example: '/v1/conversations' }) instance!: string;
  @ApiProperty({ enum: Object.keys(ERROR_CATALOG), enumName: 'ErrorCode' }) code!: ErrorCode;
  @ApiProperty({ description: 'Also in X-Request-Id and in the log.' }) requestId!: string;
  @ApiPropertyOptional({ type: [FieldErrorSchema], description: 'What is wrong with which field.' })
  errors?: FieldErrorSchema[];
  @ApiPropertyOptional({ type: TwilioFailureSchema, description: 'What Twilio answered, where it did.' })
  twilio?: TwilioFailureSchema;
  @ApiPropertyOptional({
    type: ProblemConversationSchema,
    description: 'The one that has the `externalRef`, or that could not be provisioned.',
  })
  conversation?: ProblemConversationSchema;
  @ApiPropertyOptional({ type: ProblemIdentitySchema, description: 'The one that has the `externalId`.' })
  identity?: ProblemIdentitySchema;
}

/** Failures that any authenticated route can answer. */
const EVERYWHERE: ErrorCode[] = ['unauthorized', 'rate_limited', 'internal_error', 'unavailable'];

/** What is read through to Twilio while the caller waits for just that; a wish that is written meets all but the first by going on. */
export const READ_THROUGH_FAILURES: ErrorCode[] = [
  'upstream_auth_failed',
  'upstream_unavailable',
  'upstream_rate_limited',
  'upstream_timeout',
];

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

/** The documented response of failures that share a status, with an example of each. */
export function failureResponse(codes: ErrorCode[]) {
  const examples = codes.map((code) => [code, { $ref: `#/components/examples/${code}` }] as const);
  return {
    description: codes.map((code) => `\`${code}\`: ${ERROR_CATALOG[code].title}.`).join(' '),
    content: {
      'application/problem+json': {
        schema: { $ref: getSchemaPath(ProblemSchema) },
        examples: Object.fromEntries(examples),
      },
    },
  };
}

const EXAMPLE_PARTS: Partial<Record<ErrorCode, object>> = {
  validation_failed: { errors: [{ field: 'subject', message: 'is not a known field' }] },
  provisioning_failed: { twilio: { code: 50407, status: 400, requestId: null } },
  upstream_refused: { twilio: { code: 50407, status: 400, requestId: null } },
  external_ref_taken: { conversation: { id: '01890000-0000-7000-8000-000000000000', twilioSid: null } },
  identity_exists: { identity: { id: '01890000-0000-7000-8000-000000000000' } },
};

/** A problem document of every code. */
export const PROBLEM_EXAMPLES = Object.fromEntries(
  Object.entries(ERROR_CATALOG).map(([code, { status, title }]) => [
    code,
    {
      summary: title,
      value: {
        type: `urn:convoke:error:${code}`,
        title,
        status,
        detail: `${title}.`,
        instance: '/v1/conversations',
        code,
        requestId: '01890000-0000-7000-8000-000000000000',
        ...EXAMPLE_PARTS[code as ErrorCode],
      },
    },
  ]),
);

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
