import { Injectable, type OnModuleInit } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { Database } from '../database/database.js';
import type { Aggregate } from '../reconciler/aggregate.js';
import type { Lease } from '../reconciler/lease.js';
import { Reconciler } from '../reconciler/reconciler.js';
import { endWith, endWithProblem } from '../reconciler/wish-ends.js';
import { findOpenWishes, type OpenWish } from '../reconciler/wish-store.js';
import { TwilioGateway } from '../twilio/twilio.gateway.js';
import { toAppError } from '../twilio/to-app-error.js';
import { TwilioError } from '../twilio/twilio-error.js';
import type { At, UpstreamService } from '../twilio/twilio.types.js';
import { ChatServiceResponse } from './chat-service.dto.js';
import { ChatServiceEntity } from './chat-service.entity.js';
import { CHAT_SERVICE, ChatServiceWishes } from './chat-service-wishes.service.js';
import { PresetRoles } from './preset-roles.service.js';
import { twilioName } from './twilio-name.js';

const DELETE_REFUSED = `
  with refused as (
    select id from chat_services s
    where id = $1 and lease_token = $2 and not exists (select from api_keys where service_id = s.id)),
  presets as (delete from roles where service_id in (select id from refused))
  delete from chat_services where id in (select id from refused)`;

/** A chat service is settled when Twilio has it, with a role for each preset, and what is wished of its roles is done. */
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
    private readonly presets: PresetRoles,
    private readonly others: ChatServiceWishes,
  ) {}

  onModuleInit(): void {
    this.reconciler.register(this);
  }

  async reconcile(lease: Lease): Promise<void> {
    const entity = await this.load(lease);
    const twilioSid = entity.twilioSid ?? (await this.ensureService(lease, entity));
    if (twilioSid === null) return;
    if (entity.friendlyName === null) await this.adoptName(lease, twilioSid);
    const at: At = { serviceSid: twilioSid, beforeSend: lease.beforeSend };
    await this.presets.ensure(lease, at);
    const wishes = await findOpenWishes(this.database, lease.id);
    if (wishes.length > 0) await this.fulfil(lease, at, wishes);
    else if (lease.takenOver && !lease.worked) await this.lookForLateLandings(lease, at);
  }

  /** In their order. One that Twilio keeps refusing for reasons unknown holds up what is about the same role alone. */
  private async fulfil(lease: Lease, at: At, wishes: OpenWish[]): Promise<void> {
    lease.worked = true;
    const stuck = new Map<unknown, TwilioError>();
    for (const wish of wishes) {
      const about = wish.payload['about'];
      if (stuck.has(about)) continue;
      try {
        const end =
          wish.kind === 'create'
            ? endWith(201, ChatServiceResponse.from(await this.load(lease)), `/v1/services/${lease.id}`)
            : await this.others.workOf(wish.kind).fulfil(lease, at, wish);
        await this.reconciler.settleWish(lease, wish.id, end);
      } catch (error) {
        if (!(error instanceof TwilioError) || error.kind !== 'blocked' || error.auth) throw error;
        stuck.set(about, error);
      }
    }
    for (const error of stuck.values()) throw error;
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
    for (const wish of await findOpenWishes(this.database, lease.id))
      await this.reconciler.settleWish(lease, wish.id, endWithProblem(wish, toAppError(refusal)));
    await this.database.query('chat-services.refused', DELETE_REFUSED, [lease.id, lease.token]);
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

  /** What bears a name of ours, and is not the one that we recorded, goes. */
  private async lookForLateLandings(lease: Lease, at: At): Promise<void> {
    for (const { sid, friendlyName } of await this.gateway.listServices({}, lease)) {
      // An adopted one never bears our id.
      const twin = friendlyName.endsWith(` cvk_${lease.id}`) && sid !== at.serviceSid;
      if (twin) await this.gateway.deleteService(sid, lease);
    }
    await this.presets.removeTwins(lease, at);
    for (const work of this.others.works) await work.lookForLateLandings(lease, at);
    lease.looked = true;
  }
}
