import type { OpenApiDocument } from '../../../support/openapi.js';
import type { Random } from '../world/random.js';
import type { Known } from './known.js';

/** As much of JSON Schema as the document uses. */
export interface Schema {
  $ref?: string;
  type?: string | string[];
  enum?: unknown[];
  allOf?: Schema[];
  anyOf?: Schema[];
  oneOf?: Schema[];
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  format?: string;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  minItems?: number;
  maxItems?: number;
  uniqueItems?: boolean;
  example?: unknown;
  default?: unknown;
}

type Hint = () => unknown;

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Makes values that fit a schema, and that mean something where the name of the field says what. */
export class Values {
  constructor(
    private readonly document: OpenApiDocument,
    private readonly random: Random,
    private readonly known: Known,
    /** Names of this source differ from those of others. */
    private readonly prefix: string,
  ) {}

  /** `path` is that of the request: who is in the conversation that it names is known by it. */
  of(schema: Schema, path: string, field = ''): unknown {
    const { random } = this;
    const whole = this.resolved(schema);
    const hint = this.hints(path)[field];
    if (hint && random.chance(0.9)) {
      const value = hint();
      if (value !== undefined) return value;
    }
    if (whole.enum) return random.pick(whole.enum);
    if (whole.example !== undefined && random.chance(0.3) && typeof whole.example !== 'object')
      return whole.example;
    const types = [whole.type ?? 'string'].flat();
    const type = types.includes('null') && random.chance(0.1) ? 'null' : types.find((one) => one !== 'null');
    return this.ofType(type ?? 'null', whole, path, field);
  }

  /** A name out of few, so that the same comes again. */
  name(what: string): string {
    return `${what}-${this.prefix}-${this.random.between(1, 25)}`;
  }

  resolved(schema: Schema): Schema {
    if (schema.$ref !== undefined) {
      const name = schema.$ref.split('/').at(-1) ?? '';
      return this.resolved((this.document.components.schemas as Record<string, Schema>)[name] ?? {});
    }
    if (schema.allOf) {
      const parts = schema.allOf.map((part) => this.resolved(part));
      return Object.assign({}, ...parts, { ...schema, allOf: undefined }) as Schema;
    }
    const choices = schema.anyOf ?? schema.oneOf;
    return choices ? this.resolved(this.random.pick(choices)) : schema;
  }

  private ofType(type: string, schema: Schema, path: string, field: string): unknown {
    const { random } = this;
    switch (type) {
      case 'object':
        return schema.properties ? this.object(schema, path) : this.attributes();
      case 'array':
        return this.array(schema, path, field);
      case 'integer':
      case 'number':
        return random.between(schema.minimum ?? 0, Math.min(schema.maximum ?? 1000, 1_000_000));
      case 'boolean':
        return random.chance(0.5);
      case 'null':
        return null;
      default:
        return this.text(schema);
    }
  }

  private object(schema: Schema, path: string): Record<string, unknown> {
    const { random } = this;
    const required = new Set(schema.required);
    const names = Object.keys(schema.properties ?? {}).filter(
      (name) => required.has(name) || random.chance(0.5),
    );
    const object = Object.fromEntries(
      names.map((name) => [name, this.of(schema.properties?.[name] ?? {}, path, name)]),
    );
    return sensible(object, schema, random, () => this.name('person'));
  }

  private array(schema: Schema, path: string, field: string): unknown[] {
    const { minItems = 0, maxItems = 5, uniqueItems = false, items = {} } = schema;
    const length = this.random.between(minItems, Math.min(maxItems, minItems + 3));
    const all = Array.from({ length }, () => this.of(items, path, field.replace(/s$/, '')));
    return uniqueItems ? [...new Set(all)] : all;
  }

  private attributes(): object {
    return this.random.pick<object>([
      {},
      { v: this.random.between(0, 9) },
      { text: 'Grüße, 你好 👋', nested: { list: [1, null, 'x'] } },
    ]);
  }

  private text({ format, minLength = 1, maxLength = 40 }: Schema): string {
    const { random } = this;
    if (format === 'uuid')
      return `01890000-0000-7000-8000-${String(random.between(0, 99)).padStart(12, '0')}`;
    if (format === 'date-time') return new Date(Date.now() + random.between(1, 1e9)).toISOString();
    const length = random.between(Math.max(1, minLength), Math.min(maxLength, 40));
    const alphabet = random.pick(['abc xyz', 'äöü ß', '你好世界', 'ab-_.~', '👋 👩‍👩‍👧']);
    const letters = [...alphabet];
    const text = Array.from({ length }, () => random.pick(letters)).join('');
    return `x${text.trim()}`.slice(0, maxLength);
  }

  /** What a field means, by its name: an undefined value means that there is none yet. */
  private hints(path: string): Record<string, Hint> {
    const { random, known } = this;
    const chat = /^\/v1\/conversations\/[^/]+/.exec(path)?.[0] ?? '';
    const person = () => known.pick(random, `${chat}/participants`);
    const inPath = (place: string): string | undefined => {
      const name = path.split(`/${place}/`)[1];
      return name === undefined ? undefined : decodeURIComponent(name);
    };
    const id = (collection: string) => {
      const ids = known.names(collection).filter((name) => UUID.test(name));
      return ids.length === 0 ? undefined : random.pick(ids);
    };
    const number = () => `+1555${random.between(1_000_000, 9_999_999)}`;
    const serviceRole = () => random.pick(['service user', 'service admin']);
    return {
      externalId: () => inPath('by-external-id') ?? this.name('person'),
      externalRef: () => inPath('by-ref') ?? this.name('case'),
      identityId: () => id('/v1/identities'),
      conversationId: () => known.pick(random, '/v1/conversations'),
      serviceId: () => id('/v1/services'),
      conversation: () => known.pick(random, '/v1/conversations'),
      from: person,
      author: person,
      actor: person,
      role: () =>
        path.endsWith('/service-role')
          ? serviceRole()
          : random.pick(['agent', 'customer', 'supervisor', 'bot', ...known.roles]),
      serviceRole,
      address: number,
      proxyAddress: () => '+15559990000',
      projectedAddress: number,
      inactive: () => random.pick(['PT1M', 'PT1H', 'P2D', 'PT0S', null]),
      closed: () => random.pick(['PT10M', 'P1D', 'PT0S', null]),
      refreshToken: () => (known.refreshTokens.length === 0 ? undefined : random.pick(known.refreshTokens)),
      permission: () => random.pick(['sendMessage', 'sendMediaMessage', 'editOwnMessage', 'editAnyMessage']),
      cursor: () => known.cursorOf(path) ?? '',
      jwksUrl: () => 'https://login.example.com/.well-known/jwks.json',
      body: () => random.pick(['Hello.', 'Grüße 👋', 'a'.repeat(1600)]),
    };
  }
}

/** What a schema does not say: which fields go together. */
function sensible(
  object: Record<string, unknown>,
  { properties = {} }: Schema,
  random: Random,
  name: () => string,
): Record<string, unknown> {
  const has = (field: string): boolean => field in properties;
  if (has('identityId') && has('externalId')) {
    if (random.chance(0.7) || object['identityId'] === undefined) {
      delete object['identityId'];
      object['externalId'] ??= name();
    } else delete object['externalId'];
  }
  if (has('address') && has('kind')) {
    if (random.chance(0.8)) delete object['address'];
    else {
      object['address'] ??= `+1555${random.between(1_000_000, 9_999_999)}`;
      delete object['role'];
      delete object['projectedAddress'];
    }
    if (object['address'] === undefined) delete object['proxyAddress'];
    if (random.chance(0.9)) delete object['projectedAddress'];
    object['kind'] ??= 'customer';
  }
  // A sid has to be one that Twilio knows.
  for (const field of ['mediaSid', 'twilioSid', 'pushCredentialSid'])
    if (random.chance(0.9)) delete object[field];
  return object;
}
