import type { Records, RoleType } from '../store/records.js';
import { newSid } from '../store/sid.js';
import type { Store } from '../store/store.js';
import type { ErrorCode } from '../api/errors.js';
import { fail } from '../api/errors.js';
import type { forms } from '../api/forms.js';
import type { Values } from '../api/parameters.js';
import type { Call, Plan } from './call.js';
import { fresh, ofService, touched } from './call.js';
import type { Listing } from './listing.js';
import { oldestFirst } from './listing.js';
import { PERMISSIONS } from './permissions.js';

function checkPermissions(type: RoleType, permissions: string[]): string[] {
  for (const permission of permissions) {
    if (!PERMISSIONS[type].has(permission)) throw fail(50104, `Unknown ${type} permission ${permission}`);
  }
  return [...new Set(permissions)];
}

/** A role that is given to a user, a participant or a default must exist here and be of the right type. */
export function roleFor(
  store: Store,
  serviceSid: string,
  sid: string,
  type: RoleType,
  unknown: ErrorCode,
): string {
  const role = store.get('role', sid);
  if (role === undefined || role.chat_service_sid !== serviceSid)
    throw fail(unknown, `Role ${sid} not found`);
  if (role.type !== type) throw fail(50205, `Role ${sid} is of type ${role.type}, not ${type}`);
  return sid;
}

export const fetchRole = (call: Call): Records['role'] => ofService(call, 'role');

export function listRoles({ store, service }: Call): Listing {
  return oldestFirst('role', store.children('role', service.sid));
}

export function createRole({ form, service, clock }: Call<Values<(typeof forms)['roleCreate']>>): Plan {
  const record: Records['role'] = {
    ...fresh(newSid('RL'), clock.now()),
    chat_service_sid: service.sid,
    friendly_name: form.FriendlyName,
    type: form.Type,
    permissions: checkPermissions(form.Type, form.Permission),
  };
  return { changes: [{ kind: 'role', record }], answer: record };
}

/** Replaces the whole list of permissions; name and type cannot be changed (Twilio). */
export function updateRole(call: Call<Values<(typeof forms)['roleUpdate']>>): Plan {
  const role = fetchRole(call);
  const permissions = checkPermissions(role.type, call.form.Permission);
  const record = { ...role, ...touched(role, call.clock.now()), permissions };
  return { changes: [{ kind: 'role', record }], answer: record };
}

/** Whether Twilio lets a default role go could not be verified; here it stays while it is a default. */
export function deleteRole(call: Call): Plan {
  const { sid } = fetchRole(call);
  const { service } = call;
  const defaults = [
    service.default_chat_service_role_sid,
    service.default_conversation_creator_role_sid,
    service.default_conversation_role_sid,
  ];
  if (defaults.includes(sid))
    throw fail(20001, `Role ${sid} is a default of its service and cannot be deleted`);
  return { changes: [{ kind: 'role', sid }] };
}
