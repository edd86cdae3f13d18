import { Pool, type Dispatcher } from 'undici';
import type RequestClient from 'twilio/lib/base/RequestClient.js';
import { TwilioError } from './twilio-error.js';

/** The product's own origin; the SDK's edge and region settings have no say, TWILIO_API_BASE_URL does. */
const TWILIO_ORIGIN = 'https://conversations.twilio.com';

/** The largest page there can be is below: 100 messages of 32,768 characters, each written as `\uXXXX`, are 20 MB. */
const MAX_ANSWER_BYTES = 32 * 1024 * 1024;

export interface TwilioHttpClientOptions {
  /** Origin to call in Twilio's place; null for Twilio. */
  baseUrl: string | null;
  username: string;
  password: string;
  /** For the whole call: connecting, sending, headers and body, in milliseconds. */
  callTimeoutMs: number;
  /** Connections kept open at most. Calls beyond it must wait before they come here: the time-out runs at once. */
  connections: number;
}

type Options = Pick<RequestClient.RequestOptions<unknown>, 'method' | 'uri' | 'headers' | 'params' | 'data'>;

type FormValue = string | number | boolean | null | undefined;

interface Answer {
  statusCode: number;
  body: unknown;
  headers: Record<string, string | string[] | undefined>;
}

interface RawAnswer extends Pick<Answer, 'statusCode' | 'headers'> {
  text: string;
}

/**
 * The SDK's `httpClient`, over a pool of undici: a third of the CPU of the SDK's own (axios). It sends to one origin only,
 * follows no redirect, and throws a TwilioError for whatever is not a usable success, since the SDK's own exceptions
 * lose the headers and its network errors hold the credentials. It does not extend the SDK's class, whose constructor
 * would build the client that it replaces.
 */
export class TwilioHttpClient {
  readonly #pool: Pool;
  readonly #authorization: string;
  readonly #callTimeoutMs: number;
  #closing: Promise<void> | undefined;

  constructor(options: TwilioHttpClientOptions) {
    const origin = new URL(options.baseUrl ?? TWILIO_ORIGIN).origin;
    this.#pool = new Pool(origin, {
      connections: options.connections,
      pipelining: 1,
      connect: { timeout: options.callTimeoutMs },
      // One timer rules the whole call; undici's two would start anew with each part.
      headersTimeout: 0,
      bodyTimeout: 0,
      maxResponseSize: MAX_ANSWER_BYTES,
    });
    this.#authorization = `Basic ${Buffer.from(`${options.username}:${options.password}`).toString('base64')}`;
    this.#callTimeoutMs = options.callTimeoutMs;
  }

  /** Sends one request. Rejects with TwilioError. The credentials are this client's, whatever the SDK passes. */
  async request(options: Options): Promise<Answer> {
    const path = pathOf(options);
    const headers = { ...options.headers, Authorization: this.#authorization };
    const body = options.data === undefined ? null : formEncode(options.data);
    const method = options.method.toUpperCase();
    const answer = await this.#send({ method, path, headers, body });
    const { statusCode, headers: answered, text } = answer;
    if (statusCode < 200 || statusCode >= 300) throw TwilioError.fromAnswer(statusCode, answered, text);
    return { statusCode, headers: answered, body: parse(method, statusCode, answered, text) };
  }

  /** Ends the connections once the calls under way are through, each within its time-out. */
  close(): Promise<void> {
    return (this.#closing ??= this.#pool.close());
  }

  /** By `dispatch` and not `request`, which makes a stream of each body (measured: half as much again of a call's CPU). */
  #send(request: Dispatcher.RequestOptions): Promise<RawAnswer> {
    return new Promise((resolve, reject) => {
      const call = new Call(this.#callTimeoutMs, resolve, reject);
      this.#pool.dispatch(request, call);
    });
  }
}

/** One request under way: gathers its answer, and gives it up when its time is over, on the wire too. */
class Call implements Dispatcher.DispatchHandler {
  readonly #begun = performance.now();
  readonly #timer: NodeJS.Timeout;
  #controller: Dispatcher.DispatchController | null = null;
  #statusCode = 0;
  #headers: RawAnswer['headers'] = {};
  readonly #chunks: Buffer[] = [];

  constructor(
    private readonly timeoutMs: number,
    private readonly resolve: (answer: RawAnswer) => void,
    private readonly reject: (error: TwilioError) => void,
  ) {
    this.#timer = setTimeout(() => {
      const late = TwilioError.timeout(timeoutMs);
      this.#controller?.abort(late);
      reject(late);
    }, timeoutMs);
  }

  /**
   * Right before it is written: one whose time is over, since it waited for a connection, is not. By the clock, as a
   * process that was frozen meanwhile comes here before its timers run, and would send what has passed to another.
   */
  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (performance.now() - this.#begun >= this.timeoutMs)
      controller.abort(TwilioError.timeout(this.timeoutMs));
  }

  /** Also of an answer before the answer (1xx): the last one counts. */
  onResponseStart(_: unknown, statusCode: number, headers: RawAnswer['headers']): void {
    this.#statusCode = statusCode;
    this.#headers = headers;
  }

  onResponseData(_: unknown, chunk: Buffer): void {
    this.#chunks.push(chunk);
  }

  onResponseEnd(): void {
    clearTimeout(this.#timer);
    const [first] = this.#chunks;
    const body = first && this.#chunks.length === 1 ? first : Buffer.concat(this.#chunks);
    this.resolve({ statusCode: this.#statusCode, headers: this.#headers, text: body.toString() });
  }

  onResponseError(_: unknown, error: Error): void {
    clearTimeout(this.#timer);
    this.reject(this.#understood(error));
  }

  #understood(error: Error): TwilioError {
    if (error instanceof TwilioError) return error;
    const code = codeOf(error);
    if (code === 'UND_ERR_CONNECT_TIMEOUT') return TwilioError.timeout(this.timeoutMs);
    if (code === 'UND_ERR_RES_EXCEEDED_MAX_SIZE') return TwilioError.unreadable('it was too large');
    return TwilioError.network(error);
  }
}

/** Path and query. The origin that the SDK, or a `next_page_url`, gives is dropped: the pool has its own. */
function pathOf({ uri, params }: Options): string {
  const url = new URL(uri);
  if (!url.pathname.startsWith('/v1/')) throw TwilioError.unreadable('it led to a path outside /v1');
  const query = params === undefined ? '' : formEncode(params);
  const search = [url.search.slice(1), query].filter((part) => part !== '').join('&');
  return search === '' ? url.pathname : `${url.pathname}?${search}`;
}

/** As the SDK's own client writes it: lists as repeated keys, null as an empty value, a space as %20. */
function formEncode(data: unknown): string {
  const pairs = new URLSearchParams();
  for (const [key, value] of Object.entries(data as Record<string, FormValue | FormValue[]>)) {
    if (value === undefined) continue;
    for (const one of Array.isArray(value) ? value : [value]) pairs.append(key, String(one ?? ''));
  }
  return pairs.toString().replaceAll('+', '%20');
}

function parse(method: string, status: number, headers: Answer['headers'], text: string): unknown {
  if (text === '' && method === 'DELETE') return '';
  try {
    const body: unknown = JSON.parse(text);
    if (typeof body === 'object' && body !== null) return body;
  } catch {
    // Said below, without the text: whoever answered in Twilio's place may have repeated the request in it.
  }
  throw TwilioError.unreadable('it was not a JSON object', status, headers);
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
