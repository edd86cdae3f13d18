import { Injectable } from '@nestjs/common';
import { Database } from '../database/database.js';
import type { Lease } from '../reconciler/lease.js';
import { TwilioGateway } from '../twilio/twilio.gateway.js';
import type { At, UpstreamRole } from '../twilio/twilio.types.js';
import { PRESET_PERMISSIONS, type Preset } from './presets.js';
import { twilioName } from './twilio-name.js';

/** A preset of a chat service. `twilioSid` is null until Twilio has its role. */
export interface PresetRow {
  id: string;
  preset: Preset;
  twilioSid: string | null;
}

/** What Twilio has of a preset, beside what it should have. */
export interface PresetDrift {
  row: PresetRow;
  /** Null: it is missing. */
  role: UpstreamRole | null;
  lacks: string[];
  exceeds: string[];
  /** Others that bear its name: made by calls that landed late. */
  twins: UpstreamRole[];
}

/** The roles at Twilio that stand for the presets. What changes them does so under the lease of the chat service. */
@Injectable()
export class PresetRoles {
  constructor(
    private readonly database: Database,
    private readonly gateway: TwilioGateway,
  ) {}

  rows(serviceId: string): Promise<PresetRow[]> {
    return this.database.query<PresetRow>(
      'chat-services.presets',
      'select id, preset, twilio_sid as "twilioSid" from roles where service_id = $1 order by preset',
      [serviceId],
    );
  }

  /** Compares with what Twilio has, which is asked. */
  async drift(serviceId: string, at: At): Promise<PresetDrift[]> {
    const roles = await this.gateway.listRoles(at);
    return (await this.rows(serviceId)).map((row) => compare(row, roles));
  }

  /** Makes those that were never made. */
  async ensure(lease: Lease, at: At): Promise<void> {
    const rows = await this.rows(lease.id);
    if (rows.every(({ twilioSid }) => twilioSid !== null)) return;
    lease.worked = true;
    const roles = await this.gateway.listRoles(at);
    for (const row of rows) if (row.twilioSid === null) await this.give(lease, at, row, roles);
  }

  /** Makes what is missing again, gives each its permissions, and removes twins. */
  async repair(lease: Lease, at: At): Promise<void> {
    const roles = await this.gateway.listRoles(at);
    for (const row of await this.rows(lease.id)) {
      const sid = compare(row, roles).role?.sid ?? (await this.give(lease, at, row, roles));
      // Null: it was made just now.
      const { role, lacks, exceeds, twins } = compare({ ...row, twilioSid: sid }, roles);
      if (role && lacks.length + exceeds.length > 0)
        await this.gateway.updateRole(at, sid, [...PRESET_PERMISSIONS[row.preset]]);
      for (const twin of twins) await this.gateway.deleteRole(at, twin.sid);
    }
  }

  /** A look for late landings: what bears a name of ours, and is not the one that we recorded, goes. */
  async removeTwins(lease: Lease, at: At): Promise<void> {
    for (const { row, twins } of await this.drift(lease.id, at)) {
      if (row.twilioSid === null) continue;
      for (const twin of twins) await this.gateway.deleteRole(at, twin.sid);
    }
  }

  /** Finds the role that an earlier try may have made, or makes it. Answers its sid. */
  private async give(lease: Lease, at: At, row: PresetRow, roles: UpstreamRole[]): Promise<string> {
    const friendlyName = twilioName(row.preset, row.id);
    const permissions = [...PRESET_PERMISSIONS[row.preset]];
    const role =
      namesakes(roles, 'conversation', friendlyName)[0] ??
      (await this.gateway.createRole(at, { friendlyName, type: 'conversation', permissions }));
    const rows = await this.database.query(
      'chat-services.role-made',
      `update roles set twilio_sid = $4
      where id = $3 and exists (select from chat_services where id = $1 and lease_token = $2) returning id`,
      [lease.id, lease.token, row.id, role.sid],
    );
    lease.assertHeld(rows);
    return role.sid;
  }
}

function compare(row: PresetRow, roles: UpstreamRole[]): PresetDrift {
  const named = namesakes(roles, 'conversation', twilioName(row.preset, row.id));
  const role = named.find(({ sid }) => sid === row.twilioSid) ?? null;
  const wanted = PRESET_PERMISSIONS[row.preset];
  const has = role?.permissions ?? [];
  return {
    row,
    role,
    lacks: role ? wanted.filter((name) => !has.includes(name)) : [],
    exceeds: has.filter((name) => !wanted.includes(name)),
    twins: named.filter(({ sid }) => sid !== row.twilioSid),
  };
}

/** Those that bear the name, oldest first: Twilio lets any number of roles have one name. */
export function namesakes(
  roles: UpstreamRole[],
  type: UpstreamRole['type'],
  friendlyName: string,
): UpstreamRole[] {
  return roles
    .filter((role) => role.type === type && role.friendlyName === friendlyName)
    .sort((a, b) => a.dateCreated.getTime() - b.dateCreated.getTime());
}
