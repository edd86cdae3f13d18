import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parse } from 'node:querystring';
import twilio from 'twilio';
import type { SandboxConfig } from '../../../src/sandbox/config.js';
import type { RunningSandbox } from '../../../src/sandbox/server.js';
import { startSandbox } from '../../../src/sandbox/server.js';

export type TwilioClient = ReturnType<typeof twilio>;

type RequestOptions<T> = Parameters<typeof twilio.RequestClient.prototype.request<T>>[0];

/** The library's own HTTP client with nothing changed but scheme and host. */
class Redirected extends twilio.RequestClient {
  private readonly base: URL;

  constructor(base: string) {
    super({ timeout: 15_000 });
    this.base = new URL(base);
  }

  override request<T>(
    options: RequestOptions<T>,
  ): ReturnType<typeof twilio.RequestClient.prototype.request<T>> {
    const url = new URL(options.uri);
    url.protocol = this.base.protocol;
    url.host = this.base.host;
    return super.request<T>({ ...options, uri: url.toString() });
  }
}

export function clientOf({ baseUrl, config }: Pick<RunningSandbox, 'baseUrl' | 'config'>): TwilioClient {
  return twilio(config.apiKeySid, config.apiKeySecret, {
    accountSid: config.accountSid,
    httpClient: new Redirected(baseUrl),
  });
}

export type V1 = TwilioClient['conversations']['v1'];

export interface Harness extends RunningSandbox {
  client: TwilioClient;
  v1: V1;
  /** A raw form request with the account's credentials. */
  call(method: string, path: string, form?: Form, headers?: Record<string, string>): Promise<Answer>;
  control(method: string, path: string, body?: object): Promise<Answer>;
}

export type Form = Record<string, string | string[]>;

export interface Answer {
  status: number;
  headers: Headers;
  body: Body;
}

/** An answer's JSON (null for an empty one), with the types of what tests ask for most. */
export interface Body {
  [name: string]: unknown;
  sid: string;
  chat_service_sid: string;
  identity: string;
  code: number;
  message: string;
}

export async function harness(options: Partial<SandboxConfig> = {}): Promise<Harness> {
  const running = await startSandbox(options);
  const client = clientOf(running);
  return { ...running, client, v1: client.conversations.v1, ...callers(running.baseUrl, running.config) };
}

export function callers(baseUrl: string, config: SandboxConfig): Pick<Harness, 'call' | 'control'> {
  const authorization = `Basic ${btoa(`${config.accountSid}:${config.authToken}`)}`;
  return {
    async call(method, path, form, headers = {}) {
      const body = form === undefined ? null : encode(form);
      const type: Record<string, string> =
        body === null ? {} : { 'content-type': 'application/x-www-form-urlencoded' };
      return answerOf(
        await fetch(baseUrl + path, { method, body, headers: { authorization, ...type, ...headers } }),
      );
    },
    async control(method, path, body) {
      const type: Record<string, string> = body === undefined ? {} : { 'content-type': 'application/json' };
      const sent = body === undefined ? null : JSON.stringify(body);
      return answerOf(await fetch(`${baseUrl}/sandbox${path}`, { method, body: sent, headers: type }));
    },
  };
}

function encode(form: Form): URLSearchParams {
  const pairs = Object.entries(form).flatMap(([name, value]) => [value].flat().map((text) => [name, text]));
  return new URLSearchParams(pairs as [string, string][]);
}

async function answerOf(response: Response): Promise<Answer> {
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: JSON.parse(text || 'null') as Body };
}

/** Polls until the check stops throwing; the last failure is the test's. */
export async function eventually<T>(check: () => T | Promise<T>, withinMs = 10_000): Promise<T> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** What a failed call of the official library tells. */
export async function refusal(
  call: Promise<unknown>,
): Promise<{ status: number; code: number; message: string }> {
  try {
    await call;
  } catch (error) {
    const { status, code, message } = error as { status: number; code: number; message: string };
    return { status, code, message };
  }
  throw new Error('The call was not refused');
}

export interface Received {
  url: string;
  method: string;
  headers: IncomingMessage['headers'];
  form: Record<string, string>;
}

export interface Receiver {
  url: string;
  received: Received[];
  /** The event types so far, in the order of their coming. */
  events(): string[];
  answer: (received: Received, response: ServerResponse) => void;
  stop(): Promise<void>;
}

/** A web server that webhooks are sent to. */
export async function receiver(): Promise<Receiver> {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    let text = '';
    request.on('data', (chunk: Buffer) => (text += chunk.toString()));
    request.on('end', () => {
      const query = request.url?.split('?')[1] ?? '';
      const form = { ...parse(request.method === 'GET' ? query : text) } as Record<string, string>;
      const one = { url: request.url ?? '', method: request.method ?? '', headers: request.headers, form };
      received.push(one);
      self.answer(one, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const self: Receiver = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    events: () => received.map(({ form }) => form['EventType'] ?? ''),
    answer: (_received, response) => void response.end(),
    stop: () => closed(server),
  };
  return self;
}

function closed(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}
