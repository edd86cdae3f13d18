import type { RoleResponse } from '../../src/roles/role.dto.js';
import type { ApiClient } from './api-client.js';
import { unique, type TestApp } from './app.js';

export interface TwilioRole {
  sid: string;
  friendly_name: string;
  type: string;
  permissions: string[];
}

/** The body by which a role is made, under a name of its own. */
export const roleBody = (more: object = {}) => ({
  friendlyName: unique('moderator'),
  type: 'conversation',
  permissions: ['sendMessage', 'editAnyMessage'],
  ...more,
});

/** Roles of the application's default chat service, as it and as Twilio have them. */
export function rolesOf(running: TestApp) {
  const path = '/v1/roles';
  const all = async () =>
    (await running.api.get<{ data: RoleResponse[] }>(`${path}?limit=100`, 200)).body.data;
  return {
    path,
    all,
    make: async (more: object = {}, api: ApiClient = running.api) =>
      (await api.post<RoleResponse>(path, roleBody(more), 201)).body,
    atTwilio: (sid: string | null) => running.sandbox.twilio<TwilioRole>(`/v1/Roles/${sid}`),
    preset: async (name: string) => {
      const found = (await all()).find((role) => role.preset === name);
      if (!found) throw new Error(`Nothing is the preset ${name}.`);
      return found;
    },
  };
}
