import type { Records } from '../store/records.js';
import { newSid } from '../store/sid.js';
import { notFound } from '../api/errors.js';
import type { forms, queries } from '../api/forms.js';
import type { Values } from '../api/parameters.js';
import type { Call, Plan } from './call.js';
import { fresh, ofService, refuseEmpty, touched } from './call.js';
import type { Listing } from './listing.js';
import { oldestFirst } from './listing.js';

/** Push credentials (their secrets are write-only, and the sandbox pushes nothing) and bindings. */
export function fetchCredential({ store, path, where }: Call): Records['credential'] {
  const found = store.get('credential', path['Sid'] ?? '');
  if (found === undefined) throw notFound(where);
  return found;
}

export function listCredentials({ store }: Call): Listing {
  return oldestFirst('credential', store.children('credential', ''));
}

const flag = (value: boolean): 'True' | 'False' => (value ? 'True' : 'False');

export function createCredential({ form, clock }: Call<Values<(typeof forms)['credentialCreate']>>): Plan {
  const record: Records['credential'] = {
    ...fresh(newSid('CR'), clock.now()),
    friendly_name: form.FriendlyName ?? null,
    type: form.Type,
    sandbox: flag(form.Sandbox ?? false),
  };
  return { changes: [{ kind: 'credential', record }], answer: record };
}

export function updateCredential(call: Call<Values<(typeof forms)['credentialUpdate']>>): Plan {
  const { form, clock } = call;
  refuseEmpty(form);
  const before = fetchCredential(call);
  const record: Records['credential'] = {
    ...before,
    ...touched(before, clock.now()),
    friendly_name: form.FriendlyName ?? before.friendly_name,
    type: form.Type ?? before.type,
    sandbox: form.Sandbox === undefined ? before.sandbox : flag(form.Sandbox),
  };
  return { changes: [{ kind: 'credential', record }], answer: record };
}

export function deleteCredential(call: Call): Plan {
  return { changes: [{ kind: 'credential', sid: fetchCredential(call).sid }] };
}

export const fetchBinding = (call: Call): Records['binding'] => ofService(call, 'binding');

export function listBindings(call: Call<object, Values<(typeof queries)['bindings']>>): Listing {
  const { store, service, query } = call;
  const { BindingType: types, Identity: identities } = query;
  return {
    ...oldestFirst('binding', store.children('binding', service.sid)),
    keep: (record) => {
      const binding = record as Records['binding'];
      return (
        (types === undefined || types.includes(binding.binding_type)) &&
        (identities === undefined || identities.includes(binding.identity))
      );
    },
  };
}

export function deleteBinding(call: Call): Plan {
  return { changes: [{ kind: 'binding', sid: fetchBinding(call).sid }] };
}
