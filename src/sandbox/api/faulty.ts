import type { FastifyReply } from 'fastify';
import type { Fault } from '../control/faults.js';
import { ApiError, messageOf } from './errors.js';
import type { Outgoing } from './perform.js';
import { failed } from './perform.js';

const USUAL_CODES: Record<number, number> = {
  401: 20003,
  403: 20403,
  404: 20404,
  405: 20004,
  429: 20429,
  503: 20503,
};

type Run = () => Outgoing | Promise<Outgoing>;

/** Makes the faults happen, on the real path: what a fault lets through is really done. */
export class FaultyPath {
  private readonly waiting = new Set<NodeJS.Timeout>();

  apply(
    fault: Fault,
    reply: FastifyReply,
    run: Run,
    send: (outgoing: Outgoing) => void,
    over: () => void,
  ): void {
    switch (fault.type) {
      case 'status':
        return send(refusal(fault));
      case 'delay':
        return this.delay(fault, run, send);
      case 'reset-before':
        if (fault.applyAfterMs !== undefined) this.after(fault.applyAfterMs, () => void run());
        cut(reply);
        return over();
      case 'reset-after':
        void Promise.resolve(run()).then(() => {
          cut(reply);
          over();
        });
        return;
      case 'hang':
        reply.hijack();
        reply.raw.once('close', over);
        if (fault.applied) void run();
        return;
      default:
        throw new Error(`Not a fault of requests: ${fault.type}`);
    }
  }

  /** Changes that were still to land never do: the sandbox is stopped, or emptied. */
  cancel(): void {
    for (const timer of this.waiting) clearTimeout(timer);
    this.waiting.clear();
  }

  /** Fastify notices by itself when nobody is there any more to send to. */
  private delay(
    { ms, applied }: Fault & { type: 'delay' },
    run: Run,
    send: (outgoing: Outgoing) => void,
  ): void {
    if (applied === 'after') {
      this.after(ms, () => void Promise.resolve(run()).then(send));
      return;
    }
    const outgoing = run();
    this.after(ms, () => void Promise.resolve(outgoing).then(send));
  }

  private after(ms: number, action: () => void): void {
    const timer = setTimeout(() => {
      this.waiting.delete(timer);
      action();
    }, ms);
    this.waiting.add(timer);
  }
}

function refusal({ status, code, retryAfterSeconds }: Fault & { type: 'status' }): Outgoing {
  const number = code ?? USUAL_CODES[status] ?? (status >= 500 ? 20500 : 20001);
  const headers: Record<string, string> =
    retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) };
  return failed(new ApiError(number, status, messageOf(number) ?? 'A fault that was asked for', headers));
}

/** The caller sees its connection reset, without a byte of an answer. */
function cut(reply: FastifyReply): void {
  reply.hijack();
  reply.raw.socket?.resetAndDestroy();
}
