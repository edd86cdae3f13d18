import { Readable, finished } from 'node:stream';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { RouteConfig } from '@nestjs/platform-fastify';
import type { FastifyBodyParser, FastifyInstance, FastifyRequest } from 'fastify';
import { AppError } from '../errors/app-error.js';
import { isShallow } from './json-depth.js';

/** Lines of JSON: what a route with `StreamsLines` takes. */
export const NDJSON_TYPES = ['application/x-ndjson', 'application/jsonl'];

/** Bytes of an answer that are made before the client has taken those before them. */
const AHEAD_BYTES = 65_536;
/** How long what a client still sends is read after an answer that ended early, in milliseconds: so that he reads it. */
const LINGER_MS = 1000;

/** How an upload came to its end: all of it is there; the client went away, or said nothing more; we have to stop. */
export type UploadEnd = 'complete' | 'gone' | 'stalled' | 'stopped';

/** Marks a route whose body is lines of JSON and is left unread: see `UploadOf`. */
export const StreamsLines = () => RouteConfig({ streamsLines: true });

const streaming = new WeakSet<Socket>();

/** Whether a body is being read there as it comes, which may take longer than a request otherwise may. */
export function isStreaming(socket: Socket): boolean {
  return streaming.has(socket);
}

/** Lets lines of JSON through to the routes that stream them, unread. Elsewhere they are refused as before. */
export function addLinesParser(instance: FastifyInstance): void {
  instance.addContentTypeParser(NDJSON_TYPES, (request, _payload, done) => {
    const { streamsLines } = request.routeOptions.config as { streamsLines?: boolean };
    if (streamsLines) done(null);
    else done(new AppError('unsupported_media_type'));
  });
}

/** A body that is read as it comes, and the answer that is sent meanwhile: a client that reads slowly is read slowly. */
export class Upload {
  private readonly raw: IncomingMessage;
  private readonly parser: FastifyBodyParser<string>;
  /** How long the client may neither send nor take anything while he is waited for, in milliseconds. */
  private readonly idleMs: number;

  constructor(private readonly request: FastifyRequest) {
    const type = request.headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase() ?? '';
    const encoding = request.headers['content-encoding'] ?? 'identity';
    if (!NDJSON_TYPES.includes(type) || encoding !== 'identity') {
      throw new AppError('unsupported_media_type', {
        detail: `The request body must be ${NDJSON_TYPES.join(' or ')}, and not compressed.`,
      });
    }
    this.raw = request.raw;
    this.parser = request.server.getDefaultJsonParser('error', 'error');
    this.idleMs = request.server.server.requestTimeout;
  }

  /** JSON as it is read from every other body: what could change a prototype is refused, and what is nested too deeply. */
  parse(text: string): unknown {
    let parsed: { error: Error | null; value?: unknown } = { error: null };
    void this.parser(this.request, text, (error, value: unknown) => (parsed = { error, value }));
    if (parsed.error) throw new AppError('malformed_json', { detail: 'is not valid JSON' });
    if (!isShallow(parsed.value)) throw new AppError('malformed_json', { detail: 'is nested too deeply' });
    return parsed.value;
  }

  /** What has come, as much as is there each time. Its return value says how it ended. */
  async *chunks(stopping: AbortSignal): AsyncGenerator<Buffer, UploadEnd> {
    const { raw } = this;
    const state: { end?: UploadEnd; wake?: () => void } = {};
    const finish = (end: UploadEnd): void => {
      state.end ??= end;
      state.wake?.();
    };
    const onReadable = (): void => state.wake?.();
    const onStop = (): void => finish('stopped');
    streaming.add(raw.socket);
    raw.on('readable', onReadable);
    stopping.addEventListener('abort', onStop);
    if (stopping.aborted) onStop();
    const forget = finished(raw, { writable: false }, (error) => finish(error ? 'gone' : 'complete'));
    try {
      for (;;) {
        const chunk = state.end === 'stopped' ? null : (raw.read() as Buffer | null);
        if (chunk !== null) yield chunk;
        else if (state.end) return state.end;
        else {
          const timer = setTimeout(() => finish('stalled'), this.idleMs);
          await new Promise<void>((resolve) => (state.wake = resolve));
          clearTimeout(timer);
        }
      }
    } finally {
      raw.off('readable', onReadable);
      stopping.removeEventListener('abort', onStop);
      forget();
      this.leave(stopping);
    }
  }

  /** The answer's body. What makes it is asked for more only when the client has taken what there was. */
  answer(parts: AsyncGenerator<string>): Readable {
    return Readable.from(this.whileTaken(parts), { objectMode: false, highWaterMark: AHEAD_BYTES });
  }

  private async *whileTaken(parts: AsyncGenerator<string>): AsyncGenerator<string> {
    for await (const part of parts) {
      const timer = setTimeout(() => this.raw.socket.destroy(), this.idleMs);
      try {
        yield part;
      } finally {
        clearTimeout(timer);
      }
    }
  }

  /** After an end that came early the connection serves nothing else, as the rest of the upload is still in it. */
  private leave(stopping: AbortSignal): void {
    const { raw } = this;
    streaming.delete(raw.socket);
    if (raw.complete && !stopping.aborted) return;
    raw.resume();
    setTimeout(() => raw.socket.destroySoon(), LINGER_MS).unref();
  }
}

/** Hands a controller the Upload of its request; refuses a body of another type. */
export const UploadOf = createParamDecorator(
  (_: unknown, context: ExecutionContext): Upload =>
    new Upload(context.switchToHttp().getRequest<FastifyRequest>()),
);
