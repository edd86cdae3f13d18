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
