import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { FastifyReply } from 'fastify';
import { AppError } from '../common/errors/app-error.js';
import { AccessService } from './access.service.js';
import { PUBLIC_ROUTE, REQUIRED_SCOPE, type AuthenticatedRequest, type Caller } from './caller.js';
import { RateLimits } from './limits/rate-limits.js';
import { holdsScope, type Scope } from './scopes.js';

/**
 * Lets in who has a key that has requests left, with the scope that the route asks for; stands before every route but
 * the public ones.
 */
@Injectable()
export class AccessGuard implements CanActivate {
  constructor(
    private readonly access: AccessService,
    private readonly limits: RateLimits,
    private readonly reflector: Reflector,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const targets = [context.getHandler(), context.getClass()];
    if (this.reflector.getAllAndOverride<boolean | undefined>(PUBLIC_ROUTE, targets)) return true;
    const http = context.switchToHttp();
    const request = http.getRequest<AuthenticatedRequest>();
    request.caller = await this.access.authenticate(request.headers.authorization, request.ip);
    this.limit(request.caller, http.getResponse<FastifyReply>());
    const anyOf = this.reflector.getAllAndOverride<Scope[] | undefined>(REQUIRED_SCOPE, targets);
    if (anyOf && !anyOf.some((scope) => holdsScope(request.caller.scopes, scope))) {
      throw new AppError('missing_scope', { detail: `The API key lacks the scope ${anyOf.join(' or ')}.` });
    }
    return true;
  }

  private limit(caller: Caller, reply: FastifyReply): void {
    const verdict = this.limits.take(caller);
    if (!verdict) return;
    reply.headers(verdict.headers);
    if (verdict.allowed) return;
    throw new AppError('rate_limited', {
      detail: 'The API key has no requests left for now.',
      headers: { 'retry-after': String(verdict.retryAfterSeconds) },
    });
  }
}
