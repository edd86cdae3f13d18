import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';

/** Hands a controller the bearer token of its request, or null. */
export const LoginOf = createParamDecorator((_: unknown, context: ExecutionContext): string | null => {
  const { authorization } = context.switchToHttp().getRequest<FastifyRequest>().headers;
  return /^Bearer +(\S+) *$/i.exec(authorization ?? '')?.[1] ?? null;
});
