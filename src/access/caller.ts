import { createParamDecorator, SetMetadata, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import type { Scope } from './scopes.js';

/** Who calls: one API key of one chat service. Everything a request touches is looked up within that service. */
export interface Caller {
  apiKeyId: string;
  scopes: readonly Scope[];
  /** Our id of the chat service. */
  serviceId: string;
}

export type AuthenticatedRequest = FastifyRequest & { caller: Caller };

/** Hands a controller the Caller that the guard has let in. */
export const CallerOf = createParamDecorator(
  (_: unknown, context: ExecutionContext): Caller => context.switchToHttp().getRequest<AuthenticatedRequest>().caller,
);

export const PUBLIC_ROUTE = 'access:public';
export const REQUIRED_SCOPE = 'access:scope';

/** No API key is asked for: health, documents, and what has a credential of its own. */
export const Public = () => SetMetadata(PUBLIC_ROUTE, true);

/** The scope that a route asks for. A route without one is open to any key. */
export const RequireScope = (scope: Scope) => SetMetadata(REQUIRED_SCOPE, scope);
