import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Faults } from '../control/faults.js';
import type { LogEntry, RequestLog } from '../control/request-log.js';
import { newSid } from '../store/sid.js';
import { errorBody, fail, notFound } from './errors.js';
import type { FaultyPath } from './faulty.js';
import { OPERATIONS } from './operations.js';
import type { Operation } from './operations.js';
import type { Incoming, Outgoing, Services } from './perform.js';
import { failed, perform } from './perform.js';

declare module 'fastify' {
  interface FastifyRequest {
    entry: LogEntry | null;
  }
}

export interface Front extends Services {
  log: RequestLog;
  faults: Faults;
  faulty: FaultyPath;
}

const METHODS = { fetch: 'GET', list: 'GET', create: 'POST', update: 'POST', delete: 'DELETE' } as const;
const ALL_METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'];
const FORM = 'application/x-www-form-urlencoded';
const BODY_LIMIT = 2 * 1024 * 1024;

/** Twilio's face: every row of the table becomes its routes, and everything else Twilio's errors. */
export function registerApi(app: FastifyInstance, front: Front): void {
  const inFlight = new InFlight(front.config.maxConcurrent);
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(FORM, { parseAs: 'string', bodyLimit: BODY_LIMIT }, (_request, body, parsed) => {
    parsed(null, body);
  });
  const methods = new Map<string, string[]>();
  for (const operation of OPERATIONS) {
    const method = METHODS[operation.does];
    for (const url of pathsOf(operation)) {
      methods.set(url, [...(methods.get(url) ?? []), method]);
      app.route({
        method,
        url,
        handler: (request, reply) => answer(front, inFlight, request, reply, operation),
      });
    }
  }
  for (const [url, known] of methods) {
    const method = ALL_METHODS.filter((name) => !known.includes(name));
    app.route({
      method,
      url,
      handler: (request, reply) => sendAnswer(reply, request.entry, failed(fail(20004))),
    });
  }
}

export function pathsOf({ scope, path }: Operation): string[] {
  const service = `/v1/Services/:ChatServiceSid${path}`;
  if (scope === 'account') return [`/v1${path}`];
  return scope === 'service' ? [service] : [`/v1${path}`, service];
}

function answer(
  front: Front,
  inFlight: InFlight,
  request: FastifyRequest,
  reply: FastifyReply,
  operation: Operation,
): FastifyReply {
  const entry = request.entry;
  const body = request.body as string | undefined;
  if (entry !== null) entry.body = body;
  inFlight.begin();
  const run = (): Outgoing | Promise<Outgoing> => {
    if (inFlight.tooMany) return failed(fail(20429));
    return perform(front, operation, incomingOf(request, body));
  };
  const fault = front.faults.forRequest(request.method, pathOf(request.url));
  const send = (outgoing: Outgoing): void => {
    front.store.whenKept(() => {
      inFlight.end();
      sendAnswer(reply, entry, outgoing, inFlight.count);
    });
  };
  if (fault !== undefined) {
    if (entry !== null) entry.fault = fault.type;
    front.faulty.apply(fault, reply, run, send, () => {
      inFlight.end();
      if (entry !== null) entry.durationMs = Date.now() - entry.time;
    });
    return reply;
  }
  const outgoing = run();
  if (outgoing instanceof Promise) void outgoing.then(send);
  else send(outgoing);
  return reply;
}

function incomingOf(request: FastifyRequest, body: string | undefined): Incoming {
  const { headers, method, url } = request;
  return {
    method,
    url,
    host: headers.host ?? '',
    authorization: headers.authorization,
    webhooks: asksForWebhooks(headers['x-twilio-webhook-enabled']),
    path: request.params as Record<string, string>,
    body,
  };
}

/** `true` in whatever case: Twilio's own examples write it in several. */
const asksForWebhooks = (header: string | string[] | undefined): boolean =>
  typeof header === 'string' && header.toLowerCase() === 'true';

const pathOf = (url: string): string => {
  const at = url.indexOf('?');
  return at < 0 ? url : url.slice(0, at);
};

/** Requests being worked on; over the configured number Twilio's 20429 is answered. */
class InFlight {
  count = 0;

  constructor(private readonly most: number) {}

  begin(): void {
    this.count += 1;
  }

  end(): void {
    this.count -= 1;
  }

  get tooMany(): boolean {
    return this.most > 0 && this.count > this.most;
  }
}

export function sendAnswer(
  reply: FastifyReply,
  entry: LogEntry | null,
  { status, body, headers }: Outgoing,
  concurrent = 0,
): void {
  const duration = entry === null ? 0 : Date.now() - entry.time;
  if (entry !== null) {
    entry.status = status;
    entry.durationMs = duration;
  }
  reply.code(status).headers({
    'content-type': 'application/json;charset=utf-8',
    'twilio-request-id': newSid('RQ'),
    'twilio-concurrent-requests': concurrent + 1,
    'twilio-request-duration': duration / 1000,
    'x-home-region': 'us1',
    'x-api-domain': 'conversations.twilio.com',
    ...headers,
  });
  reply.send(body);
}

/** What no route answers: unknown paths, and bodies that cannot be read. */
export function registerErrors(app: FastifyInstance, front: Front): void {
  app.setNotFoundHandler((request, reply) => {
    const known = front.authentication.accepts(request.headers.authorization);
    const error = known || !request.url.startsWith('/v1') ? notFound(pathOf(request.url)) : fail(20003);
    sendAnswer(reply, request.entry, failed(error));
  });
  app.setErrorHandler((error: { statusCode?: number; message: string }, request, reply) => {
    const status = error.statusCode ?? 500;
    if (status >= 500) return sendAnswer(reply, request.entry, failed(error));
    const body = JSON.stringify(errorBody(20001, status, error.message));
    return sendAnswer(reply, request.entry, { status, body });
  });
}
