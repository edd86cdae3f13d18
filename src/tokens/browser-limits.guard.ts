import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { BrowserLimits } from './browser-limits.js';

/** Stands before the routes that ask for no API key. */
@Injectable()
export class BrowserLimitsGuard implements CanActivate {
  constructor(private readonly limits: BrowserLimits) {}

  canActivate(context: ExecutionContext): boolean {
    this.limits.takeAddress(context.switchToHttp().getRequest<FastifyRequest>().ip);
    return true;
  }
}
