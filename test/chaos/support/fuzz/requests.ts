import { routesOf, type OpenApiDocument, type Operation, type Route } from '../../../support/openapi.js';
import type { Random } from '../world/random.js';
import { breakIt } from './break.js';
import type { Known } from './known.js';
import type { Ask } from './send.js';
import { Values, type Schema } from './values.js';

/** How often a route is asked for beside the others, by operation: what ends things is asked for less. */
const WEIGHTS: Record<string, number> = {
  deleteConversation: 0.15,
  closeConversation: 0.2,
  createService: 0.1,
  repairDrift: 0.3,
  repairRoles: 0.2,
  provisionConversation: 3,
  provisionConversationByRef: 2,
  addParticipant: 2,
};

type Parameter = NonNullable<Operation['parameters']>[number];

/** Makes requests out of the document: those that mean well, and broken ones. */
export class Requests {
  private readonly routes: Route[];
  private readonly weights: number[];
  private readonly values: Values;

  constructor(
    document: OpenApiDocument,
    private readonly random: Random,
    private readonly known: Known,
    private readonly apiKey: string,
    private readonly prefix: string,
  ) {
    this.routes = routesOf(document);
    this.weights = this.routes.map(({ operation }) => WEIGHTS[operation.operationId] ?? 1);
    this.values = new Values(document, random, known, prefix);
  }

  /** `broken` is the share of those that are broken on purpose. */
  next(broken: number): Ask {
    const ask = this.wellMeant(this.route());
    if (this.random.chance(broken)) breakIt(ask, this.random);
    return ask;
  }

  wellMeant(route: Route): Ask {
    const { random } = this;
    const { operation, method } = route;
    const parameters = operation.parameters ?? [];
    const path = this.pathOf(route);
    const ask: Ask = {
      route,
      method: method.toUpperCase(),
      path:
        path +
        this.queryOf(
          parameters.filter((one) => one.in === 'query'),
          path,
        ),
      headers: { authorization: `Bearer ${this.apiKey}` },
      broken: [],
    };
    for (const { name, in: place } of parameters) {
      const value = place === 'header' ? this.header(name.toLowerCase(), path) : undefined;
      if (value !== undefined) ask.headers[name.toLowerCase()] = value;
    }
    if (operation.requestBody) this.addBody(ask, operation.requestBody, path);
    if (operation.security === undefined && random.chance(0.5)) delete ask.headers['authorization'];
    return ask;
  }

  private addBody(
    ask: Ask,
    { content, required }: NonNullable<Operation['requestBody']>,
    path: string,
  ): void {
    const [[type, { schema, examples = {} }] = ['', { schema: {} }]] = Object.entries(content);
    if (!required && this.random.chance(0.2)) return;
    ask.headers['content-type'] = type;
    const value = () => this.values.of(schema, path);
    if (/ndjson|jsonl/.test(type)) {
      const lines = Array.from({ length: this.random.between(0, 6) }, () => JSON.stringify(value()));
      ask.body = Buffer.from(lines.join(this.random.pick(['\n', '\r\n', '\n\n'])));
      return;
    }
    const shown = Object.values(examples).map((example) => example.value);
    ask.json = shown.length > 0 && this.random.chance(0.05) ? this.random.pick(shown) : value();
    ask.body = Buffer.from(JSON.stringify(ask.json));
  }

  /** Names what is there, most of the time. */
  private pathOf({ path }: Route): string {
    let filled = '';
    for (const part of path.split('/').slice(1)) {
      const name = /^\{(\w+)\}$/.exec(part)?.[1];
      filled += `/${name === undefined ? part : encodeURIComponent(this.nameIn(filled, name))}`;
    }
    return filled;
  }

  private nameIn(collection: string, parameter: string): string {
    const { random, known } = this;
    if (parameter === 'externalRef') return this.values.name('case');
    if (parameter === 'externalId') return this.values.name('person');
    const there = known.pick(random, collection);
    return there !== undefined && random.chance(0.95) ? there : this.values.name('nobody');
  }

  private queryOf(parameters: Parameter[], path: string): string {
    const given = parameters.filter(
      ({ name, required }) =>
        required ||
        (this.random.chance(0.3) && (name !== 'cursor' || this.known.cursorOf(path) !== undefined)),
    );
    const pairs = given.map(({ name, schema }): [string, string] => [
      name,
      String(this.values.of(schema as Schema, path, name)),
    ]);
    return pairs.length === 0 ? '' : `?${new URLSearchParams(pairs).toString()}`;
  }

  private header(name: string, path: string): string | undefined {
    const { random, known } = this;
    if (name === 'if-match') return random.chance(0.3) ? known.etags.get(path) : undefined;
    if (name === 'prefer')
      return random.chance(0.3) ? random.pick(['wait=0', 'wait=5', 'wait=30', 'respond-async']) : undefined;
    if (name !== 'idempotency-key' || random.chance(0.6)) return undefined;
    const key = `${this.prefix}-${random.between(1, 1_000_000)}`;
    const again = known.keys.length > 0 && random.chance(0.2);
    if (!again) known.keys.push(key);
    return again ? random.pick(known.keys) : key;
  }

  private route(): Route {
    let left = this.random.next() * this.weights.reduce((sum, weight) => sum + weight, 0);
    const found = this.routes.find((_, n) => (left -= this.weights[n] ?? 0) < 0);
    return found ?? this.routes[0]!;
  }
}
