import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';

/** Adds to the one line that is logged for a request: ids and outcomes, never a secret, a name or a body. */
export type LogFacts = (facts: Record<string, string | boolean>) => void;

export type RequestWithFacts = FastifyRequest & { facts?: Record<string, string | boolean> };

/** Hands a controller the LogFacts of its request. */
export const LogFactsOf = createParamDecorator((_: unknown, context: ExecutionContext): LogFacts => {
  const request = context.switchToHttp().getRequest<RequestWithFacts>();
  return (facts) => {
    request.facts = { ...request.facts, ...facts };
  };
});
