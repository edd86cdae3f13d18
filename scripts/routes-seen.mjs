/**
 * Which documented answers a test has seen: a row for each operation, with its statuses, and `!` where one of its codes was
 * seen by none. Reads the file that the tests wrote with `ROUTES_SEEN=<file> npm test`. Fails where a documented answer was
 * not seen, and where one came that is not documented: a status, or a code under it.
 */
import { readFileSync } from 'node:fs';

/** These may come before a route is known, and the document says so once for all. */
const ANYWHERE = ['400 malformed_request', '408 request_timeout', '431 headers_too_large'];

const file = process.argv[2] ?? process.env.ROUTES_SEEN;
if (!file) {
  console.error('Usage: npm run routes -- <the file that ROUTES_SEEN named>');
  process.exit(2);
}

const { paths } = JSON.parse(readFileSync(new URL('../docs/openapi.json', import.meta.url), 'utf8'));

/** `status`, or `status code` for each code of a failure. */
function answersOf({ responses }) {
  return Object.entries(responses).flatMap(([status, { content }]) => {
    const codes = Object.keys(content?.['application/problem+json']?.examples ?? {});
    return codes.length === 0 ? [status] : codes.map((code) => `${status} ${code}`);
  });
}

const routes = Object.entries(paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({
    name: operation.operationId,
    method: method.toUpperCase(),
    pattern: new RegExp(`^${path.replace(/\{\w+\}/g, '[^/]+')}$`),
    fixed: path.replace(/\{\w+\}/g, '').length,
    documented: answersOf(operation),
    seen: new Set(),
  })),
);
// Where two paths fit, the router takes the one with more fixed text: /v1/roles/drift is no role.
routes.sort((one, other) => other.fixed - one.fixed);
for (const line of readFileSync(file, 'utf8').trim().split('\n')) {
  const [method, path, ...answer] = line.split(' ');
  routes.find((route) => route.method === method && route.pattern.test(path))?.seen.add(answer.join(' '));
}

const statusOf = (answer) => answer.split(' ')[0];
let missing = 0;
let surprises = 0;
for (const { name, documented, seen } of routes.sort((one, other) => (one.name < other.name ? -1 : 1))) {
  const unseen = documented.filter((answer) => !seen.has(answer));
  const strange = [...seen].filter((answer) => !documented.includes(answer) && !ANYWHERE.includes(answer));
  missing += unseen.length;
  surprises += strange.length;
  const statuses = [...new Set(documented.map(statusOf))];
  const cells = statuses.map((status) => `${status}${unseen.map(statusOf).includes(status) ? '!' : ' '}`);
  const notes = [
    unseen.length > 0 ? `  not seen: ${unseen.join(', ')}` : '',
    strange.length > 0 ? `  not documented: ${strange.sort().join(', ')}` : '',
  ];
  console.log(`${name.padEnd(28)} ${cells.join(' ')}${notes.join('')}`);
}
console.log(`${missing} documented answers were not seen, ${surprises} were seen that are not documented.`);
process.exitCode = missing + surprises === 0 ? 0 : 1;
