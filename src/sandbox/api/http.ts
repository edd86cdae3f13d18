import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Fault, Faults } from '../control/faults.js';
import type { LogEntry, RequestLog } from '../control/request-log.js';
import { newSid } from '../store/sid.js';
import { errorBody, fail, notFound } from './errors.js';
import type { FaultyPath } from './faulty.js';
import { OPERATIONS } from './operations.js';
import type { Operation } from './operations.js';
import type { Incoming, Outgoing, Services } from './perform.js';
import { failed, perform } from './perform.js';

declare module 'node:http' {
  interface IncomingMessage {
    /** Set before any route is looked for; the control API's own calls have none. */
    noted?: LogEntry;
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
      handler: (request, reply) => sendAnswer(reply, request.raw.noted, failed(fail(20004))),
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
  const entry = request.raw.noted;
  const body = request.body as string | undefined;
  if (entry !== undefined) entry.body = body;
  inFlight.begin();
  const fault = front.faults.forRequest(request.method, request.url);
  if (fault !== undefined) {
    applyFault(front, inFlight, request, reply, fault, () => run(front, inFlight, request, operation, body));
    return reply;
  }
  const outgoing = run(front, inFlight, request, operation, body);
  if (outgoing instanceof Promise) void outgoing.then((late) => send(front, inFlight, request, reply, late));
  else send(front, inFlight, request, reply, outgoing);
  return reply;
}

function run(
  front: Front,
  inFlight: InFlight,
  request: FastifyRequest,
  operation: Operation,
  body: string | undefined,
): Outgoing | Promise<Outgoing> {
  if (inFlight.tooMany) return failed(fail(20429));
  return perform(front, operation, incomingOf(request, body));
}

/** Nothing is told before it is kept. */
function send(
  front: Front,
  inFlight: InFlight,
  request: FastifyRequest,
  reply: FastifyReply,
  outgoing: Outgoing,
): void {
  front.store.whenKept(() => {
    inFlight.end();
    sendAnswer(reply, request.raw.noted, outgoing, inFlight.count);
  });
}

function applyFault(
  front: Front,
  inFlight: InFlight,
  request: FastifyRequest,
  reply: FastifyReply,
  fault: Fault,
  act: () => Outgoing | Promise<Outgoing>,
): void {
  const entry = request.raw.noted;
  if (entry !== undefined) entry.fault = fault.type;
  const over = (): void => {
    inFlight.end();
    if (entry !== undefined) entry.durationMs = Date.now() - entry.time;
  };
  front.faulty.apply(fault, reply, act, (outgoing) => send(front, inFlight, request, reply, outgoing), over);
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
  entry: LogEntry | undefined,
  { status, body, headers }: Outgoing,
  concurrent = 0,
): void {
  const duration = entry === undefined ? 0 : Date.now() - entry.time;
  if (entry !== undefined) {
    entry.status = status;
    entry.durationMs = duration;
  }
  const given = headers === undefined ? [] : Object.entries(headers).flat();
  // Straight to Node: an answer passes no hook and needs no serializer of Fastify's.
  reply.hijack();
  reply.raw.writeHead(status, [
    ...(body === ''
      ? []
      : [
          'Content-Type',
          'application/json;charset=utf-8',
          'Content-Length',
          String(Buffer.byteLength(body)),
        ]),
    'Twilio-Request-Id',
    newSid('RQ'),
    'Twilio-Concurrent-Requests',
    String(concurrent + 1),
    'Twilio-Request-Duration',
    String(duration / 1000),
    'X-Home-Region',
    'us1',
    'X-API-Domain',
    'conversations.twilio.com',
    ...given,
  ]);
  reply.raw.end(body);
}

/** What no route answers: unknown paths, and bodies that cannot be read. */
export function registerErrors(app: FastifyInstance, front: Front): void {
  app.setNotFoundHandler((request, reply) => {
    const known = front.authentication.accepts(request.headers.authorization);
    const error = known || !request.url.startsWith('/v1') ? notFound(pathOf(request.url)) : fail(20003);
    sendAnswer(reply, request.raw.noted, failed(error));
  });
  app.setErrorHandler((error: { statusCode?: number; message: string }, request, reply) => {
    const status = error.statusCode ?? 500;
    if (status >= 500) return sendAnswer(reply, request.raw.noted, failed(error));
    const body = JSON.stringify(errorBody(20001, status, error.message));
    return sendAnswer(reply, request.raw.noted, { status, body });
  });
}
