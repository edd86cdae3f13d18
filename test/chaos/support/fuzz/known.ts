import type { Random } from '../world/random.js';
import type { Answer, Ask } from './send.js';

/** Names of one collection that are remembered. */
const REMEMBERED_MAX = 40;

const NAMED_BY_ID_ALONE = ['/v1/services', '/v1/api-keys'];

type Item = Record<string, unknown>;

/** What the answers have told until now: by it later requests name what there is. */
export class Known {
  /** Names of what there is, by the path of its collection. */
  private readonly collections = new Map<string, string[]>();
  /** Our id, by each other name of the same thing. */
  private readonly idOf = new Map<string, string>();
  readonly etags = new Map<string, string>();
  private readonly cursors = new Map<string, string>();
  readonly keys: string[] = [];
  readonly refreshTokens: string[] = [];
  readonly roles: string[] = [];
  /** API keys that may be tried: made by the run itself. */
  readonly apiKeys: string[] = [];

  names(collection: string): readonly string[] {
    return this.collections.get(this.canonical(collection)) ?? [];
  }

  pick(random: Random, collection: string): string | undefined {
    const names = this.names(collection);
    return names.length === 0 ? undefined : random.pick(names);
  }

  /** Of the list under this path. */
  cursorOf(path: string): string | undefined {
    return this.cursors.get(path);
  }

  /** Takes in what an answer shows. */
  learn({ route, path, method }: Ask, { status, headers, text }: Answer): void {
    const [plain = ''] = path.split('?');
    if (route?.path.endsWith('}') && (status === 404 || (method === 'DELETE' && status === 204)))
      this.forget(collectionOf(route.path, plain), decoded(plain.split('/').at(-1) ?? ''));
    if (typeof headers.etag === 'string') this.etags.set(plain, headers.etag);
    if (!route || status >= 300 || !/json$/.test(String(headers['content-type']).split(';')[0] ?? '')) return;
    const body = parsed(text);
    if (body === null) return;
    if (method === 'DELETE') return;
    const cursor = body['nextCursor'];
    if (typeof cursor === 'string') this.cursors.set(plain, cursor);
    const collection = collectionOf(route.path, plain);
    // Those that are listed include the one that the run itself needs.
    if (collection === '/v1/api-keys' && method !== 'POST') return;
    for (const item of Array.isArray(body['data']) ? (body['data'] as Item[]) : [body])
      this.take(collection, item);
  }

  private take(collection: string, item: Item): void {
    const { id, twilioSid, key, session, friendlyName, permissions } = item;
    const own = typeof id === 'string' ? id : twilioSid;
    if (typeof own !== 'string') return this.takeSession(session);
    const bySid = !NAMED_BY_ID_ALONE.includes(collection);
    const person = collection.endsWith('/participants') ? (item['identity'] as Item | null) : null;
    for (const name of [id, bySid ? twilioSid : null, person?.['externalId']]) {
      if (typeof name === 'string') this.name(collection, name, own);
    }
    if (typeof key === 'string') remember(this.apiKeys, key);
    if (Array.isArray(permissions) && typeof friendlyName === 'string') remember(this.roles, friendlyName);
    this.takeSession(session);
    for (const person of (item['participants'] as Item[] | undefined) ?? []) {
      this.take(`${collection}/${own}/participants`, person);
      const identity = person['identity'] as Item | null;
      if (identity) this.name('/v1/identities', String(identity['id']), String(identity['id']));
    }
    const greeting = item['systemMessage'] as Item | null | undefined;
    if (greeting) this.take(`${collection}/${own}/messages`, greeting);
  }

  private takeSession(session: unknown): void {
    const { id, refreshToken } = (session ?? {}) as Item;
    if (typeof id === 'string') this.name('/v1/token-sessions', id, id);
    if (typeof refreshToken === 'string') remember(this.refreshTokens, refreshToken);
  }

  private forget(collection: string, name: string): void {
    const key = this.canonical(collection);
    const id = this.idOf.get(name) ?? name;
    const left = this.names(key).filter((other) => (this.idOf.get(other) ?? other) !== id);
    this.collections.set(key, left);
  }

  private name(collection: string, name: string, id: string): void {
    const key = this.canonical(collection);
    const names = this.collections.get(key) ?? [];
    this.collections.set(key, names);
    if (names.includes(name)) return;
    remember(names, name);
    this.idOf.set(name, id);
  }

  private canonical(collection: string): string {
    return collection
      .split('/')
      .map((part) => this.idOf.get(decoded(part)) ?? part)
      .join('/');
  }
}

/** The path of the collection that an answer's things belong to. */
function collectionOf(template: string, path: string): string {
  const own = template.endsWith('}') ? path.replace(/\/[^/]*$/, '') : path;
  return own.replace(/\/by-[\w-]+$/, '').replace(/\/system-messages$/, '/messages');
}

function remember(names: string[], name: string): void {
  names.push(name);
  if (names.length > REMEMBERED_MAX) names.shift();
}

function parsed(text: string): Item | null {
  try {
    const body = JSON.parse(text) as unknown;
    return body !== null && typeof body === 'object' && !Array.isArray(body) ? (body as Item) : null;
  } catch {
    return null;
  }
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
