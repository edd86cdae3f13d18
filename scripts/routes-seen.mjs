/**
 * Which documented answers a test has seen: a row for each operation, with its statuses, and `!` at those that none has
 * seen. Reads the file that the tests wrote with `ROUTES_SEEN=<file> npm test -- test/e2e`. Fails where an answer came
 * that is not documented.
 */
import { readFileSync } from 'node:fs';

/** Node and Fastify answer these before a route is known, and the document says so once for all. */
const ANYWHERE = ['408', '431'];

const file = process.argv[2] ?? process.env.ROUTES_SEEN;
if (!file) {
  console.error('Usage: npm run routes -- <the file that ROUTES_SEEN named>');
  process.exit(2);
}
const { paths } = JSON.parse(readFileSync(new URL('../docs/openapi.json', import.meta.url), 'utf8'));
const routes = Object.entries(paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({
    name: operation.operationId,
    method: method.toUpperCase(),
    pattern: new RegExp(`^${path.replace(/\{\w+\}/g, '[^/]+')}$`),
    fixed: path.replace(/\{\w+\}/g, '').length,
    documented: Object.keys(operation.responses),
    seen: new Set(),
  })),
);
// Where two paths fit, the router takes the one with more fixed text: /v1/roles/drift is no role.
routes.sort((one, other) => other.fixed - one.fixed);
for (const line of readFileSync(file, 'utf8').trim().split('\n')) {
  const [method, path, status] = line.split(' ');
  routes.find((route) => route.method === method && route.pattern.test(path))?.seen.add(status);
}

let missing = 0;
let surprises = 0;
for (const { name, documented, seen } of routes.sort((one, other) => (one.name < other.name ? -1 : 1))) {
  const unseen = documented.filter((status) => !seen.has(status));
  const strange = [...seen].filter((status) => !documented.includes(status) && !ANYWHERE.includes(status));
  missing += unseen.length;
  surprises += strange.length;
  const cells = documented.map((status) => (unseen.includes(status) ? `${status}!` : `${status} `));
  const note = strange.length > 0 ? `  not documented: ${strange.sort().join(' ')}` : '';
  console.log(`${name.padEnd(28)} ${cells.join(' ')}${note}`);
}
console.log(`${missing} documented answers were not seen, ${surprises} were seen that are not documented.`);
process.exitCode = surprises === 0 ? 0 : 1;
