import { createParamDecorator, SetMetadata, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import type { Scope } from './scopes.js';

/** Who calls: one API key of one chat service. Everything a request touches is looked up within that service. */
export interface Caller {
  apiKeyId: string;
  scopes: readonly Scope[];
  /** Our id of the chat service. */
  serviceId: string;
  /** Requests a minute that the key may make; null: as many as any. */
  rateLimit: number | null;
}

export type AuthenticatedRequest = FastifyRequest & { caller: Caller };

/** Hands a controller the Caller that the guard has let in. */
export const CallerOf = createParamDecorator(
  (_: unknown, context: ExecutionContext): Caller =>
    context.switchToHttp().getRequest<AuthenticatedRequest>().caller,
);

export const PUBLIC_ROUTE = 'access:public';
export const REQUIRED_SCOPE = 'access:scope';

/** No API key is asked for: health, documents, and what has a credential of its own. */
export const Public = () => SetMetadata(PUBLIC_ROUTE, true);

/** The scopes of which a route asks for one. A route without any is open to every key. */
export const RequireScope = (...anyOf: [Scope, ...Scope[]]) => SetMetadata(REQUIRED_SCOPE, anyOf);
