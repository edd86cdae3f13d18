import type { Notifications, Records, WebhookTarget } from '../store/records.js';
import { fail, notFound } from '../api/errors.js';
import type { forms } from '../api/forms.js';
import type { Values } from '../api/parameters.js';
import type { Call, Plan } from './call.js';
import { refuseEmpty } from './call.js';
import { roleFor } from './roles.js';

type Form<K extends keyof typeof forms> = Values<(typeof forms)[K]>;

export function account({ store, config, where }: Call): Records['account'] {
  const found = store.get('account', config.accountSid);
  if (found === undefined) throw notFound(where);
  return found;
}

export const thisService = ({ service }: Call): Records['service'] => service;

export function updateConfiguration(call: Call<Form<'configuration'>>): Plan {
  const { form, store, clock } = call;
  refuseEmpty(form);
  const before = account(call);
  const service = form.DefaultChatServiceSid ?? before.default_chat_service_sid;
  if (store.get('service', service) === undefined) throw fail(20001, `Service ${service} does not exist`);
  const record: Records['account'] = {
    ...before,
    date_updated: clock.now(),
    default_chat_service_sid: service,
    default_messaging_service_sid: form.DefaultMessagingServiceSid ?? before.default_messaging_service_sid,
    default_inactive_timer: kept(form.DefaultInactiveTimer, before.default_inactive_timer),
    default_closed_timer: kept(form.DefaultClosedTimer, before.default_closed_timer),
  };
  return { changes: [{ kind: 'account', record }], answer: record };
}

const kept = <T>(given: T | undefined, before: T): T => (given === undefined ? before : given);

export function updateServiceConfiguration(call: Call<Form<'serviceConfiguration'>>): Plan {
  const { form, store, service } = call;
  refuseEmpty(form);
  const creator = form.DefaultConversationCreatorRoleSid;
  const member = form.DefaultConversationRoleSid;
  const user = form.DefaultChatServiceRoleSid;
  if (creator !== undefined) roleFor(store, service.sid, creator, 'conversation', 50106);
  if (member !== undefined) roleFor(store, service.sid, member, 'conversation', 50109);
  if (user !== undefined) roleFor(store, service.sid, user, 'service', 50102);
  return changedService(call, {
    default_conversation_creator_role_sid: creator ?? service.default_conversation_creator_role_sid,
    default_conversation_role_sid: member ?? service.default_conversation_role_sid,
    default_chat_service_role_sid: user ?? service.default_chat_service_role_sid,
    reachability_enabled: form.ReachabilityEnabled ?? service.reachability_enabled,
  });
}

function changedService({ service, clock }: Call, fields: Partial<Records['service']>): Plan {
  const record = { ...service, date_updated: clock.now(), ...fields };
  return { changes: [{ kind: 'service', record }], answer: record };
}

export function updateConfigurationWebhook(call: Call<Form<'configurationWebhook'>>): Plan {
  refuseEmpty(call.form);
  const before = account(call);
  const webhooks = {
    ...target(call.form, before.webhooks),
    target: call.form.Target ?? before.webhooks.target,
  };
  const record = { ...before, date_updated: call.clock.now(), webhooks };
  return { changes: [{ kind: 'account', record }], answer: record };
}

export function updateServiceWebhook(call: Call<Form<'serviceWebhook'>>): Plan {
  refuseEmpty(call.form);
  return changedService(call, { webhooks: target(call.form, call.service.webhooks) });
}

/** An empty URL takes the target away; a target without method is called with POST. */
function target(form: Form<'serviceWebhook'>, before: WebhookTarget): WebhookTarget {
  return {
    pre_webhook_url: form.PreWebhookUrl === undefined ? before.pre_webhook_url : form.PreWebhookUrl || null,
    post_webhook_url:
      form.PostWebhookUrl === undefined ? before.post_webhook_url : form.PostWebhookUrl || null,
    method: form.Method ?? before.method ?? 'POST',
    filters: form.Filters ?? before.filters ?? [],
    target: before.target,
  };
}

export function updateNotifications(call: Call<Form<'notifications'>>): Plan {
  const { form, service } = call;
  refuseEmpty(form);
  const { new_message, added_to_conversation, removed_from_conversation, log_enabled } =
    service.notifications;
  const notifications: Notifications = {
    log_enabled: form.LogEnabled ?? log_enabled,
    new_message: {
      enabled: form['NewMessage.Enabled'] ?? new_message.enabled,
      template: form['NewMessage.Template'] ?? new_message.template,
      sound: form['NewMessage.Sound'] ?? new_message.sound,
      badge_count_enabled: form['NewMessage.BadgeCountEnabled'] ?? new_message.badge_count_enabled,
      with_media: {
        enabled: form['NewMessage.WithMedia.Enabled'] ?? new_message.with_media.enabled,
        template: form['NewMessage.WithMedia.Template'] ?? new_message.with_media.template,
      },
    },
    added_to_conversation: {
      enabled: form['AddedToConversation.Enabled'] ?? added_to_conversation.enabled,
      template: form['AddedToConversation.Template'] ?? added_to_conversation.template,
      sound: form['AddedToConversation.Sound'] ?? added_to_conversation.sound,
    },
    removed_from_conversation: {
      enabled: form['RemovedFromConversation.Enabled'] ?? removed_from_conversation.enabled,
      template: form['RemovedFromConversation.Template'] ?? removed_from_conversation.template,
      sound: form['RemovedFromConversation.Sound'] ?? removed_from_conversation.sound,
    },
  };
  return changedService(call, { notifications });
}
