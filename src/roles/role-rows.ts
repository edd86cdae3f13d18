import { Injectable } from '@nestjs/common';
import { PRESET_PERMISSIONS, type Preset } from '../chat-services/presets.js';
import { Database, type Queryable } from '../database/database.js';
import type { Lease } from '../reconciler/lease.js';
import type { RoleType } from '../twilio/twilio.types.js';

/** A role that came through us: a preset, or one that a caller has made. */
export interface KnownRole {
  id: string;
  /** Null until Twilio has it. */
  twilioSid: string | null;
  preset: Preset | null;
  type: RoleType;
  friendlyName: string;
  /** Those that it was made with: what it has by now is at Twilio. */
  permissions: readonly string[];
  createdAt: Date;
}

/** A role that a caller has made, whether or not it was deleted since. */
export interface CustomRole extends KnownRole {
  deleted: boolean;
}

interface Row extends Omit<CustomRole, 'permissions'> {
  permissions: string[] | null;
}

const CUSTOM = `
  select id, twilio_sid as "twilioSid", null::text as preset, type, friendly_name as "friendlyName", permissions,
    created_at as "createdAt", deleted_at is not null as deleted
  from custom_roles where service_id = $1`;

const PRESET = `
  select id, twilio_sid, preset, 'conversation', preset, null, created_at, false from roles where service_id = $1`;

/** A change of roles, fenced by the lease of the chat service: whoever remembers permissions is told. */
const FENCED = `
  fence as (
    update chat_services set roles_version = roles_version + 1 where id = $1 and lease_token = $2 returning id)`;

/** The rows of roles. A deleted one is kept for a day, so that a creation that lands late is known for what it is. */
@Injectable()
export class RoleRows {
  constructor(private readonly database: Database) {}

  /** All that stand. */
  async known(serviceId: string): Promise<KnownRole[]> {
    const rows = await this.database.query<Row>('roles.known', `${CUSTOM} union all ${PRESET}`, [serviceId]);
    return rows.filter(({ deleted }) => !deleted).map(complete);
  }

  /** Those that callers have made, deleted ones too. */
  async custom(serviceId: string): Promise<CustomRole[]> {
    return (await this.database.query<Row>('roles.custom', CUSTOM, [serviceId])).map(complete);
  }

  async insert(tx: Queryable, serviceId: string, role: KnownRole): Promise<void> {
    await tx.query(
      'roles.insert',
      `insert into custom_roles (id, service_id, type, friendly_name, permissions, created_at)
      values ($1, $2, $3, $4, $5, $6)`,
      [role.id, serviceId, role.type, role.friendlyName, role.permissions, role.createdAt],
    );
  }

  /** Twilio has it. */
  async made(lease: Lease, id: string, twilioSid: string): Promise<void> {
    await this.fenced(
      lease,
      'roles.made',
      `with ${FENCED}, made as (
        update custom_roles set twilio_sid = $4, deleted_at = null from fence
        where service_id = fence.id and custom_roles.id = $3)
      select id from fence`,
      [id, twilioSid],
    );
  }

  /** Its permissions are others now. */
  async changed(lease: Lease): Promise<void> {
    await this.fenced(lease, 'roles.changed', `with ${FENCED} select id from fence`, []);
  }

  /** Twilio has it no longer, or refused it. `named` is our id or the `RL…`. */
  async gone(lease: Lease, named: string): Promise<void> {
    await this.fenced(
      lease,
      'roles.gone',
      `with ${FENCED}, gone as (
        update custom_roles set deleted_at = now() from fence
        where service_id = fence.id and (custom_roles.id::text = $3 or twilio_sid = $3) and deleted_at is null),
      forgotten as (
        delete from custom_roles using fence
        where service_id = fence.id and deleted_at < now() - interval '1 day')
      select id from fence`,
      [named],
    );
  }

  private async fenced(lease: Lease, name: string, sql: string, values: unknown[]): Promise<void> {
    lease.assertHeld(await this.database.query(name, sql, [lease.id, lease.token, ...values]));
  }
}

function complete(row: Row): CustomRole {
  return { ...row, permissions: row.permissions ?? (row.preset ? PRESET_PERMISSIONS[row.preset] : []) };
}
