import type { OpenAPIObject } from '@nestjs/swagger';
import { PREFIX, rewrite } from './schemas.js';

type Json = Record<string, unknown>;

/**
 * The document for generators that do not know OpenAPI 3.1. What 3.1 says by `null` among the types is `nullable` here,
 * and a reference has nothing beside it. 3.0 cannot say "this or null" of a reference: each schema of which that is said
 * has a twin `…OrNull`, or is nullable itself where
 * nobody wants it otherwise.
 */
export function toOpenApi30(document: OpenAPIObject): OpenAPIObject {
  const twins = new Set<string>();
  const older = rewrite(document, (object) =>
    withoutConst(withoutNullType(withoutNullBranch(withoutSiblings(object), twins))),
  ) as OpenAPIObject;
  const schemas = (older.components?.schemas ?? {}) as Record<string, Json>;
  const text = JSON.stringify(older);
  const needless = [...twins].filter((name) => !text.includes(`"${PREFIX}${name}"`));
  for (const name of twins) {
    const needed = !needless.includes(name);
    schemas[needed ? `${name}OrNull` : name] = orNull(schemas[name]!);
  }
  const renamed = rewrite(older, (object) => withoutTwin(object, needless)) as OpenAPIObject;
  return { ...renamed, openapi: '3.0.3' };
}

function withoutTwin(object: Json, needless: string[]): Json {
  const name = needless.find((one) => object['$ref'] === `${PREFIX}${one}OrNull`);
  return name === undefined ? object : { ...object, $ref: PREFIX + name };
}

function orNull(schema: Json): Json {
  const values = schema['enum'];
  return {
    ...schema,
    nullable: true,
    ...(Array.isArray(values) && { enum: [...(values as unknown[]), null] }),
  };
}

/** A reference with a description beside it: only the reference would be read. */
function withoutSiblings(object: Json): Json {
  const { $ref, ...rest } = object;
  if (typeof $ref !== 'string' || !$ref.includes('/schemas/') || Object.keys(rest).length === 0)
    return object;
  return { ...rest, allOf: [{ $ref }] };
}

/** `anyOf` of something and null. */
function withoutNullBranch(object: Json, twins: Set<string>): Json {
  const key = Array.isArray(object['anyOf']) ? 'anyOf' : 'oneOf';
  const branches = object[key];
  if (!Array.isArray(branches) || !branches.some(isNull)) return object;
  const { [key]: _, ...rest } = object;
  const others = branches.filter((branch) => !isNull(branch)) as Json[];
  const [only] = others;
  if (others.length > 1 || only === undefined) {
    return { ...rest, [key]: others.map((branch) => ({ ...branch, nullable: true })) };
  }
  const reference = only['$ref'];
  if (typeof reference !== 'string') return { ...only, ...rest, nullable: true };
  twins.add(reference.replace(/^.*\//, ''));
  return withoutSiblings({ ...rest, $ref: `${reference}OrNull` });
}

const isNull = (schema: unknown): boolean => (schema as { type?: unknown }).type === 'null';

function withoutNullType(object: Json): Json {
  const { type } = object;
  if (!Array.isArray(type)) return object;
  const others = type.filter((name) => name !== 'null') as string[];
  if (others.length === type.length || others.length !== 1) {
    throw new Error(`OpenAPI 3.0 has no word for the types ${type.join(', ')}.`);
  }
  return { ...object, type: others[0], nullable: true };
}

function withoutConst(object: Json): Json {
  if (!('const' in object)) return object;
  const { const: value, ...rest } = object;
  return { ...rest, enum: [value] };
}
