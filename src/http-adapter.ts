import { STATUS_CODES, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyAdapter } from '@nestjs/platform-fastify';
import { LogController, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { sendProblem } from './app-exception.filter.js';
import { AppError } from './common/errors/app-error.js';
import type { ErrorCode } from './common/errors/error-catalog.js';
import { PROBLEM_CONTENT_TYPE, renderProblem } from './common/errors/problem.js';
import { allowOrigins } from './common/http/cors.js';
import { isShallow } from './common/http/json-depth.js';
import type { RequestWithFacts } from './common/http/request-facts.js';
import { ReplyAdapter } from './common/http/reply-adapter.js';
import { REQUEST_ID_HEADER, requestIdOf } from './common/http/request-id.js';
import { addLinesParser, isStreaming } from './common/http/upload.js';
import { newId } from './common/new-id.js';
import { codePoints } from './common/validation/text.js';
import type { AppConfig } from './config/app-config.js';
import { logStream } from './log-stream.js';

const BODY_LIMIT_BYTES = 1_048_576;
/** Code points of a path parameter; the router counts UTF-16 units, of which a code point has up to two. */
const PARAMETER_MAX = 255;
/** What pages call themselves, without an API key. */
const BROWSER_ROUTES = ['/v1/tokens/refresh', '/v1/tokens/exchange'];
/** How long a client may take to send its request, in milliseconds. */
const RECEIVE_TIMEOUT_MS = 30_000;
/** How often it is looked whether one took longer, in milliseconds. */
const RECEIVE_CHECK_MS = 5_000;

/** Fastify as this service wants it: bounded in every way, and each of its own failures a problem document. */
export function createAdapter(config: AppConfig): FastifyAdapter {
  const adapter = new ReplyAdapter({
    logger: {
      level: config.logLevel,
      base: undefined,
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      stream: logStream(),
    },
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: ({ headers }: IncomingMessage) => requestIdOf(headers),
    requestIdHeader: false,
    trustProxy: config.trustedProxies.length > 0 ? [...config.trustedProxies] : false,
    bodyLimit: BODY_LIMIT_BYTES,
    requestTimeout: RECEIVE_TIMEOUT_MS,
    http: {
      // Node would answer a request without Host by itself, with an empty body: see addHooks.
      requireHostHeader: false,
      // Above the time of the whole request, Node takes the one for the other.
      headersTimeout: RECEIVE_TIMEOUT_MS,
      connectionsCheckingInterval: RECEIVE_CHECK_MS,
    },
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: PARAMETER_MAX * 2 },
    frameworkErrors: (error: Error, request: FastifyRequest, reply: FastifyReply) => {
      reply.header(REQUEST_ID_HEADER, request.id);
      sendProblem(error, request, reply);
    },
    clientErrorHandler,
  });
  const instance = adapter.getInstance<FastifyInstance>();
  // JSON is all that the API takes, in lines where they are streamed; Fastify would take text too.
  instance.removeContentTypeParser('text/plain');
  addLinesParser(instance);
  addHooks(instance);
  allowOrigins(instance, config.corsOrigins, BROWSER_ROUTES, sendProblem);
  // An expectation that is not understood may be ignored (RFC 9110); Node would answer 417 with an empty body.
  instance.server.on('checkExpectation', (request, reply) => {
    instance.server.emit('request', request, reply);
  });
  return adapter;
}

function addHooks(instance: FastifyInstance): void {
  instance.addHook('onRequest', (request, reply, done) => {
    reply.header(REQUEST_ID_HEADER, request.id);
    done(refusal(request));
  });
  instance.addHook('preValidation', (request, _reply, done) => {
    done(
      isShallow(request.body)
        ? undefined
        : new AppError('malformed_json', { detail: 'It is nested too deeply.' }),
    );
  });
  // One compact line a request. The route stands for the path, which may name people.
  instance.addHook('onResponse', (request: RequestWithFacts, reply, done) => {
    request.log.info(
      {
        method: request.method,
        route: request.routeOptions.url ?? null,
        status: reply.statusCode,
        ms: Math.round(reply.elapsedTime * 10) / 10,
        ...request.facts,
      },
      'request',
    );
    done();
  });
}

/** What is wrong with a request before its body is read. */
function refusal(request: FastifyRequest): AppError | undefined {
  if (request.headers.host === undefined && request.raw.httpVersion === '1.1') {
    return new AppError('malformed_request', { detail: 'The Host header is missing.' });
  }
  // `*` holds the whole path of a request that no route takes: that is 404, however long.
  const tooLong = Object.entries(request.params as Record<string, string>).some(
    ([name, value]) => name !== '*' && value.length > PARAMETER_MAX && codePoints(value) > PARAMETER_MAX,
  );
  return tooLong
    ? new AppError('uri_too_long', { detail: `At most ${PARAMETER_MAX} characters.` })
    : undefined;
}

/** What never became a request: the connection is closed after it. */
function clientErrorHandler(error: Error & { code?: string }, socket: Socket): void {
  // A body that is streamed takes as long as it takes; it has bounds of its own.
  if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT' && isStreaming(socket)) return;
  if (error.code === 'ECONNRESET' || socket.destroyed || !socket.writable) {
    socket.destroy();
    return;
  }
  const code = CLIENT_ERRORS[error.code ?? ''] ?? 'malformed_request';
  const requestId = newId();
  const problem = renderProblem(new AppError(code), { instance: '', requestId });
  const body = JSON.stringify(problem);
  socket.end(
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}\r\n` +
      `content-type: ${PROBLEM_CONTENT_TYPE}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n` +
      `${REQUEST_ID_HEADER}: ${requestId}\r\nconnection: close\r\n\r\n${body}`,
  );
}

const CLIENT_ERRORS: Record<string, ErrorCode> = {
  HPE_HEADER_OVERFLOW: 'headers_too_large',
  ERR_HTTP_REQUEST_TIMEOUT: 'request_timeout',
};
