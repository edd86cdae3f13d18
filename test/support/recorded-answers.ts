import { appendFileSync } from 'node:fs';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';

/** Where a failure says which one it is. */
const CODE = /"type":"urn:convoke:error:(\w+)"/;

/**
 * Writes a line `method path status code` for each answer to the file that `ROUTES_SEEN` names, when it names one, for
 * `npm run routes`; the code is there where the answer has one.
 */
export function recordAnswers(server: Server): void {
  const file = process.env['ROUTES_SEEN'];
  if (!file) return;
  server.prependListener('request', ({ method, url = '' }: IncomingMessage, response: ServerResponse) => {
    let code = '';
    const end = response.end.bind(response) as (...parts: unknown[]) => ServerResponse;
    response.end = (...parts: unknown[]) => {
      if (response.statusCode >= 400) code = CODE.exec(String(parts[0]))?.[1] ?? '';
      return end(...parts);
    };
    response.once('close', () => {
      if (!response.headersSent) return;
      appendFileSync(file, `${method} ${url.split('?')[0]} ${response.statusCode} ${code}`.trim() + '\n');
    });
  });
}
