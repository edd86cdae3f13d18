import type { AutoCreation, Records } from '../store/records.js';
import { looksLikeSid, newSid } from '../store/sid.js';
import { fail, notFound } from '../api/errors.js';
import type { forms, queries } from '../api/forms.js';
import type { Values } from '../api/parameters.js';
import type { Call, Plan } from './call.js';
import { fresh, refuseEmpty, touched } from './call.js';
import type { Listing } from './listing.js';
import { oldestFirst } from './listing.js';

type CreateForm = Values<(typeof forms)['addressCreate']>;
type UpdateForm = Values<(typeof forms)['addressUpdate']>;

const OFF: AutoCreation = {
  enabled: false,
  type: 'default',
  conversation_service_sid: null,
  webhook_url: null,
  webhook_method: null,
  webhook_filters: null,
  studio_flow_sid: null,
  studio_retry_count: null,
};

/** By its sid or by the address itself (Twilio). */
export function fetchAddress({ store, path, where }: Call): Records['address'] {
  const key = path['Sid'] ?? '';
  const sid = looksLikeSid('IG', key) ? key : store.indexes.addressConfigurations.get(key);
  const found = store.get('address', sid ?? '');
  if (found === undefined) throw notFound(where);
  return found;
}

export function listAddresses({
  store,
  query,
}: Call<object, Values<(typeof queries)['addresses']>>): Listing {
  const listing = oldestFirst('address', store.children('address', ''));
  const type = query.Type;
  return type === undefined
    ? listing
    : { ...listing, keep: (record) => (record as Records['address']).type === type };
}

export function createAddress(call: Call<CreateForm>): Plan {
  const { form, store, clock } = call;
  if (store.indexes.addressConfigurations.has(form.Address)) {
    throw fail(20409, `An address configuration for ${form.Address} already exists`);
  }
  const record: Records['address'] = {
    ...fresh(newSid('IG'), clock.now()),
    type: form.Type,
    address: form.Address,
    friendly_name: form.FriendlyName ?? null,
    auto_creation: autoCreation(call, OFF),
    address_country: form.AddressCountry ?? null,
  };
  return { changes: [{ kind: 'address', record }], answer: record };
}

export function updateAddress(call: Call<UpdateForm>): Plan {
  refuseEmpty(call.form);
  const before = fetchAddress(call);
  const record: Records['address'] = {
    ...before,
    ...touched(before, call.clock.now()),
    friendly_name: call.form.FriendlyName ?? before.friendly_name,
    auto_creation: autoCreation(call, before.auto_creation),
  };
  return { changes: [{ kind: 'address', record }], answer: record };
}

function autoCreation({ form, store }: Call<UpdateForm>, before: AutoCreation): AutoCreation {
  const service = form['AutoCreation.ConversationServiceSid'];
  if (service !== undefined && store.get('service', service) === undefined) {
    throw fail(20001, `Service ${service} does not exist`);
  }
  const method = form['AutoCreation.WebhookMethod'];
  return {
    enabled: form['AutoCreation.Enabled'] ?? before.enabled,
    type: form['AutoCreation.Type'] ?? before.type,
    conversation_service_sid: service ?? before.conversation_service_sid,
    webhook_url: form['AutoCreation.WebhookUrl'] ?? before.webhook_url,
    webhook_method: method === undefined ? before.webhook_method : method === 'get' ? 'GET' : 'POST',
    webhook_filters: form['AutoCreation.WebhookFilters'] ?? before.webhook_filters,
    studio_flow_sid: form['AutoCreation.StudioFlowSid'] ?? before.studio_flow_sid,
    studio_retry_count: form['AutoCreation.StudioRetryCount'] ?? before.studio_retry_count,
  };
}

export function deleteAddress(call: Call): Plan {
  return { changes: [{ kind: 'address', sid: fetchAddress(call).sid }] };
}
