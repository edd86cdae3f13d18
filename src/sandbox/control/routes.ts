import type { FastifyInstance } from 'fastify';
import { ApiError, errorBody, fail } from '../api/errors.js';
import { secondsOf } from '../api/parameters.js';
import type { Inbound } from '../rules/inbound.js';
import { receive } from '../rules/inbound.js';
import { KINDS } from '../store/records.js';
import type { Kind } from '../store/records.js';
import type { Sandbox } from '../sandbox.js';
import type { Fault, FaultMatch } from './faults.js';
import type { BindingOrder, ReceiptOrder } from './drive.js';
import { driveReceipts, registerBinding } from './drive.js';
import { mayControl } from './guard.js';
import * as schemas from './schemas.js';
import { verifyToken } from './tokens.js';

const PLURALS: Partial<Record<Kind, string>> = { address: 'addresses' };

/** `/sandbox/…`: what a test may do to the sandbox that no client of Twilio can. */
export function registerControl(app: FastifyInstance, sandbox: Sandbox): void {
  app.addHook('onRequest', async (request, reply) => {
    const { remoteAddress } = request.socket;
    if (mayControl(remoteAddress, request.headers, sandbox.config.controlToken)) return;
    await reply.code(403).send(errorBody(20403, 403, 'The control API is open to this machine only'));
  });
  app.addHook('onSend', (_request, _reply, payload, done) => {
    sandbox.store.whenKept(() => done(null, payload));
  });
  app.setErrorHandler((error: Error & { statusCode?: number }, _request, reply) => {
    if (error instanceof ApiError) return reply.code(error.status).send(error.body());
    const status = error.statusCode ?? 500;
    return reply.code(status).send(errorBody(status >= 500 ? 20500 : 20001, status, error.message));
  });
  registerFaults(app, sandbox);
  registerRequests(app, sandbox);
  registerClock(app, sandbox);
  registerOutside(app, sandbox);
  registerState(app, sandbox);
}

function registerFaults(app: FastifyInstance, { faults }: Sandbox): void {
  app.post<{ Body: { match?: FaultMatch; fault: Fault } }>(
    '/faults',
    { schema: { body: schemas.fault } },
    (request, reply) => {
      const { match = {}, fault } = request.body;
      try {
        const id = faults.add(
          match,
          fault.type === 'delay' ? { ...fault, applied: fault.applied ?? 'after' } : fault,
        );
        return reply.code(201).send({ id });
      } catch (error) {
        if (error instanceof SyntaxError) throw fail(20001, error.message);
        throw error;
      }
    },
  );
  app.get('/faults', () => ({ faults: faults.list() }));
  app.delete('/faults', (_request, reply) => {
    faults.clear();
    return reply.code(204).send();
  });
  app.delete<{ Params: { id: string } }>('/faults/:id', (request, reply) => {
    if (!faults.remove(request.params.id)) throw fail(20404);
    return reply.code(204).send();
  });
}

function registerRequests(app: FastifyInstance, { log }: Sandbox): void {
  app.get<{ Querystring: { since?: number } }>(
    '/requests',
    { schema: { querystring: schemas.since } },
    (request) => log.since(Number(request.query.since ?? 0)),
  );
  app.delete('/requests', (_request, reply) => {
    log.clear();
    return reply.code(204).send();
  });
}

function registerClock(app: FastifyInstance, { scheduler, clock }: Sandbox): void {
  app.post<{ Body: { advance?: string; set?: string; real?: true } }>(
    '/clock',
    { schema: { body: schemas.clock } },
    ({ body }) => {
      const seconds = body.advance === undefined ? undefined : secondsOf(body.advance);
      const instant = body.set === undefined ? undefined : Date.parse(body.set);
      if (body.advance !== undefined && seconds === undefined)
        throw fail(20001, 'advance is not an ISO 8601 duration');
      if (Number.isNaN(instant)) throw fail(20001, 'set is not an ISO 8601 date');
      const offset =
        body.real === true
          ? 0
          : instant !== undefined
            ? instant - Date.now()
            : clock.offset + (seconds ?? 0) * 1000;
      return { now: new Date(scheduler.moveTo(offset)).toISOString() };
    },
  );
}

/** What reaches Twilio from outside of its REST API. */
function registerOutside(app: FastifyInstance, sandbox: Sandbox): void {
  app.post<{ Body: Inbound }>('/inbound', { schema: { body: schemas.inbound } }, ({ body }) =>
    receive(sandbox, body),
  );
  app.post<{ Body: ReceiptOrder }>('/receipts', { schema: { body: schemas.receipt } }, ({ body }) =>
    driveReceipts(sandbox, body),
  );
  app.post<{ Body: Omit<BindingOrder, 'messageTypes'> & { messageTypes?: string[] } }>(
    '/bindings',
    { schema: { body: schemas.binding } },
    ({ body }, reply) =>
      reply.code(201).send(registerBinding(sandbox, { messageTypes: ['new_message'], ...body })),
  );
}

function registerState(app: FastifyInstance, sandbox: Sandbox): void {
  app.post<{ Body: { token: string } }>('/tokens/verify', { schema: { body: schemas.token } }, ({ body }) =>
    verifyToken(body.token, sandbox.config, sandbox.store, sandbox.clock.now()),
  );
  app.post('/reset', (_request, reply) => {
    sandbox.reset();
    return reply.code(204).send();
  });
  app.get<{ Querystring: { full?: string } }>('/state', (request) => {
    const full = request.query.full === 'true';
    const kinds = KINDS.filter((kind) => kind !== 'account' && kind !== 'clock');
    const entries = kinds.map((kind) => {
      const table = sandbox.store.tables[kind];
      return [PLURALS[kind] ?? `${kind}s`, full ? [...table.values()] : table.size];
    });
    return Object.fromEntries(entries) as Record<string, unknown>;
  });
}
