import { Injectable, type OnModuleInit } from '@nestjs/common';
import { ChatServiceWishes, type ChatServiceWork } from '../chat-services/chat-service-wishes.service.js';
import { ChatServicesService } from '../chat-services/chat-services.service.js';
import { namesakes, PresetRoles } from '../chat-services/preset-roles.service.js';
import { twilioName } from '../chat-services/twilio-name.js';
import { AppError } from '../common/errors/app-error.js';
import { Database } from '../database/database.js';
import type { Lease } from '../reconciler/lease.js';
import { endWith, endWithProblem } from '../reconciler/wish-ends.js';
import type { OpenWish, SettledWish } from '../reconciler/wish-store.js';
import { toAppError } from '../twilio/to-app-error.js';
import { TwilioError } from '../twilio/twilio-error.js';
import { TwilioGateway } from '../twilio/twilio.gateway.js';
import type { At, UpstreamRole } from '../twilio/twilio.types.js';
import { RoleDriftResponse, RoleResponse } from './role.dto.js';
import { RoleRows, type CustomRole } from './role-rows.js';

/** Kinds of wishes about roles. */
export const ROLE_WISHES = ['create_role', 'update_role', 'delete_role', 'repair_roles'] as const;

export type RoleWishKind = (typeof ROLE_WISHES)[number];

/** What a wish about one role says. */
export interface RoleWish {
  /** Our id, or the `RL…` of a role that did not come through us: wishes about one role keep their order. */
  about: string;
  /** Of a change: the whole list. */
  permissions?: string[];
}

/** Of the changes that were settled so long ago nothing is on its way any more. */
const LAST_CHANGES = `
  select distinct on (payload ->> 'about') payload ->> 'about' as about, payload -> 'permissions' as permissions
  from wishes
  where aggregate_id = $1 and kind = 'update_role' and status = 200 and settled_at > now() - interval '1 hour'
  order by payload ->> 'about', position desc nulls last, id desc`;

/** Fulfils what is wished of roles, under the lease of their chat service. Roles have no unique name at Twilio. */
@Injectable()
export class RoleWishes implements ChatServiceWork, OnModuleInit {
  readonly kinds = ROLE_WISHES;

  constructor(
    private readonly database: Database,
    private readonly gateway: TwilioGateway,
    private readonly rows: RoleRows,
    private readonly presets: PresetRoles,
    private readonly services: ChatServicesService,
    private readonly wishes: ChatServiceWishes,
  ) {}

  onModuleInit(): void {
    this.wishes.register(this);
  }

  async fulfil(lease: Lease, at: At, wish: OpenWish): Promise<SettledWish> {
    const payload = wish.payload as unknown as RoleWish;
    try {
      switch (wish.kind as RoleWishKind) {
        case 'create_role':
          return await this.create(lease, at, payload);
        case 'update_role':
          return await this.update(lease, at, payload);
        case 'delete_role':
          return await this.remove(lease, at, payload);
        case 'repair_roles':
          return await this.repair(lease, at);
      }
    } catch (error) {
      if (error instanceof AppError) return endWithProblem(wish, error);
      if (!(error instanceof TwilioError) || error.kind !== 'refused') throw error;
      if (wish.kind === 'create_role') await this.rows.gone(lease, payload.about);
      return endWithProblem(wish, toAppError(error));
    }
  }

  /** Removes what creations have made a second time or after a deletion, and sends the last change again. */
  async lookForLateLandings(lease: Lease, at: At): Promise<void> {
    const roles = await this.gateway.listRoles(at);
    const custom = await this.rows.custom(lease.id);
    for (const row of custom) {
      if (row.twilioSid === null && !row.deleted) continue;
      for (const { sid } of namesakes(roles, row.type, twilioName(row.friendlyName, row.id)))
        if (row.deleted || sid !== row.twilioSid) await this.gateway.deleteRole(at, sid);
    }
    const last = await this.database.query<{ about: string; permissions: string[] }>(
      'roles.last-changes',
      LAST_CHANGES,
      [lease.id],
    );
    for (const { about, permissions } of last) {
      const sid = sidOf(about, custom);
      const role = roles.find((one) => one.sid === sid);
      if (!role || sameNames(role.permissions, permissions)) continue;
      await this.gateway.updateRole(at, role.sid, permissions);
      await this.rows.changed(lease);
    }
  }

  private async create(lease: Lease, at: At, { about: id }: RoleWish): Promise<SettledWish> {
    const row = (await this.rows.custom(lease.id)).find((one) => one.id === id);
    if (!row) throw new AppError('not_found');
    const friendlyName = twilioName(row.friendlyName, id);
    const { type, permissions } = row;
    const [found] = namesakes(await this.gateway.listRoles(at), type, friendlyName);
    const role =
      found ?? (await this.gateway.createRole(at, { friendlyName, type, permissions: [...permissions] }));
    await this.rows.made(lease, id, role.sid);
    return endWith(201, RoleResponse.from(role, row));
  }

  private async update(lease: Lease, at: At, { about, permissions = [] }: RoleWish): Promise<SettledWish> {
    const custom = await this.rows.custom(lease.id);
    const sid = sidOf(about, custom);
    const role = sid === null ? null : await this.updated(at, sid, permissions);
    if (!role) throw missing();
    await this.rows.changed(lease);
    return endWith(
      200,
      RoleResponse.from(
        role,
        custom.find((one) => one.twilioSid === sid),
      ),
    );
  }

  /** Null when Twilio does not have it. */
  private async updated(at: At, sid: string, permissions: string[]): Promise<UpstreamRole | null> {
    try {
      return await this.gateway.updateRole(at, sid, permissions);
    } catch (error) {
      // A missing role is known by codes that mean a wrong parameter elsewhere, and by this status.
      const understood = error instanceof TwilioError && ['not_found', 'refused'].includes(error.kind);
      if (understood && error.status === 404) return null;
      throw error;
    }
  }

  private async remove(lease: Lease, at: At, { about }: RoleWish): Promise<SettledWish> {
    const sid = sidOf(about, await this.rows.custom(lease.id));
    if (sid !== null) await this.gateway.deleteRole(at, sid);
    await this.rows.gone(lease, about);
    return endWith(204, null);
  }

  private async repair(lease: Lease, at: At): Promise<SettledWish> {
    await this.presets.repair(lease, at);
    await this.rows.changed(lease);
    this.services.forgetReady(lease.id);
    return endWith(200, RoleDriftResponse.from(await this.presets.drift(lease.id, at)));
  }
}

/** Null for one of ours that Twilio does not have. */
function sidOf(about: string, custom: CustomRole[]): string | null {
  return about.startsWith('RL') ? about : (custom.find(({ id }) => id === about)?.twilioSid ?? null);
}

function sameNames(some: readonly string[], others: readonly string[]): boolean {
  return some.length === others.length && some.every((name) => others.includes(name));
}

const missing = (): AppError => new AppError('not_found', { detail: 'There is no such role.' });
