import type { SandboxConfig } from '../config.js';
import type { Faults } from '../control/faults.js';
import type { Records, WebhookTarget } from '../store/records.js';
import type { Applied, Cause, Store } from '../store/store.js';
import { fail } from '../api/errors.js';
import type { Intent } from '../rules/call.js';
import type { Target } from './delivery.js';
import { Delivery } from './delivery.js';
import type { Event } from './events.js';
import { eventsOf } from './events.js';
import type { Said } from './parameters.js';
import { describe } from './parameters.js';

/** What a pre-hook's answer may change, and the parameter it then stands for (Twilio). */
const CHANGEABLE: Record<string, Record<string, string>> = {
  onConversationAdd: { friendly_name: 'FriendlyName' },
  onConversationUpdate: { friendly_name: 'FriendlyName' },
  onMessageAdd: { body: 'Body', author: 'Author', attributes: 'Attributes' },
  onMessageUpdate: { body: 'Body', author: 'Author', attributes: 'Attributes' },
};

/** Tells the configured webhooks what happened, and asks them before it does. */
export class Webhooks {
  private readonly delivery: Delivery;

  constructor(
    private readonly store: Store,
    private readonly config: SandboxConfig,
    faults: Faults,
    private readonly now: () => number,
  ) {
    this.delivery = new Delivery(config, faults);
    store.onCommit((applied, cause, at) => this.tell(applied, cause, at));
  }

  stop(): Promise<void> {
    return this.delivery.stop();
  }

  asks({ event }: Intent, service: Records['service']): boolean {
    const { pre_webhook_url, filters } = this.configured(service);
    return pre_webhook_url !== null && filters?.includes(event) === true;
  }

  /** Twilio: an error status refuses, silence for five seconds lets through, a body may change. */
  async ask(
    intent: Intent,
    service: Records['service'],
    source: Cause['source'],
  ): Promise<Record<string, string>> {
    const { event, record } = intent;
    const target = this.configured(service);
    const kind = /^on(Conversation|Message|Participant|User)/.exec(event)?.[1]?.toLowerCase() as 'message';
    const stage = event.endsWith('Add') ? 'adding' : 'changing';
    const said = describe[kind](record as never, stage, this.store, this.now());
    const form = this.form(event, source, { ...said, ...('inbound' in intent ? intent.inbound : {}) });
    const reply = await this.delivery.call(
      { url: target.pre_webhook_url ?? '', method: target.method ?? 'POST' },
      form,
    );
    if (reply === undefined) return {};
    if (reply.status >= 500) throw fail(50057, `The pre-event webhook answered ${reply.status}`);
    if (reply.status >= 400) throw fail(50056, `The pre-event webhook answered ${reply.status}`);
    return changesIn(reply.body, CHANGEABLE[event] ?? {});
  }

  private tell(applied: readonly Applied[], cause: Cause, at: number): void {
    for (const { kind, before, after } of applied) {
      if (kind === 'webhook' && before === undefined && after !== undefined) this.replay(after);
    }
    if (!cause.hooks) return;
    for (const event of eventsOf(applied, cause, at, this.store)) {
      const form = this.form(event.type, cause.source, event.said);
      const targets = this.targets(event);
      this.store.whenKept(() => targets.forEach((target) => this.delivery.post(target, form)));
    }
  }

  private targets(event: Event): Target[] {
    const service = this.store.get('service', event.service);
    const targets: Target[] = [];
    const { post_webhook_url, method, filters } = this.configured(service);
    if (post_webhook_url !== null && filters?.includes(event.type) === true) {
      targets.push({ url: post_webhook_url, method: method ?? 'POST' });
    }
    if (event.conversation === null) return targets;
    for (const [, sid] of this.store.children('webhook', event.conversation).after()) {
      const webhook = this.store.get('webhook', sid);
      if (webhook !== undefined && wants(webhook, event)) targets.push(targetOf(webhook));
    }
    return targets;
  }

  /** A service that has a webhook of its own replaces the account's (Twilio). */
  private configured(service: Records['service'] | undefined): WebhookTarget {
    const own = service?.webhooks;
    if (own !== undefined && (own.pre_webhook_url !== null || own.post_webhook_url !== null)) return own;
    const account = this.store.get('account', this.config.accountSid)?.webhooks;
    return (
      account ?? {
        pre_webhook_url: null,
        post_webhook_url: null,
        method: null,
        filters: null,
        target: 'webhook',
      }
    );
  }

  /** ReplayAfter: a new webhook hears of the messages after that index (Twilio). */
  private replay(webhook: Records['webhook']): void {
    const after = webhook.configuration.replay_after;
    if (after === undefined) return;
    for (const [, sid] of [...this.store.children('message', webhook.conversation_sid).after()]) {
      const message = this.store.get('message', sid);
      if (message === undefined || message.index <= after) continue;
      const said = describe.message(message, 'added', this.store, this.now());
      const event = { type: 'onMessageAdded', service: '', conversation: webhook.conversation_sid, said };
      if (!wants(webhook, event)) continue;
      this.delivery.post(targetOf(webhook), this.form(event.type, 'API', said));
    }
  }

  private form(type: string, source: Cause['source'], said: Said): Record<string, string> {
    const form: Record<string, string> = {
      AccountSid: this.config.accountSid,
      EventType: type,
      Source: source,
    };
    for (const [name, value] of Object.entries(said)) {
      if (value !== null && value !== undefined) form[name] = String(value);
    }
    return form;
  }
}

/** A trigger wants messages with one of its keywords in them; a Studio flow is never run here. */
function wants({ target, configuration }: Records['webhook'], event: Event): boolean {
  if (target === 'webhook') return configuration.filters?.includes(event.type) === true;
  if (target === 'studio' || event.type !== 'onMessageAdded') return false;
  const body = String(event.said['Body'] ?? '').toLowerCase();
  return configuration.triggers?.some((keyword) => body.includes(keyword.toLowerCase())) === true;
}

const targetOf = ({ configuration }: Records['webhook']): Target => ({
  url: configuration.url ?? '',
  method: configuration.method === 'get' ? 'GET' : 'POST',
});

function changesIn(body: string, changeable: Record<string, string>): Record<string, string> {
  if (body.trim() === '') return {};
  let answer: unknown;
  try {
    answer = JSON.parse(body);
  } catch {
    throw fail(50054, 'The pre-event webhook answered something that is not JSON');
  }
  if (typeof answer !== 'object' || answer === null) throw fail(50054);
  const changes: Record<string, string> = {};
  for (const [key, value] of Object.entries(answer)) {
    const parameter = changeable[key];
    if (parameter === undefined) continue;
    if (typeof value !== 'string') throw fail(50054, `The pre-event webhook answered no text for ${key}`);
    changes[parameter] = value;
  }
  return changes;
}
