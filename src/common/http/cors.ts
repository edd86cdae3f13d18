import type { FastifyInstance, FastifyReply, FastifyRequest, RouteShorthandOptions } from 'fastify';

/** How long a browser may keep the answer to its question whether it may call, in seconds. */
const PREFLIGHT_MAX_AGE = '600';

/**
 * Lets pages of exactly these origins call these routes (POST, without cookies), and no page any other route: a browser
 * hands on only what carries its page's origin. Callers that are no browsers are not concerned. `errorHandler` answers
 * for the routes that are added here: they are Fastify's own, and it would answer in its own form.
 */
export function allowOrigins(
  instance: FastifyInstance,
  origins: readonly string[],
  routes: readonly string[],
  errorHandler: RouteShorthandOptions['errorHandler'],
): void {
  const allowed = new Set(origins);
  const opened = new Set<string | undefined>(routes);
  instance.addHook('onRequest', (request, reply, done) => {
    if (opened.has(request.routeOptions.url)) answerOrigin(request, reply, allowed);
    done();
  });
  for (const route of routes) {
    instance.options(route, { errorHandler }, (_request, reply) => {
      reply.header('allow', 'POST, OPTIONS').status(204).send();
    });
  }
}

function answerOrigin(request: FastifyRequest, reply: FastifyReply, allowed: ReadonlySet<string>): void {
  // Also without an origin: a cache must not answer one page with what another was told.
  reply.header('vary', 'Origin');
  const { origin } = request.headers;
  if (origin === undefined || !allowed.has(origin)) return;
  reply.header('access-control-allow-origin', origin);
  reply.header('access-control-expose-headers', 'Retry-After, X-Request-Id');
  if (request.method !== 'OPTIONS') return;
  reply.header('access-control-allow-methods', 'POST');
  reply.header('access-control-allow-headers', 'Authorization, Content-Type, X-Request-Id');
  reply.header('access-control-max-age', PREFLIGHT_MAX_AGE);
}
