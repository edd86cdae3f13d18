import { newSid } from '../store/sid.js';

export type Fault =
  | { type: 'status'; status: number; code?: number; retryAfterSeconds?: number }
  | { type: 'delay'; ms: number; applied: 'before' | 'after' }
  | { type: 'reset-before'; applyAfterMs?: number }
  | { type: 'reset-after' }
  | { type: 'hang'; applied: boolean }
  | { type: 'webhook-drop' | 'webhook-duplicate' | 'webhook-reorder' };

export type WebhookFault = Extract<Fault['type'], `webhook-${string}`>;

export interface FaultMatch {
  method?: string;
  path?: string;
  nth?: number;
  times?: number;
  probability?: number;
}

interface Rule {
  id: string;
  match: FaultMatch;
  fault: Fault;
  path: RegExp | undefined;
  left: number;
  seen: number;
  fired: number;
}

/** The faults asked for, in the order of their making: the first that matches a request wins. */
export class Faults {
  private rules: Rule[] = [];

  add(match: FaultMatch, fault: Fault): string {
    const endless = match.times === undefined && (match.probability !== undefined || fault.type === 'delay');
    const id = newSid('FW').slice(2);
    const path = match.path === undefined ? undefined : new RegExp(match.path);
    const left = endless ? Infinity : (match.times ?? 1);
    this.rules.push({ id, match, fault, path, left, seen: 0, fired: 0 });
    return id;
  }

  list(): object[] {
    return this.rules.map(({ id, match, fault, seen, fired }) => ({ id, match, fault, seen, fired }));
  }

  remove(id: string): boolean {
    const before = this.rules.length;
    this.rules = this.rules.filter((rule) => rule.id !== id);
    return this.rules.length < before;
  }

  clear(): void {
    this.rules = [];
  }

  /** What shall happen to a request of a client. */
  forRequest(method: string, url: string): Fault | undefined {
    return this.rules.length === 0 ? undefined : this.take(method, url.replace(/\?.*$/s, ''), false);
  }

  /** What shall happen to a webhook, matched by its own method and path. */
  forWebhook(method: string, path: string): WebhookFault | undefined {
    if (this.rules.length === 0) return undefined;
    return this.take(method, path, true)?.type as WebhookFault | undefined;
  }

  private take(method: string, path: string, webhook: boolean): Fault | undefined {
    for (const rule of this.rules) {
      if (rule.left === 0 || rule.fault.type.startsWith('webhook-') !== webhook) continue;
      if (rule.match.method !== undefined && rule.match.method.toUpperCase() !== method) continue;
      if (rule.path?.test(path) === false) continue;
      rule.seen += 1;
      if (rule.seen < (rule.match.nth ?? 1)) continue;
      if (rule.match.probability !== undefined && Math.random() >= rule.match.probability) continue;
      rule.left -= 1;
      rule.fired += 1;
      return rule.fault;
    }
    return undefined;
  }
}
