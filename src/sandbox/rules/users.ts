import type { Records } from '../store/records.js';
import { looksLikeSid, newSid } from '../store/sid.js';
import type { Change, Store } from '../store/store.js';
import { fail } from '../api/errors.js';
import type { forms } from '../api/forms.js';
import type { Values } from '../api/parameters.js';
import type { Call, Plan } from './call.js';
import { refuseEmpty, touched, userOf } from './call.js';
import type { Listing } from './listing.js';
import { oldestFirst } from './listing.js';
import { roleFor } from './roles.js';

export function checkIdentity(identity: string): void {
  if (looksLikeSid('US', identity)) throw fail(50206, `Identity ${identity} looks like a User SID`);
}

export function newUser(service: Records['service'], identity: string, now: number): Records['user'] {
  return {
    sid: newSid('US'),
    date_created: now,
    date_updated: now,
    created_event_id: 0,
    event_id: 0,
    chat_service_sid: service.sid,
    identity,
    friendly_name: null,
    attributes: '{}',
    role_sid: service.default_chat_service_role_sid,
  };
}

/** Whoever joins a conversation becomes a user of its service, if they were none. */
export function userChanges(
  store: Store,
  service: Records['service'],
  identity: string,
  now: number,
): Change[] {
  if (store.userByIdentity(service.sid, identity) !== undefined) return [];
  return [{ kind: 'user', record: newUser(service, identity, now) }];
}

export const fetchUser = (call: Call): Records['user'] => userOf(call, 'Sid');

export function listUsers({ store, service }: Call): Listing {
  return oldestFirst('user', store.children('user', service.sid));
}

export function createUser(call: Call<Values<(typeof forms)['userCreate']>>): Plan {
  const { store, service, form, clock } = call;
  checkIdentity(form.Identity);
  if (store.userByIdentity(service.sid, form.Identity) !== undefined) {
    throw fail(50201, `User with identity ${form.Identity} already exists`);
  }
  const record = { ...newUser(service, form.Identity, clock.now()), ...userFields(call) };
  return { changes: [{ kind: 'user', record }], answer: record };
}

export function updateUser(call: Call<Values<(typeof forms)['userUpdate']>>): Plan {
  refuseEmpty(call.form);
  const user = fetchUser(call);
  const record = { ...user, ...touched(user, call.clock.now()), ...userFields(call) };
  return { changes: [{ kind: 'user', record }], answer: record, intent: { event: 'onUserUpdate', record } };
}

function userFields({
  store,
  service,
  form,
}: Call<Values<(typeof forms)['userUpdate']>>): Partial<Records['user']> {
  return {
    ...(form.FriendlyName === undefined ? {} : { friendly_name: form.FriendlyName }),
    ...(form.Attributes === undefined ? {} : { attributes: form.Attributes }),
    ...(form.RoleSid === undefined
      ? {}
      : { role_sid: roleFor(store, service.sid, form.RoleSid, 'service', 50102) }),
  };
}

/** That a deleted user leaves every conversation could not be verified: our choice. */
export function deleteUser(call: Call): Plan {
  const user = fetchUser(call);
  const memberships = call.store.indexes.memberships.all(user.chat_service_sid, user.identity);
  const left = [...memberships].map((sid): Change => ({ kind: 'participant', sid }));
  return { changes: [...left, { kind: 'user', sid: user.sid }] };
}
