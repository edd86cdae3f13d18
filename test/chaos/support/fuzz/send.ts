import { Agent, request, type IncomingHttpHeaders } from 'node:http';
import type { Route } from '../../../support/openapi.js';

/** A request as it goes out, to the byte, and what it was made of. */
export interface Ask {
  /** Null where the document has no such route. */
  route: Route | null;
  method: string;
  /** With the query; not normalised. */
  path: string;
  headers: Record<string, string | string[]>;
  body?: Buffer;
  /** The body before it was serialised, where it was JSON. */
  json?: unknown;
  /** What was broken on purpose; empty for a request that means well. */
  broken: string[];
}

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
}

/** Far above every wait that is asked for. */
const HANG_MS = 30_000;

/** Sends requests that `fetch` would refuse, or make well again. */
export class Sender {
  private readonly agent = new Agent({ keepAlive: true, maxSockets: 32 });

  constructor(private readonly origin: URL) {}

  /** Throws when no answer came, or none in time. */
  send({ method, path, headers, body }: Ask): Promise<Answer> {
    const { hostname: host, port } = this.origin;
    const { agent } = this;
    // Node would leave it out for GET, HEAD and DELETE, and the body would be read as another request.
    const sent = body ? { ...headers, 'content-length': String(body.length) } : headers;
    return new Promise((resolve, reject) => {
      const outgoing = request({ host, port, agent, method, path, headers: sent }, (incoming) => {
        const chunks: Buffer[] = [];
        incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
        incoming.on('error', reject);
        incoming.on('end', () => {
          clearTimeout(late);
          const { statusCode = 0 } = incoming;
          resolve({ status: statusCode, headers: incoming.headers, text: Buffer.concat(chunks).toString() });
        });
      });
      const late = setTimeout(() => outgoing.destroy(new Error(`no answer in ${HANG_MS} ms`)), HANG_MS);
      outgoing.on('error', (error: Error & { code?: string }) => {
        clearTimeout(late);
        // What overflows is refused, with a body, before anybody knows its method: after HEAD that is too much for Node.
        if (method === 'HEAD' && error.code === 'HPE_CLOSED_CONNECTION')
          resolve({ status: 431, headers: {}, text: '' });
        else reject(error);
      });
      outgoing.end(body);
    });
  }

  close(): void {
    this.agent.destroy();
  }
}

/** For a report: what can be sent again by hand. */
export function shownAsk({ method, path, headers, body, broken }: Ask): string {
  const how = broken.length > 0 ? ` (${broken.join(', ')})` : '';
  const { authorization: _, ...others } = headers;
  const text = body === undefined ? '' : ` ${body.toString().slice(0, 600)}`;
  return `${method} ${path.slice(0, 300)} ${JSON.stringify(others).slice(0, 300)}${text}${how}`;
}
