import type { Notifications, Records, RoleType, WebhookTarget } from '../store/records.js';
import type { Change } from '../store/store.js';
import { newSid } from '../store/sid.js';
import { fail, notFound } from '../api/errors.js';
import type { forms } from '../api/forms.js';
import type { Values } from '../api/parameters.js';
import type { Call, Plan } from './call.js';
import { fresh } from './call.js';
import type { Listing } from './listing.js';
import { newestFirst } from './listing.js';
import { DEFAULT_ROLES } from './permissions.js';

const NO_WEBHOOKS: WebhookTarget = {
  pre_webhook_url: null,
  post_webhook_url: null,
  method: null,
  filters: null,
  target: 'webhook',
};

/** All push is off in a new service (Twilio). */
function noNotifications(): Notifications {
  const off = { enabled: false, template: null, sound: null };
  return {
    log_enabled: false,
    new_message: { ...off, badge_count_enabled: false, with_media: { enabled: false, template: null } },
    added_to_conversation: { ...off },
    removed_from_conversation: { ...off },
  };
}

/**
 * A service comes with four roles under their legacy names, three of which are its defaults.
 * Which role is which default is our reading of Twilio's description.
 */
export function newService(sid: string, friendly_name: string, now: number): Change[] {
  const roles = DEFAULT_ROLES.map(({ name, type, permissions }): Records['role'] => ({
    ...fresh(newSid('RL'), now),
    chat_service_sid: sid,
    friendly_name: name,
    type,
    permissions: [...permissions],
  }));
  const roleSid = (type: RoleType, name: string): string =>
    roles.find((role) => role.type === type && role.friendly_name === name)?.sid ?? '';
  const service: Records['service'] = {
    ...fresh(sid, now),
    friendly_name,
    default_conversation_creator_role_sid: roleSid('conversation', 'channel admin'),
    default_conversation_role_sid: roleSid('conversation', 'channel user'),
    default_chat_service_role_sid: roleSid('service', 'service user'),
    reachability_enabled: false,
    webhooks: NO_WEBHOOKS,
    notifications: noNotifications(),
  };
  return [{ kind: 'service', record: service }, ...roles.map((record): Change => ({ kind: 'role', record }))];
}

/** What an account without history holds: its configuration and its default service. */
export function newAccount(
  sid: string,
  serviceSid: string,
  messagingServiceSid: string,
  now: number,
): Change[] {
  const account: Records['account'] = {
    ...fresh(sid, now),
    default_chat_service_sid: serviceSid,
    default_messaging_service_sid: messagingServiceSid,
    default_inactive_timer: null,
    default_closed_timer: null,
    webhooks: { ...NO_WEBHOOKS, method: 'POST', filters: [] },
  };
  return [
    { kind: 'account', record: account },
    ...newService(serviceSid, 'Default Conversations Service', now),
  ];
}

export function serviceInPath({ store, path, where }: Call): Records['service'] {
  const found = store.get('service', path['Sid'] ?? '');
  if (found === undefined) throw notFound(where);
  return found;
}

export const fetchService = serviceInPath;

export function listServices({ store }: Call): Listing {
  return newestFirst('service', store.children('service', ''));
}

export function createService({ form, clock }: Call<Values<(typeof forms)['serviceCreate']>>): Plan {
  const changes = newService(newSid('IS'), form.FriendlyName, clock.now());
  return { changes, answer: changes[0]?.record };
}

/** Whether Twilio lets the default service go could not be verified; here it stays. */
export function deleteService(call: Call): Plan {
  const { sid } = serviceInPath(call);
  if (call.store.get('account', call.config.accountSid)?.default_chat_service_sid === sid) {
    throw fail(20001, `Service ${sid} is the account's default and cannot be deleted`);
  }
  return { changes: [{ kind: 'service', sid }] };
}
