import { hash } from 'node:crypto';
import { createParamDecorator, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { RouteConfig } from '@nestjs/platform-fastify';
import type { FastifyRequest } from 'fastify';
import { AppError } from '../errors/app-error.js';
import { Reply } from './reply.js';

/** Strong ETag over what the answer shows: a resource, or its text as it was stored. */
export function etagOf(shown: object | string): string {
  const text = typeof shown === 'string' ? shown : JSON.stringify(shown);
  return `"${hash('sha256', text, 'base64url')}"`;
}

/** 200 with the resource and its ETag. */
export function withEtag(shown: object, status = 200, headers: Record<string, string> = {}): Reply {
  return new Reply(status, shown, { ...headers, etag: etagOf(shown) });
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** See AnswersEtag. */
    answersEtag?: true;
  }
}

/**
 * Gives with the answer of a command the ETag that a reading of the resource would give; not with 202, as the resource is
 * about to change.
 */
export const AnswersEtag = (): MethodDecorator => RouteConfig({ answersEtag: true });

/** Hands a controller the `If-Match` of its request. */
export const IfMatchOf = createParamDecorator(
  (_: unknown, context: ExecutionContext): string | undefined =>
    context.switchToHttp().getRequest<FastifyRequest>().headers['if-match'],
);

/** `If-Match` as RFC 9110 has it: `*`, or a list of tags of which one is the current. Weak tags never match. */
export function assertIfMatch(ifMatch: string | undefined, current: object): void {
  if (ifMatch === undefined || ifMatch.trim() === '*') return;
  const tags = ifMatch.split(',').map((tag) => tag.trim());
  if (!tags.includes(etagOf(current))) {
    throw new AppError('precondition_failed', { detail: 'If-Match does not name the current version.' });
  }
}

/** Refuses `If-Match` on what has no ETag, instead of passing over a condition that the caller relies on. */
export class RefuseIfMatch implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    if (context.switchToHttp().getRequest<FastifyRequest>().headers['if-match'] === undefined) return true;
    throw AppError.invalid('If-Match', 'this resource has no ETag: Twilio holds it');
  }
}
