import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { AppError } from '../common/errors/app-error.js';
import { AccessService } from './access.service.js';
import { PUBLIC_ROUTE, REQUIRED_SCOPE, type AuthenticatedRequest } from './caller.js';
import { holdsScope, type Scope } from './scopes.js';

/** Lets in who has a key with the scope that the route asks for; stands before every route but the public ones. */
@Injectable()
export class AccessGuard implements CanActivate {
  constructor(
    private readonly access: AccessService,
    private readonly reflector: Reflector,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const targets = [context.getHandler(), context.getClass()];
    if (this.reflector.getAllAndOverride<boolean | undefined>(PUBLIC_ROUTE, targets)) return true;
    const request = context.switchToHttp().getRequest<AuthenticatedRequest>();
    request.caller = await this.access.authenticate(request.headers.authorization);
    const anyOf = this.reflector.getAllAndOverride<Scope[] | undefined>(REQUIRED_SCOPE, targets);
    if (anyOf && !anyOf.some((scope) => holdsScope(request.caller.scopes, scope))) {
      throw new AppError('missing_scope', { detail: `The API key lacks the scope ${anyOf.join(' or ')}.` });
    }
    return true;
  }
}
