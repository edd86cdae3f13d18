import { parse } from 'node:querystring';
import type { Records } from '../store/records.js';
import type { Cause } from '../store/store.js';
import type { Call, Context, Intent, Plan } from '../rules/call.js';
import type { Authentication } from './auth.js';
import { ApiError, fail, notFound } from './errors.js';
import type { RateLimit } from './limits.js';
import type { Change, List, Operation } from './operations.js';
import { isHooked } from './operations.js';
import { pageOf } from './paging.js';
import { readParameters } from './parameters.js';
import type { Parameters } from './parameters.js';
import type { View } from './render.js';
import { render } from './shapes.js';

/** A request, freed of the server that it came through. */
export interface Incoming {
  method: string;
  url: string;
  host: string;
  authorization: string | undefined;
  webhooks: boolean;
  path: Record<string, string>;
  body: string | undefined;
}

export interface Outgoing {
  status: number;
  body: string;
  headers?: Record<string, string>;
}

/** Asks a pre-event webhook: what it changes in the form, or nothing; throws when it refuses. */
export interface Prehooks {
  asks(intent: Intent, service: Records['service']): boolean;
  ask(intent: Intent, service: Records['service'], source: Cause['source']): Promise<Record<string, string>>;
}

export interface Services extends Context {
  authentication: Authentication;
  rateLimit: RateLimit;
  prehooks: Prehooks;
}

/** From a request to its answer: authentication, the rule, the one commit, the answer's shape. */
export function perform(
  services: Services,
  operation: Operation,
  incoming: Incoming,
): Outgoing | Promise<Outgoing> {
  try {
    if (!services.authentication.accepts(incoming.authorization)) throw fail(20003);
    const call = callOf(services, operation, incoming);
    const view = viewOf(services, operation, incoming, call.service.sid);
    if (operation.does === 'list') return listed(operation, call, view, incoming);
    if (operation.does === 'fetch') {
      refuseUnknown(incoming);
      return { status: 200, body: render(operation.shape, operation.run(call), view) };
    }
    const hooks = incoming.webhooks && isHooked(operation);
    const answer = changed(services, operation, call, view, hooks);
    return answer instanceof Promise ? answer.catch(failed) : answer;
  } catch (error) {
    return failed(error);
  }
}

const NOTHING: Parameters = {};

function refuseUnknown({ url }: Incoming): void {
  if (url.includes('?')) readParameters(parse(queryOf(url)), NOTHING, 'query');
}

const queryOf = (url: string): string => {
  const at = url.indexOf('?');
  return at < 0 ? '' : url.slice(at + 1);
};

const pathOf = (url: string): string => {
  const at = url.indexOf('?');
  return at < 0 ? url : url.slice(0, at);
};

/** Percent escapes that are none stay as they are; more than a thousand keys are read too. */
const readForm = (text: string): Record<string, string | string[] | undefined> =>
  parse(text, '&', '=', { maxKeys: 0 });

function callOf(services: Services, operation: Operation, incoming: Incoming): Call {
  const { store, clock, config } = services;
  const where = pathOf(incoming.url);
  const sid =
    incoming.path['ChatServiceSid'] ?? store.get('account', config.accountSid)?.default_chat_service_sid;
  const service = store.get('service', sid ?? '');
  if (service === undefined) throw notFound(where);
  const form = operation.does === 'create' || operation.does === 'update' ? formOf(operation, incoming) : {};
  return { store, clock, config, service, where, path: incoming.path, form, query: {} };
}

function formOf(operation: Change, { body }: Incoming): object {
  return readParameters(readForm(body ?? ''), operation.form, 'post body');
}

/** What may stand in a URL of ours without being escaped. */
const HOST = /^[\w.:[\]-]+$/;
let lastHost = '';
let lastRoot = '';

function viewOf(
  { store, config }: Services,
  { scope }: Operation,
  incoming: Incoming,
  service: string,
): View {
  if (incoming.host !== lastHost) {
    lastHost = incoming.host;
    lastRoot = `http://${HOST.test(lastHost) ? lastHost : 'localhost'}/v1`;
  }
  const serviceScoped = scope !== 'account' && incoming.path['ChatServiceSid'] !== undefined;
  const base = serviceScoped ? `${lastRoot}/Services/${service}` : lastRoot;
  return { store, accountSid: config.accountSid, base, root: lastRoot, serviceScoped };
}

function listed(operation: List, call: Call, view: View, { url }: Incoming): Outgoing {
  const raw = parse(queryOf(url));
  const query = readParameters(raw, operation.query, 'query');
  const filters = Object.entries(raw).filter(([name]) => !/^Page(Size|Token)?$/.test(name));
  const kept = filters.flatMap(([name, value]) =>
    [value ?? ''].flat().map((text) => `${encodeURIComponent(name)}=${encodeURIComponent(text)}&`),
  );
  const listing = operation.run({ ...call, query: query as never });
  const { meta, records } = pageOf(call.store, listing, query, {
    most: operation.most,
    key: operation.key,
    url: `${view.root.slice(0, -3)}${call.where}?${kept.join('')}`,
  });
  const items = records.map((record) => render(operation.shape, record, view));
  return { status: 200, body: `{"meta":${JSON.stringify(meta)},"${operation.key}":[${items.join(',')}]}` };
}

function changed(
  services: Services,
  operation: Change,
  call: Call,
  view: View,
  hooks: boolean,
): Outgoing | Promise<Outgoing> {
  const plan = operation.run(call as never, hooks);
  if (hooks && plan.intent !== undefined && services.prehooks.asks(plan.intent, call.service)) {
    return afterPrehook(services, operation, call, view, plan.intent);
  }
  return done(services, operation, plan, call, view, hooks);
}

/** The world may have changed while the hook thought: the rule looks again, then it is done. */
async function afterPrehook(
  services: Services,
  operation: Change,
  call: Call,
  view: View,
  intent: Intent,
): Promise<Outgoing> {
  const { era } = services.store;
  const rewritten = await services.prehooks.ask(intent, call.service, 'API');
  const form = { ...call.form, ...readParameters(rewritten, operation.form, 'post body') };
  const service = services.store.get('service', call.service.sid);
  if (service === undefined || era !== services.store.era) throw notFound(call.where);
  const again = { ...call, service, form };
  return done(services, operation, operation.run(again as never, true), again, view, true);
}

function done(
  services: Services,
  operation: Change,
  plan: Plan,
  call: Call,
  view: View,
  hooks: boolean,
): Outgoing {
  services.rateLimit.count(call.service.sid, plan.conversation);
  const cause: Cause = { source: 'API', reason: 'API', hooks };
  services.store.commit(plan.changes, cause);
  plan.then?.();
  if (plan.answer === undefined) return { status: operation.status, body: '' };
  return { status: operation.status, body: render(operation.shape, plan.answer, view) };
}

export function failed(error: unknown): Outgoing {
  if (error instanceof ApiError) {
    return { status: error.status, body: JSON.stringify(error.body()), headers: error.headers };
  }
  const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stderr.write(`sandbox: ${reason}\n`);
  return failed(fail(20500));
}
