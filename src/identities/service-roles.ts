import { Injectable } from '@nestjs/common';
import type { Caller } from '../access/caller.js';
import { holdsScope } from '../access/scopes.js';
import { AppError } from '../common/errors/app-error.js';
import type { Command } from '../common/http/command.js';
import type { Reply } from '../common/http/reply.js';
import type { Queryable } from '../database/database.js';
import { Commands } from '../reconciler/commands.js';
import { Reconciler } from '../reconciler/reconciler.js';
import { RolesService } from '../roles/roles.service.js';
import { IdentityResponse } from './identity.dto.js';
import type { IdentityEntity } from './identity.entity.js';
import { IDENTITY } from './identity-wishes.service.js';

/** The kind of wish that gives a service role. */
export const SERVICE_ROLE = 'service_role';

/** What a wish for a service role says. `created`: the identity is made with it. */
export interface ServiceRoleWish {
  role: string;
  roleSid: string;
  created: boolean;
}

/** Service roles of identities: what their Users may do in the whole chat service, with an access token. */
@Injectable()
export class ServiceRoles {
  constructor(
    private readonly commands: Commands,
    private readonly reconciler: Reconciler,
    private readonly roles: RolesService,
  ) {}

  /**
   * Wishes the role for the identity, which `insert` writes where it is not written yet. A role reaches over the whole
   * chat service, so that `roles:write` is asked for.
   */
  async wish(
    command: Command,
    caller: Caller,
    entity: IdentityEntity,
    name: string,
    insert?: (tx: Queryable) => Promise<void>,
  ): Promise<Reply> {
    if (!holdsScope(caller.scopes, 'roles:write')) {
      throw new AppError('missing_scope', { detail: 'The API key lacks the scope roles:write.' });
    }
    const { serviceId, id } = entity;
    return this.commands.orReplay(command, serviceId, async () => {
      const field = insert ? 'serviceRole' : 'role';
      const { name: role, sid: roleSid } = await this.roles.resolveServiceRole(serviceId, field, name);
      const payload: ServiceRoleWish = { role, roleSid, created: insert !== undefined };
      return this.commands.fulfil(command, {
        serviceId,
        aggregate: IDENTITY,
        aggregateId: id,
        kind: SERVICE_ROLE,
        payload,
        location: `/v1/identities/${id}`,
        write: async (tx) => {
          await insert?.(tx);
          return this.reconciler.takeUp(tx, IDENTITY, id);
        },
        pending: () => Promise.resolve(IdentityResponse.from(entity, [])),
      });
    });
  }
}
