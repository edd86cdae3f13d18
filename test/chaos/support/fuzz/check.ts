import { ERROR_CATALOG } from '../../../../src/common/errors/error-catalog.js';
import type { Problem } from '../../../../src/common/errors/problem.js';
import { SchemaCheck, type OpenApiDocument } from '../../../support/openapi.js';
import type { Answer, Ask } from './send.js';

const PROBLEM = { $ref: '#/components/schemas/Problem' };

/** Holds every answer against the document and the catalogue of errors. */
export class AnswerCheck {
  private readonly schemas: SchemaCheck;

  constructor(document: OpenApiDocument) {
    this.schemas = new SchemaCheck(document);
  }

  /** What is wrong with an answer; empty when nothing is. */
  problems(ask: Ask, answer: Answer): string[] {
    const { status } = answer;
    if (status >= 500 || status < 200) return [`answered ${status} ${answer.text.slice(0, 300)}`];
    if (status >= 400) return this.failure(ask, answer);
    if (status >= 300) return ask.route ? [`answered ${status}`] : [];
    return ask.route ? [...this.success(ask, answer), ...this.wronglyAccepted(ask, status)] : [];
  }

  private failure(ask: Ask, { status, headers, text }: Answer): string[] {
    if (ask.method === 'HEAD') return [];
    if (headers['content-type'] !== 'application/problem+json; charset=utf-8')
      return [`answered ${status} as ${headers['content-type']}: ${text.slice(0, 200)}`];
    const problem = parsed(text) as Problem | undefined;
    const found = this.schemas.problems(PROBLEM, problem).map((text) => `a problem document: ${text}`);
    if (!problem || found.length > 0) return found;
    const known = ERROR_CATALOG[problem.code] as { status: number } | undefined;
    if (known?.status !== status || problem.status !== status)
      found.push(`answered ${status} with ${problem.code}`);
    if (problem.requestId !== headers['x-request-id']) found.push('names another request than X-Request-Id');
    const documented = ask.route?.operation.responses[status];
    if (ask.route && !documented?.description.includes(`\`${problem.code}\``) && !atTheDoor(problem.code))
      found.push(`answered ${status} ${problem.code}, which is not documented there: ${problem.detail}`);
    return found;
  }

  private success({ route, method }: Ask, { status, headers, text }: Answer): string[] {
    const documented = route?.operation.responses[status];
    if (!documented) return [`answered ${status}, which is not documented there`];
    const { content = {} } = documented;
    if (method === 'HEAD') return [];
    if (Object.keys(content).length === 0)
      return text === '' ? [] : [`answered ${status} with a body: ${text.slice(0, 200)}`];
    const type = String(headers['content-type']).split(';')[0] ?? '';
    const schema = content[type]?.schema;
    if (!schema) return text === '' && status === 202 ? [] : [`answered ${status} as ${type}`];
    if (!/json/.test(type)) return [];
    const lines = /ndjson|jsonl/.test(type) ? text.split('\n').filter((line) => line !== '') : [text];
    return lines.flatMap((line) =>
      this.schemas.problems(schema, parsed(line)).map((wrong) => `answered ${status}: ${wrong}`),
    );
  }

  /** What the document forbids is refused. */
  private wronglyAccepted({ route, json }: Ask, status: number): string[] {
    const schema = route?.operation.requestBody?.content['application/json']?.schema;
    if (!schema || json === undefined) return [];
    const sent = JSON.parse(JSON.stringify(json)) as unknown;
    return this.schemas
      .problems(schema, sent)
      .map((wrong) => `took (${status}) what is not documented: ${wrong}`);
  }
}

/** Answered before a route is looked for: not the routes' to document. */
const atTheDoor = (code: string): boolean =>
  ['headers_too_large', 'malformed_request', 'request_timeout', 'rate_limited'].includes(code);

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
