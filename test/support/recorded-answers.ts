import { appendFileSync } from 'node:fs';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';

/**
 * Writes a line `method path status` for each answer to the file that `ROUTES_SEEN` names, when it names one, for
 * `npm run routes`.
 */
export function recordAnswers(server: Server): void {
  const file = process.env['ROUTES_SEEN'];
  if (!file) return;
  server.prependListener('request', ({ method, url = '' }: IncomingMessage, response: ServerResponse) => {
    response.once('close', () => {
      if (response.headersSent)
        appendFileSync(file, `${method} ${url.split('?')[0]} ${response.statusCode}\n`);
    });
  });
}
