import type { OpenAPIObject } from '@nestjs/swagger';

type Json = Record<string, unknown>;

export const PREFIX = '#/components/schemas/';

/** Names that follow from no rule. */
const NAMES: Record<string, string> = {
  CreateIdentityWithRoleDto: 'CreateIdentity',
  DriftRepairResponse: 'RepairedDrift',
  DriftRepairPageResponse: 'RepairedDriftPage',
};

/**
 * The document as a reader and a generator of clients want it: schemas are called as the resources are, without the
 * endings of our classes, and a reference stands by itself where nothing has to be joined with it.
 */
export function tidySchemas(document: OpenAPIObject): OpenAPIObject {
  const schemas = document.components?.schemas ?? {};
  const names = namesOf(Object.keys(schemas));
  const renamed = Object.entries(schemas).map(([name, schema]) => [names.get(name)!, schema] as const);
  renamed.sort(([one], [other]) => (one < other ? -1 : 1));
  document.components = { ...document.components, schemas: Object.fromEntries(renamed) };
  return rewrite(document, (object) => plainReference(renameReference(object, names))) as OpenAPIObject;
}

/** `ConversationResponse` is Conversation; what is sent is `…Input` where what is answered has the name already. */
function namesOf(classes: string[]): Map<string, string> {
  const names = new Map<string, string>();
  const taken = new Set<string>();
  const isInput = (name: string): boolean => name.endsWith('Dto');
  for (const name of [...classes].sort((one, other) => Number(isInput(one)) - Number(isInput(other)))) {
    const base = NAMES[name] ?? name.replace(/(Response|Schema|Dto)$/, '');
    const chosen = taken.has(base) && isInput(name) ? `${base}Input` : base;
    if (taken.has(chosen)) throw new Error(`Two schemas would be called ${chosen}.`);
    taken.add(chosen);
    names.set(name, chosen);
  }
  return names;
}

function renameReference(object: Json, names: Map<string, string>): Json {
  const { $ref } = object;
  if (typeof $ref !== 'string' || !$ref.startsWith(PREFIX)) return object;
  const name = $ref.slice(PREFIX.length);
  return { ...object, $ref: PREFIX + (names.get(name) ?? name) };
}

/** In 3.1 a reference may have a description beside it, and needs no `allOf` of one. */
function plainReference(object: Json): Json {
  const { allOf, ...rest } = object;
  return Array.isArray(allOf) && allOf.length === 1 ? { ...(allOf[0] as Json), ...rest } : object;
}

/** A copy in which every object has been changed, the innermost first. */
export function rewrite(value: unknown, change: (object: Json) => Json): unknown {
  if (Array.isArray(value)) return value.map((item) => rewrite(item, change));
  if (value === null || typeof value !== 'object') return value;
  const entries = Object.entries(value).map(([key, member]) => [key, rewrite(member, change)] as const);
  return change(Object.fromEntries(entries));
}
