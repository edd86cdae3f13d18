import type { LoggerService } from '@nestjs/common';
import type { FastifyBaseLogger } from 'fastify';

/** Nest's own account of each module and route at start: of interest to nobody who runs the service. */
const CHATTY = new Set([
  'RoutesResolver',
  'RouterExplorer',
  'InstanceLoader',
  'NestFactory',
  'NestApplication',
]);

/** Sends what Nest and our services log through Fastify's logger: one stream of JSON lines. */
export class NestLogger implements LoggerService {
  constructor(private readonly log_: FastifyBaseLogger) {}

  log(message: unknown, context?: string): void {
    this.log_[CHATTY.has(context ?? '') ? 'debug' : 'info']({ context }, String(message));
  }

  error(message: unknown, ...rest: (string | undefined)[]): void {
    const [stack, context] = rest.length > 1 ? rest : [undefined, rest[0]];
    this.log_.error({ context, ...(stack !== undefined && { stack }) }, String(message));
  }

  warn(message: unknown, context?: string): void {
    this.log_.warn({ context }, String(message));
  }

  debug(message: unknown, context?: string): void {
    this.log_.debug({ context }, String(message));
  }

  verbose(message: unknown, context?: string): void {
    this.log_.trace({ context }, String(message));
  }

  fatal(message: unknown, context?: string): void {
    this.log_.fatal({ context }, String(message));
  }
}
