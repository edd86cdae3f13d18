import { readFileSync } from 'node:fs';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';

export interface Operation {
  operationId: string;
  tags?: string[];
  summary?: string;
  security?: object[];
  parameters?: { name: string; in: string; required: boolean; schema: object; example?: unknown }[];
  requestBody?: {
    required: boolean;
    content: Record<string, { schema: object; examples?: Record<string, { value: object }> }>;
  };
  responses: Record<
    string,
    {
      description: string;
      headers?: object;
      content?: Record<string, { schema: object; examples?: Record<string, object> }>;
    }
  >;
}

export interface OpenApiDocument {
  openapi: string;
  info: { title: string; version: string };
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, object>; securitySchemes: Record<string, object> };
}

export interface Route {
  method: string;
  path: string;
  operation: Operation;
}

export function routesOf(document: OpenApiDocument): Route[] {
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method, path, operation })),
  );
}

/** Every route that `docs/openapi.json` describes, which `npm run check` holds equal to what the service is. */
export const DOCUMENTED: readonly Route[] = routesOf(
  JSON.parse(readFileSync('docs/openapi.json', 'utf8')) as OpenApiDocument,
);

/** The codes of the failures that an operation documents. */
export function codesOf({ operation }: Route): string[] {
  return Object.values(operation.responses).flatMap(({ content }) =>
    Object.keys(content?.['application/problem+json']?.examples ?? {}),
  );
}

export const hasHeader = ({ operation }: Route, name: string): boolean =>
  (operation.parameters ?? []).some((one) => one.in === 'header' && one.name === name);

/** A body of the documented form. */
export function exampleBody({ operation }: Route): object | undefined {
  const [content] = Object.values(operation.requestBody?.content ?? {});
  return Object.values(content?.examples ?? {})[0]?.value;
}

/** Checks values against the document's schemas; a field that no schema knows is wrong as well. */
export class SchemaCheck {
  private readonly ajv = new Ajv2020({ strict: false, allErrors: true });
  private readonly compiled = new WeakMap<object, ValidateFunction>();

  constructor(document: OpenApiDocument) {
    addFormats.default(this.ajv);
    this.ajv.addSchema({ $id: 'document', ...closed(document) });
  }

  /** What is wrong with the value; empty when nothing is. */
  problems(schema: object, value: unknown): string[] {
    const validate = this.compiled.get(schema) ?? this.ajv.compile(rebased(closed(schema)));
    this.compiled.set(schema, validate);
    validate(value);
    return (validate.errors ?? []).map(({ instancePath, message, params }) =>
      [instancePath, message, JSON.stringify(params)].join(' '),
    );
  }
}

function mapped(value: unknown, change: (object: Record<string, unknown>) => object): object {
  if (Array.isArray(value)) return value.map((item) => mapped(item, change));
  if (value === null || typeof value !== 'object') return value as object;
  const entries = Object.entries(value).map(([key, member]) => [key, mapped(member, change)] as const);
  return change(Object.fromEntries(entries));
}

const closed = <T extends object>(schema: T): T =>
  mapped(schema, (object) =>
    object['type'] === 'object' && object['properties'] && !('additionalProperties' in object)
      ? { ...object, additionalProperties: false }
      : object,
  ) as T;

const rebased = (schema: object): object =>
  mapped(schema, (object) =>
    typeof object['$ref'] === 'string' ? { ...object, $ref: `document${object['$ref']}` } : object,
  );
