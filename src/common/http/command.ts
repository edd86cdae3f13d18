import { hash } from 'node:crypto';
import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { AppError } from '../errors/app-error.js';

/** The part of a request that decides how a command is answered, whatever the command is. */
export interface Command {
  requestId: string;
  /** Path and query, as problem documents name them. */
  instance: string;
  /** How long to wait for the wish to be settled, in milliseconds: 0 to 60 000, 10 000 by default. */
  waitMs: number;
  /** Identifies method, path and Idempotency-Key together; null without a key. */
  idempotencyHash: Buffer | null;
  /** Of the body as parsed JSON: the order of keys and white space do not count. Empty without a key. */
  requestHash: Buffer;
}

const DEFAULT_WAIT_MS = 10_000;
const WAIT_SECONDS_MAX = 60;
const KEY_LENGTH_MAX = 255;

/** `Prefer: wait=N` or `respond-async` (RFC 7240); what is not understood is ignored, as that RFC demands. */
export function waitMsOf(prefer: string | string[] | undefined): number {
  const preferences = [prefer ?? '']
    .flat()
    .join(',')
    .split(/[,;]/)
    .map((part) => part.trim().toLowerCase());
  for (const preference of preferences) {
    if (preference === 'respond-async') return 0;
    const seconds = /^wait\s*=\s*"?(\d{1,9})"?$/.exec(preference)?.[1];
    if (seconds !== undefined) return Math.min(Number(seconds), WAIT_SECONDS_MAX) * 1000;
  }
  return DEFAULT_WAIT_MS;
}

/** The key, plain or as a quoted string (the IETF draft has it so), or null. */
export function idempotencyKeyOf(header: string | string[] | undefined): string | null {
  if (header === undefined) return null;
  if (Array.isArray(header)) throw AppError.invalid('Idempotency-Key', 'must be given once');
  const quoted = /^"((?:[^"\\]|\\["\\])*)"$/.exec(header.trim())?.[1];
  const key = quoted === undefined ? header.trim() : quoted.replace(/\\(["\\])/g, '$1');
  if (key.length === 0 || key.length > KEY_LENGTH_MAX) {
    throw AppError.invalid('Idempotency-Key', `must have 1 to ${KEY_LENGTH_MAX} characters`);
  }
  return key;
}

/** JSON with its keys in one order, so that equal documents have equal text. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (value !== null && typeof value === 'object') {
    const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${members.map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member)}`).join(',')}}`;
  }
  return JSON.stringify(value) ?? 'null';
}

const NO_HASH = Buffer.alloc(0);
const sha256 = (text: string): Buffer => hash('sha256', text, 'buffer');

export function commandOf(request: FastifyRequest): Command {
  const path = request.url.split('?', 1)[0] ?? '';
  // What else changes something can be repeated by itself: there the header means nothing.
  const key = request.method === 'POST' ? idempotencyKeyOf(request.headers['idempotency-key']) : null;
  return {
    requestId: request.id,
    instance: request.url,
    waitMs: waitMsOf(request.headers.prefer),
    idempotencyHash: key === null ? null : sha256(`${request.method}\n${path}\n${key}`),
    requestHash: key === null ? NO_HASH : sha256(canonicalJson(request.body ?? null)),
  };
}

/** Hands a controller the Command of its request. */
export const CommandOf = createParamDecorator((_: unknown, context: ExecutionContext): Command =>
  commandOf(context.switchToHttp().getRequest<FastifyRequest>()),
);
