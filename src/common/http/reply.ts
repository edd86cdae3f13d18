import { Injectable, type CallHandler, type ExecutionContext, type NestInterceptor } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { map, type Observable } from 'rxjs';

/**
 * An answer whose status or headers the service decides. A string body is sent as it is: that is how a stored answer
 * keeps its bytes.
 */
export class Reply {
  constructor(
    readonly status: number,
    readonly body: object | string | null,
    readonly headers: Record<string, string> = {},
  ) {}
}

export const JSON_CONTENT_TYPE = 'application/json; charset=utf-8';

/** Sends what a Reply says; everything else goes out as Nest does it. */
@Injectable()
export class ReplyInterceptor implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(
      map((value: unknown) => {
        if (!(value instanceof Reply)) return value;
        const response = context.switchToHttp().getResponse<FastifyReply>();
        response.status(value.status).headers(value.headers);
        if (value.body === null) return undefined;
        if (!response.hasHeader('content-type')) response.type(JSON_CONTENT_TYPE);
        return value.body;
      }),
    );
  }
}
