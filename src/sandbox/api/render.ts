import type { Kind, Records } from '../store/records.js';
import type { Store } from '../store/store.js';
import { iso } from './dates.js';

/** What an answer is written with: whose account, under which address, as which scope. */
export interface View {
  store: Store;
  accountSid: string;
  /** Scheme, host and /v1, with `/Services/IS…` when the caller used the service-scoped path. */
  base: string;
  /** The same without the service. */
  root: string;
  serviceScoped: boolean;
}

export type Answer = Record<string, unknown>;

export interface Shape {
  /** Nearly every answer names the account. */
  anonymous?: true;
  /** Copied from the record under the same name. */
  fields: readonly string[];
  /** In answers on service-scoped paths only (a Twilio peculiarity). */
  serviceFields?: readonly string[];
  dates?: readonly string[];
  url?: string;
  /** Relative to `url`. */
  links?: Readonly<Record<string, string>>;
  /** Fields that are worked out, each as JSON text. */
  texts?: Readonly<Record<string, (record: never, view: View) => string>>;
  more?: (record: never, view: View) => Answer;
}

type Write = (record: Records[Kind], view: View) => string;

export function compileAll<T extends Record<string, Shape>>(table: T): Record<keyof T, Write> {
  const entries = Object.entries(table).map(([name, shape]) => [name, compile(shape)]);
  return Object.fromEntries(entries) as Record<keyof T, Write>;
}

/** Every key is put into JSON once, here; a request then only adds the values. */
function compile(shape: Shape): Write {
  const fields = keyed(shape.fields);
  const serviceFields = keyed(shape.serviceFields ?? []);
  const dates = keyed(shape.dates ?? []);
  const texts = Object.entries(shape.texts ?? {}).map(([name, text]) => [`,"${name}":`, text] as const);
  const writeUrl = shape.url === undefined ? undefined : compileUrl(shape.url, shape.links ?? {});
  const more = shape.more as ((record: object, view: View) => Answer) | undefined;
  return (record, view) => {
    const source = record as unknown as Answer;
    let json = shape.anonymous ? '' : `,"account_sid":"${view.accountSid}"`;
    for (const [name, key, isSid] of fields)
      json += key + (isSid ? sidOf(source[name]) : jsonOf(source[name]));
    if (view.serviceScoped) for (const [name, key] of serviceFields) json += key + jsonOf(source[name]);
    for (const [name, key] of dates) json += key + dateOf(source[name] as number | null);
    for (const [key, text] of texts) json += key + text(record as never, view);
    if (writeUrl !== undefined) json += writeUrl(source, view);
    if (more !== undefined) json += `,${JSON.stringify(more(record, view)).slice(1, -1)}`;
    return `{${json.slice(1)}}`;
  };
}

const keyed = (names: readonly string[]): (readonly [string, string, boolean])[] =>
  names.map((name) => [name, `,"${name}":`, name.endsWith('sid')] as const);

/** Letters and digits, so nothing in it needs escaping. */
const sidOf = (sid: unknown): string => (sid === null ? 'null' : `"${sid as string}"`);

const dateOf = (instant: number | null): string => (instant === null ? 'null' : `"${iso(instant)}"`);

// eslint-disable-next-line no-control-regex -- these are what JSON escapes
const ESCAPED = /["\\\u0000-\u001f\ud800-\udfff]/;

function jsonOf(value: unknown): string {
  if (typeof value === 'string') return ESCAPED.test(value) ? JSON.stringify(value) : `"${value}"`;
  return value === null || value === undefined ? 'null' : JSON.stringify(value);
}

/** `^` at the front: always from /v1, never below the service of the path. */
function compileUrl(
  template: string,
  links: Readonly<Record<string, string>>,
): (source: Answer, view: View) => string {
  const fromRoot = template.startsWith('^');
  const parts = template.replace('^', '').split(/[{}]/);
  const tails = Object.entries(links);
  return (source, view) => {
    let url = fromRoot ? view.root : view.base;
    for (let at = 0; at < parts.length; at++) {
      url += at % 2 === 0 ? (parts[at] as string) : (source[parts[at] as string] as string);
    }
    if (tails.length === 0) return `,"url":"${url}"`;
    let linked = '';
    for (const [key, tail] of tails) linked += `,"${key}":"${url}${tail}"`;
    return `,"url":"${url}","links":{${linked.slice(1)}}`;
  };
}
