import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { Ajv } from 'ajv';
import type { ValidateFunction } from 'ajv';
import addFormats from 'ajv-formats';

export interface Schema {
  $ref?: string;
  type?: string;
  format?: string;
  pattern?: string;
  enum?: string[];
  items?: Schema;
  properties?: Record<string, Schema>;
  required?: string[];
}

export interface Operation {
  id: string;
  method: string;
  path: string;
  query: Record<string, Schema>;
  form: Record<string, Schema>;
  needed: string[];
  /** The schema of each success that has a body, by status. */
  answers: Record<string, Schema>;
}

interface RawOperation {
  operationId: string;
  parameters?: { name: string; in: string; schema: Schema }[];
  requestBody?: { content: Record<string, { schema: Schema }> };
  responses: Record<string, { content?: Record<string, { schema: Schema }> }>;
}

interface Document {
  paths: Record<string, Record<string, RawOperation>>;
  components: { schemas: Record<string, Schema> };
}

const require = createRequire(import.meta.url);
const document = JSON.parse(
  readFileSync(
    require.resolve('@twilio/cli-core/src/services/twilio-api/twilio_conversations_v1.json'),
    'utf8',
  ),
) as Document;

const FORM = 'application/x-www-form-urlencoded';

/** Every operation that Twilio publishes. */
export const operations: Operation[] = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods)
    .filter(([method]) => ['get', 'post', 'delete'].includes(method))
    .map(([method, raw]) => {
      const schema = raw.requestBody?.content[FORM]?.schema;
      const query = (raw.parameters ?? []).filter((parameter) => parameter.in === 'query');
      return {
        id: raw.operationId,
        method: method.toUpperCase(),
        path,
        query: Object.fromEntries(query.map((parameter) => [parameter.name, parameter.schema])),
        form: schema?.properties ?? {},
        needed: schema?.required ?? [],
        answers: answersOf(raw),
      };
    }),
);

function answersOf({ responses }: RawOperation): Record<string, Schema> {
  const bodies = Object.entries(responses).map(
    ([status, { content }]) => [status, content?.['application/json']?.schema] as const,
  );
  return Object.fromEntries(bodies.filter(([, schema]) => schema !== undefined)) as Record<string, Schema>;
}

export function resolved(schema: Schema): Schema {
  const name = schema.$ref?.replace('#/components/schemas/', '');
  return name === undefined ? schema : resolved(document.components.schemas[name] ?? {});
}

const ajv = new Ajv({ strict: false, allErrors: true });
addFormats.default(ajv);
for (const format of ['uri-map', 'phone-number']) ajv.addFormat(format, true);
ajv.addSchema(readable(document), 'twilio');

const absolute = (schema: Schema): Schema =>
  JSON.parse(JSON.stringify(readable(schema)).replaceAll('#/components', 'twilio#/components')) as Schema;

/** OpenAPI 3.0's `nullable` says nothing beside no type, and the validator refuses it there. */
function readable<T>(value: T): T {
  if (Array.isArray(value)) return value.map(readable) as T;
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([key]) => key !== 'nullable' || 'type' in value);
  return Object.fromEntries(entries.map(([key, inner]) => [key, readable(inner as unknown)])) as T;
}

/**
 * The published schemas require nothing and forbid nothing, so they would take `{}`: besides them,
 * an answer must have exactly the properties that its schema lists.
 */
export function faultsOf(body: unknown, schema: Schema): string[] {
  const validate: ValidateFunction = ajv.compile(absolute(schema));
  const faults = validate(body) ? [] : (validate.errors ?? []).map((e) => `${e.instancePath} ${e.message}`);
  return [...faults, ...propertyFaults(body, resolved(schema), '')];
}

function propertyFaults(body: unknown, schema: Schema, at: string): string[] {
  if (Array.isArray(body)) {
    const items = resolved(schema.items ?? {});
    return body.flatMap((item, index) => propertyFaults(item, items, `${at}/${index}`));
  }
  if (typeof body !== 'object' || body === null || schema.properties === undefined) return [];
  const given = Object.keys(body);
  const listed = Object.keys(schema.properties);
  return [
    ...listed.filter((name) => !given.includes(name)).map((name) => `${at} lacks ${name}`),
    ...given.filter((name) => !listed.includes(name)).map((name) => `${at} has ${name}, which is not listed`),
    ...Object.entries(body).flatMap(([name, value]) =>
      propertyFaults(value, resolved(schema.properties?.[name] ?? {}), `${at}/${name}`),
    ),
  ];
}
