import { Injectable } from '@nestjs/common';
import type { Caller } from '../access/caller.js';
import { CHAT_SERVICE } from '../chat-services/chat-service-wishes.service.js';
import { isPreset } from '../chat-services/presets.js';
import { AppError } from '../common/errors/app-error.js';
import type { Command } from '../common/http/command.js';
import { Reply } from '../common/http/reply.js';
import { newId } from '../common/new-id.js';
import type { Queryable } from '../database/database.js';
import { Commands } from '../reconciler/commands.js';
import { Reconciler } from '../reconciler/reconciler.js';
import { assertPermissions } from './permissions.js';
import { RoleDriftResponse, RoleResponse, type CreateRoleDto, type UpdateRoleDto } from './role.dto.js';
import { RoleDirectory, shown, type FoundRole } from './role-directory.js';
import { RoleRows, type KnownRole } from './role-rows.js';
import type { RoleWish, RoleWishKind } from './role-wishes.js';

interface RoleCommand {
  kind: RoleWishKind;
  payload: RoleWish | object;
  location: string;
  insert?: (tx: Queryable) => Promise<void>;
  pending: object;
}

/** Changes of roles. Each is a wish under the lease of the chat service; they are fulfilled in their order. */
@Injectable()
export class RoleCommands {
  constructor(
    private readonly commands: Commands,
    private readonly reconciler: Reconciler,
    private readonly directory: RoleDirectory,
    private readonly rows: RoleRows,
  ) {}

  /** Its `Location` has our id: Twilio's is not known yet when the wish is written. */
  async create(command: Command, caller: Caller, body: CreateRoleDto): Promise<Reply> {
    const { friendlyName, type, permissions } = body;
    assertPermissions(type, permissions);
    assertNotTaken(body);
    const id = newId();
    const role: KnownRole = {
      ...{ id, friendlyName, type, permissions },
      twilioSid: null,
      preset: null,
      createdAt: new Date(),
    };
    return this.run(command, caller, {
      kind: 'create_role',
      payload: { about: id },
      location: `/v1/roles/${id}`,
      insert: (tx) => this.rows.insert(tx, caller.serviceId, role),
      pending: RoleResponse.pending(role),
    });
  }

  /** Twilio can change the permissions alone, and replaces them whole. */
  async update(command: Command, caller: Caller, path: string, body: UpdateRoleDto): Promise<Reply> {
    const found = await this.directory.find(caller.serviceId, path);
    const role = shown(found);
    if (body.permissions === undefined) return new Reply(200, role);
    assertNoPreset(role);
    assertPermissions(role.type, body.permissions);
    return this.run(command, caller, {
      kind: 'update_role',
      payload: { about: about(found), permissions: body.permissions },
      location: `/v1/roles/${about(found)}`,
      pending: role,
    });
  }

  /** Twilio decides whether one that is in use may go. */
  async remove(command: Command, caller: Caller, path: string): Promise<Reply> {
    const found = await this.directory.find(caller.serviceId, path);
    const role = shown(found);
    assertNoPreset(role);
    return this.run(command, caller, {
      kind: 'delete_role',
      payload: { about: about(found) },
      location: `/v1/roles/${about(found)}`,
      pending: role,
    });
  }

  /** Gives the presets at Twilio back what they should have. */
  repair(command: Command, caller: Caller): Promise<Reply> {
    return this.run(command, caller, {
      kind: 'repair_roles',
      payload: {},
      location: '/v1/roles/drift',
      pending: RoleDriftResponse.underWay(),
    });
  }

  private run(command: Command, { serviceId }: Caller, spec: RoleCommand): Promise<Reply> {
    const { kind, payload, location, insert, pending } = spec;
    return this.commands.fulfil(command, {
      serviceId,
      aggregate: CHAT_SERVICE,
      aggregateId: serviceId,
      kind,
      payload,
      location,
      write: async (tx) => {
        await insert?.(tx);
        return this.reconciler.takeUp(tx, CHAT_SERVICE, serviceId);
      },
      pending: () => Promise.resolve(pending),
    });
  }
}

function about({ known, upstream }: FoundRole): string {
  return known?.id ?? upstream?.sid ?? '';
}

/** A preset means the same in every chat service. */
function assertNoPreset({ preset }: RoleResponse): void {
  if (preset === null) return;
  throw new AppError('role_is_preset', {
    detail: `The role ${preset} is a preset: it is neither changed nor deleted, only repaired.`,
  });
}

/** Where a role is named, the names of presets and sids are taken. */
function assertNotTaken({ friendlyName, type }: CreateRoleDto): void {
  if (type === 'conversation' && isPreset(friendlyName))
    throw AppError.invalid('friendlyName', 'is the name of a preset');
  if (/^RL[0-9a-fA-F]{32}$/.test(friendlyName))
    throw AppError.invalid('friendlyName', 'must not look like the sid of a role');
}
