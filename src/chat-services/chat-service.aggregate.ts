import { Injectable, type OnModuleInit } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { renderProblem } from '../common/errors/problem.js';
import { Database } from '../database/database.js';
import type { Aggregate } from '../reconciler/aggregate.js';
import type { Lease } from '../reconciler/lease.js';
import { Reconciler } from '../reconciler/reconciler.js';
import { findOpenWishes } from '../reconciler/wish-store.js';
import { TwilioGateway } from '../twilio/twilio.gateway.js';
import { toAppError } from '../twilio/to-app-error.js';
import { TwilioError } from '../twilio/twilio-error.js';
import type { UpstreamRole, UpstreamService } from '../twilio/twilio.types.js';
import { ChatServiceResponse } from './chat-service.dto.js';
import { ChatServiceEntity } from './chat-service.entity.js';
import { PRESET_PERMISSIONS, type Preset } from './presets.js';
import { twilioName } from './twilio-name.js';

export const CHAT_SERVICE = 'chat_service';

interface PresetRow {
  id: string;
  preset: Preset;
  twilio_sid: string | null;
}

const DELETE_REFUSED = `
  with refused as (
    select id from chat_services s
    where id = $1 and lease_token = $2 and not exists (select from api_keys where service_id = s.id)),
  presets as (delete from roles where service_id in (select id from refused))
  delete from chat_services where id in (select id from refused)`;

/** A chat service is settled when Twilio has it, with a role for each preset. */
@Injectable()
export class ChatServiceAggregate implements Aggregate, OnModuleInit {
  readonly name = CHAT_SERVICE;
  readonly table = 'chat_services';
  readonly serviceColumn = 'id';

  constructor(
    private readonly dataSource: DataSource,
    private readonly database: Database,
    private readonly gateway: TwilioGateway,
    private readonly reconciler: Reconciler,
  ) {}

  onModuleInit(): void {
    this.reconciler.register(this);
  }

  async reconcile(lease: Lease): Promise<void> {
    const entity = await this.load(lease);
    const twilioSid = entity.twilioSid ?? (await this.ensureService(lease, entity));
    if (twilioSid === null) return;
    if (entity.friendlyName === null) await this.adoptName(lease, twilioSid);
    await this.ensurePresets(lease, twilioSid);
    if (lease.takenOver && !lease.worked) await this.removeTwins(lease, twilioSid);
    const settled = await this.load(lease);
    const answer = JSON.stringify(ChatServiceResponse.from(settled));
    for (const wish of await findOpenWishes(this.database, lease.id)) {
      const location = `/v1/services/${lease.id}`;
      await this.reconciler.settleWish(lease, wish.id, { status: 201, answer, location });
    }
  }

  private load(lease: Lease): Promise<ChatServiceEntity> {
    return this.dataSource.getRepository(ChatServiceEntity).findOneByOrFail({ id: lease.id });
  }

  /** Null when Twilio will not have it: then the wish has ended. */
  private async ensureService(lease: Lease, entity: ChatServiceEntity): Promise<string | null> {
    const friendlyName = twilioName(entity.friendlyName ?? 'Convoke', lease.id);
    lease.worked = true;
    const twins = (await this.gateway.listServices({}, lease))
      .filter((service) => service.friendlyName === friendlyName)
      .sort((a, b) => a.dateCreated.getTime() - b.dateCreated.getTime());
    const made = twins[0] ?? (await this.create(friendlyName, lease));
    if (made instanceof TwilioError) {
      await this.giveUp(lease, made);
      return null;
    }
    const { sid } = made;
    const rows = await this.database.query(
      'chat-services.made',
      `update chat_services set twilio_sid = $3, updated_at = now()
      where id = $1 and lease_token = $2 returning id`,
      [lease.id, lease.token, sid],
    );
    lease.assertHeld(rows);
    return sid;
  }

  private async create(friendlyName: string, lease: Lease): Promise<UpstreamService | TwilioError> {
    try {
      return await this.gateway.createService(friendlyName, lease);
    } catch (error) {
      if (error instanceof TwilioError && error.kind === 'refused') return error;
      throw error;
    }
  }

  /** The same again would be refused again: nothing stays but the answer, unless somebody has made keys for it. */
  private async giveUp(lease: Lease, refusal: TwilioError): Promise<void> {
    for (const { id, instance, requestId } of await findOpenWishes(this.database, lease.id)) {
      const problem = renderProblem(toAppError(refusal), { instance, requestId });
      const end = { status: problem.status, answer: JSON.stringify(problem), location: null };
      await this.reconciler.settleWish(lease, id, end);
    }
    await this.database.query('chat-services.refused', DELETE_REFUSED, [lease.id, lease.token]);
  }

  private async ensurePresets(lease: Lease, serviceSid: string): Promise<void> {
    const rows = await this.presetRows(lease.id);
    if (rows.every((row) => row.twilio_sid !== null)) return;
    lease.worked = true;
    const at = { serviceSid, beforeSend: lease.beforeSend };
    const existing = await this.gateway.listRoles(at);
    for (const row of rows.filter(({ twilio_sid }) => twilio_sid === null)) {
      const friendlyName = twilioName(row.preset, row.id);
      const role =
        oldestNamed(existing, friendlyName) ??
        (await this.gateway.createRole(at, {
          friendlyName,
          type: 'conversation',
          permissions: [...PRESET_PERMISSIONS[row.preset]],
        }));
      await this.recordRole(lease, row.id, role.sid);
    }
  }

  /** One that was adopted is called as Twilio has it. */
  private async adoptName(lease: Lease, serviceSid: string): Promise<void> {
    const name = (await this.gateway.findService(serviceSid, lease))?.friendlyName;
    if (name === undefined) return;
    await this.database.query(
      'chat-services.adopt-name',
      'update chat_services set friendly_name = $3 where id = $1 and lease_token = $2',
      [lease.id, lease.token, name],
    );
  }

  /** A look for late landings: what bears a name of ours, and is not the one that we recorded, goes. */
  private async removeTwins(lease: Lease, serviceSid: string): Promise<void> {
    for (const { sid, friendlyName } of await this.gateway.listServices({}, lease)) {
      // An adopted one never bears our id.
      const twin = friendlyName.endsWith(` cvk_${lease.id}`) && sid !== serviceSid;
      if (twin) await this.gateway.deleteService(sid, lease);
    }
    await this.removeTwinRoles(lease, serviceSid);
    lease.looked = true;
  }

  private async removeTwinRoles(lease: Lease, serviceSid: string): Promise<void> {
    const rows = await this.presetRows(lease.id);
    const recorded = new Map(rows.map((row) => [twilioName(row.preset, row.id), row.twilio_sid]));
    const at = { serviceSid, beforeSend: lease.beforeSend };
    for (const role of await this.gateway.listRoles(at)) {
      const sid = role.type === 'conversation' ? recorded.get(role.friendlyName) : undefined;
      if (sid && sid !== role.sid) await this.gateway.deleteRole(at, role.sid);
    }
  }

  private presetRows(serviceId: string): Promise<PresetRow[]> {
    return this.database.query<PresetRow>(
      'chat-services.presets',
      'select id, preset, twilio_sid from roles where service_id = $1 order by preset',
      [serviceId],
    );
  }

  private async recordRole(lease: Lease, roleId: string, sid: string): Promise<void> {
    const rows = await this.database.query(
      'chat-services.role-made',
      `update roles set twilio_sid = $4
      where id = $3 and exists (select from chat_services where id = $1 and lease_token = $2) returning id`,
      [lease.id, lease.token, roleId, sid],
    );
    lease.assertHeld(rows);
  }
}

/** Two that bear our name are twins, made by a call that landed late: the older one counts. */
function oldestNamed(roles: UpstreamRole[], friendlyName: string): UpstreamRole | undefined {
  return roles
    .filter((role) => role.type === 'conversation' && role.friendlyName === friendlyName)
    .sort((a, b) => a.dateCreated.getTime() - b.dateCreated.getTime())[0];
}
