import { randomUUID } from 'node:crypto';
import { stringify } from 'node:querystring';
import { Agent, request } from 'undici';
import type { SandboxConfig } from '../config.js';
import type { Faults } from '../control/faults.js';
import { overridesOf, retries } from './overrides.js';
import { signature } from './signature.js';

/** Twilio waits this long for an answer, of a pre-hook as of a post-hook. */
export const ANSWER_MS = 5000;

/** A webhook that was to be overtaken goes at last after this, if nothing overtakes it. */
const LONGEST_HOLD_MS = 1000;

export interface Target {
  url: string;
  method: 'GET' | 'POST';
}

export interface Reply {
  status: number;
  body: string;
}

/** Sends webhooks, signed, with the faults that were asked for. */
export class Delivery {
  private readonly agent = new Agent({ keepAliveTimeout: 1000 });
  private readonly held = new Map<string, { send: () => void; timer: NodeJS.Timeout }>();

  constructor(
    private readonly config: SandboxConfig,
    private readonly faults: Faults,
  ) {}

  /** A post-hook: sent, and its answer ignored. */
  post(target: Target, form: Record<string, string>): void {
    const token = randomUUID();
    const send = (): void => void this.call(target, form, token);
    switch (this.faults.forWebhook(target.method, pathOf(target.url))) {
      case 'webhook-drop':
        return;
      case 'webhook-reorder':
        return this.hold(target.url, send);
      case 'webhook-duplicate':
        send();
        break;
      default:
    }
    send();
    this.release(target.url);
  }

  /** The answer, or undefined when none came in time or nobody could be reached. */
  async call(
    target: Target,
    form: Record<string, string>,
    token: string = randomUUID(),
  ): Promise<Reply | undefined> {
    const overrides = overridesOf(target.url);
    const deadline = Date.now() + ANSWER_MS;
    for (let attempt = 0; ; attempt++) {
      const outcome = await this.once(target, form, token, deadline - Date.now());
      const again = attempt < overrides.rc && Date.now() < deadline && retries(overrides.rp, outcome);
      if (!again) return typeof outcome === 'string' ? undefined : outcome;
    }
  }

  async stop(): Promise<void> {
    for (const { timer } of this.held.values()) clearTimeout(timer);
    this.held.clear();
    await this.agent.destroy();
  }

  private async once(
    { url, method }: Target,
    form: Record<string, string>,
    token: string,
    left: number,
  ): Promise<Reply | 'unreachable' | 'silent'> {
    const called = new URL(url);
    called.hash = '';
    if (method === 'GET')
      for (const [key, value] of Object.entries(form)) called.searchParams.append(key, value);
    const text = method === 'GET' ? called.href : url.replace(/#.*$/s, '');
    try {
      const answer = await request(called, {
        method,
        dispatcher: this.agent,
        signal: AbortSignal.timeout(Math.max(left, 1)),
        headers: {
          'x-twilio-signature': signature(this.config.authToken, text, method === 'GET' ? {} : form),
          'i-twilio-idempotency-token': token,
          'user-agent': 'TwilioProxy/1.1',
          accept: '*/*',
          ...(method === 'GET' ? {} : { 'content-type': 'application/x-www-form-urlencoded; charset=UTF-8' }),
        },
        body: method === 'GET' ? null : stringify(form),
      });
      return { status: answer.statusCode, body: await answer.body.text() };
    } catch (error) {
      return (error as { code?: string }).code === 'ECONNREFUSED' ? 'unreachable' : 'silent';
    }
  }

  private hold(url: string, send: () => void): void {
    this.release(url);
    const timer = setTimeout(() => this.release(url), LONGEST_HOLD_MS);
    this.held.set(url, { send, timer });
  }

  private release(url: string): void {
    const waiting = this.held.get(url);
    if (waiting === undefined) return;
    clearTimeout(waiting.timer);
    this.held.delete(url);
    waiting.send();
  }
}

const pathOf = (url: string): string => (URL.canParse(url) ? new URL(url).pathname : url);
