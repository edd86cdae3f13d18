import type { Records, ScopedTarget } from '../store/records.js';
import { newSid } from '../store/sid.js';
import { fail } from '../api/errors.js';
import type { forms } from '../api/forms.js';
import type { Values } from '../api/parameters.js';
import type { Call, Plan } from './call.js';
import { childOf, conversationOf, fresh, openConversationOf, refuseEmpty, touched } from './call.js';
import type { Listing } from './listing.js';
import { oldestFirst } from './listing.js';

type CreateForm = Values<(typeof forms)['scopedWebhookCreate']>;
type UpdateForm = Values<(typeof forms)['scopedWebhookUpdate']>;
type Configuration = Records['webhook']['configuration'];

/** Twilio's limits: webhooks a conversation, keywords a trigger. */
const MOST_WEBHOOKS = 5;
const MOST_TRIGGERS = 5;
const EVENT_NAME = /^on[A-Z]\w+$/;

export function fetchScopedWebhook(call: Call): Records['webhook'] {
  return childOf(call, 'webhook', conversationOf(call, 'ConversationSid'));
}

export function listScopedWebhooks(call: Call): Listing {
  const { sid } = conversationOf(call, 'ConversationSid');
  return oldestFirst('webhook', call.store.children('webhook', sid));
}

export function createScopedWebhook(call: Call<CreateForm>): Plan {
  const conversation = openConversationOf(call, 'ConversationSid');
  const { form, store, clock } = call;
  const configuration = configured(form.Target, form, {});
  if (form['Configuration.ReplayAfter'] !== undefined) {
    configuration.replay_after = form['Configuration.ReplayAfter'];
  }
  if (store.children('webhook', conversation.sid).size >= MOST_WEBHOOKS) throw fail(50361);
  const record: Records['webhook'] = {
    ...fresh(newSid('WH'), clock.now()),
    chat_service_sid: conversation.chat_service_sid,
    conversation_sid: conversation.sid,
    target: form.Target,
    configuration,
  };
  return { changes: [{ kind: 'webhook', record }], answer: record };
}

export function updateScopedWebhook(call: Call<UpdateForm>): Plan {
  refuseEmpty(call.form);
  const conversation = openConversationOf(call, 'ConversationSid');
  const before = childOf(call, 'webhook', conversation);
  const configuration = configured(before.target, call.form, before.configuration);
  const record = { ...before, ...touched(before, call.clock.now()), configuration };
  return { changes: [{ kind: 'webhook', record }], answer: record };
}

/** What each target needs: webhook a URL and filters, trigger a URL and keywords, studio a flow. */
function configured(target: ScopedTarget, form: UpdateForm, before: Configuration): Configuration {
  if (target === 'studio') {
    const flow_sid = form['Configuration.FlowSid'] ?? before.flow_sid;
    if (flow_sid === undefined) throw fail(50367, 'Configuration.FlowSid is missing');
    return { ...before, flow_sid, filters: form['Configuration.Filters'] ?? before.filters ?? [] };
  }
  const url = form['Configuration.Url'] ?? before.url;
  if (url === undefined || url === '') throw fail(50369);
  const common: Configuration = {
    ...before,
    url,
    method: form['Configuration.Method'] ?? before.method ?? 'post',
  };
  if (target === 'trigger') {
    const triggers = form['Configuration.Triggers'] ?? before.triggers ?? [];
    if (triggers.length === 0) throw fail(50371);
    if (triggers.length > MOST_TRIGGERS) throw fail(50362);
    return { ...common, triggers, filters: form['Configuration.Filters'] ?? before.filters ?? [] };
  }
  const filters = form['Configuration.Filters'] ?? before.filters ?? [];
  if (filters.length === 0) throw fail(50370);
  const wrong = filters.find((name) => !EVENT_NAME.test(name));
  if (wrong !== undefined) throw fail(50365, `Webhook filter ${wrong} is invalid`);
  return { ...common, filters };
}

export function deleteScopedWebhook(call: Call): Plan {
  const conversation = openConversationOf(call, 'ConversationSid');
  return { changes: [{ kind: 'webhook', sid: childOf(call, 'webhook', conversation).sid }] };
}
