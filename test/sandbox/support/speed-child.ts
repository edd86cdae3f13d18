import { parse } from 'node:querystring';
import Fastify from 'fastify';
import { startSandbox } from '../../../src/sandbox/server.js';

/**
 * One side of the speed comparison: the sandbox with its journal on, or a bare Fastify route that
 * parses the same form and answers the same bytes, headers and all. Tells its CPU time when asked.
 */
const [side, given] = process.argv.slice(2) as ['sandbox' | 'bare', string];

const baseUrl = side === 'sandbox' ? (await startSandbox({ dataDir: given })).baseUrl : await bare(given);

process.on('message', () => {
  const { user, system } = process.cpuUsage();
  process.send?.({ cpu: user + system });
});
process.on('disconnect', () => process.exit(0));
process.send?.({ baseUrl });

async function bare(given: string): Promise<string> {
  const { headers, answer } = JSON.parse(given) as { headers: Record<string, string>; answer: string };
  const app = Fastify({ logger: false });
  app.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'string' },
    (_request, body, done) => {
      done(null, parse(body as string));
    },
  );
  app.post('/*', (_request, reply) => {
    reply.code(201).headers(headers).send(answer);
  });
  return app.listen({ host: '127.0.0.1', port: 0 });
}
