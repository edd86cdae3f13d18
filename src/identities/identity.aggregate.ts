import { Injectable, type OnModuleInit } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { AppConfig } from '../config/app-config.js';
import { ChatServicesService } from '../chat-services/chat-services.service.js';
import { AppError } from '../common/errors/app-error.js';
import { renderProblem } from '../common/errors/problem.js';
import { Database } from '../database/database.js';
import type { Aggregate } from '../reconciler/aggregate.js';
import type { Lease } from '../reconciler/lease.js';
import { NotReady } from '../reconciler/pause.js';
import { Reconciler } from '../reconciler/reconciler.js';
import { findOpenWishes, type OpenWish, type SettledWish } from '../reconciler/wish-store.js';
import { toAppError } from '../twilio/to-app-error.js';
import { TwilioError } from '../twilio/twilio-error.js';
import { TwilioGateway } from '../twilio/twilio.gateway.js';
import type { At, UpstreamUser } from '../twilio/twilio.types.js';
import { IdentityResponse } from './identity.dto.js';
import { assertChangeable, IdentityEntity } from './identity.entity.js';
import { IDENTITY, IdentityWishesService } from './identity-wishes.service.js';
import { SERVICE_ROLE, type ServiceRoleWish } from './service-roles.js';
import { SharedNames } from './shared-names.js';

/** Who is held by somebody else is being erased just now: his receipt would go with him. */
const PRUNE = `
  delete from identities where id in (
    select i.id from identities i
    where i.deleted_at < now() - $1 * interval '1 day' and i.due_at is null
      and not exists (select from participants p where p.identity_id = i.id)
      and not exists (select from erasures e where e.identity_id = i.id)
    limit 100 for update of i skip locked)
  returning id`;

/** An identity is settled when its User at Twilio bears the service role and the name that are wanted, and its standing is as wished. */
@Injectable()
export class IdentityAggregate implements Aggregate, OnModuleInit {
  readonly name = IDENTITY;
  readonly table = 'identities';
  readonly serviceColumn = 'service_id';

  constructor(
    private readonly dataSource: DataSource,
    private readonly database: Database,
    private readonly services: ChatServicesService,
    private readonly gateway: TwilioGateway,
    private readonly reconciler: Reconciler,
    private readonly elsewhere: IdentityWishesService,
    private readonly names: SharedNames,
    private readonly config: AppConfig,
  ) {}

  onModuleInit(): void {
    this.reconciler.register(this);
  }

  plan(): Promise<void> {
    return this.names.plan();
  }

  /** Deletes up to a hundred that were deleted long enough ago, and that no conversation and no receipt refers to. */
  async prune(): Promise<number> {
    const rows = await this.database.query('identities.prune', PRUNE, [this.config.retention.failedKeepDays]);
    return rows.length;
  }

  async reconcile(lease: Lease): Promise<void> {
    const identity = await this.load(lease.id);
    const service = await this.services.findReady(identity.serviceId);
    if (!service) {
      throw new NotReady('The chat service', await this.services.findTrouble(identity.serviceId));
    }
    const at = { serviceSid: service.twilioSid, beforeSend: lease.beforeSend };
    const wishes = await findOpenWishes(this.database, lease.id);
    if (wishes.length > 0) lease.worked = true;
    else if (lease.takenOver) await this.lookForLateLandings(lease, at, identity);
    for (const wish of wishes) await this.fulfil(lease, at, await this.load(lease.id), wish);
  }

  private async fulfil(lease: Lease, at: At, identity: IdentityEntity, wish: OpenWish): Promise<void> {
    try {
      if (wish.kind === SERVICE_ROLE) {
        assertChangeable(identity);
        return await this.assign(lease, at, identity.twilioIdentity, wish);
      }
      const fulfil = this.elsewhere.find(wish.kind);
      await this.reconciler.settleWish(lease, wish.id, await fulfil({ lease, at, identity }, wish));
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      await this.reconciler.settleWish(lease, wish.id, problemOf(error, wish));
    }
  }

  /** A call that was given up may have put an older role in place of the last one. */
  private async lookForLateLandings(lease: Lease, at: At, identity: IdentityEntity): Promise<void> {
    const { twilioIdentity, status, deleting } = identity;
    if (status === 'erased' || deleting) return this.removeLateUser(lease, at, twilioIdentity);
    const [last] = await this.database.query<{ payload: ServiceRoleWish }>(
      'identities.last-role',
      `select payload from wishes where aggregate_id = $1 and kind = '${SERVICE_ROLE}' and status < 300
      order by position desc nulls last limit 1`,
      [lease.id],
    );
    const user = last && (await this.gateway.findUser(at, twilioIdentity));
    if (user && user.roleSid !== last.payload.roleSid) {
      await this.gateway.updateUser(at, user.sid, { roleSid: last.payload.roleSid });
    }
    await this.names.lookForLateLandings(lease, at);
    lease.looked = true;
  }

  private async assign(lease: Lease, at: At, twilioIdentity: string, wish: OpenWish): Promise<void> {
    const { role, roleSid, created } = wish.payload as unknown as ServiceRoleWish;
    try {
      const user = await this.ensureUser(at, twilioIdentity, roleSid);
      await this.record(lease, user.sid, role);
      const answer = JSON.stringify(IdentityResponse.from(await this.load(lease.id), []));
      const location = `/v1/identities/${lease.id}`;
      await this.reconciler.settleWish(lease, wish.id, { status: created ? 201 : 200, answer, location });
    } catch (error) {
      if (!(error instanceof TwilioError) || error.kind !== 'refused') throw error;
      throw toAppError(error);
    }
  }

  /** A User that was made by a call which had been given up before the person was erased or deleted. */
  private async removeLateUser(lease: Lease, at: At, twilioIdentity: string): Promise<void> {
    const user = await this.gateway.findUser(at, twilioIdentity);
    if (user) await this.gateway.deleteUser(at, user.sid);
    lease.looked = true;
  }

  /** Looked up first, whoever may have made it: the person by joining a conversation, or a call that was given up. */
  private async ensureUser(at: At, identity: string, roleSid: string): Promise<UpstreamUser> {
    const known = await this.gateway.findUser(at, identity);
    if (known) return known.roleSid === roleSid ? known : this.gateway.updateUser(at, known.sid, { roleSid });
    try {
      return await this.gateway.createUser(at, { identity, roleSid });
    } catch (error) {
      if (!(error instanceof TwilioError) || error.kind !== 'already_exists') throw error;
      return this.gateway.updateUser(at, identity, { roleSid });
    }
  }

  private async record(lease: Lease, twilioSid: string, role: string): Promise<void> {
    const rows = await this.database.query(
      'identities.service-role',
      `update identities set twilio_sid = $3, service_role = $4, updated_at = now()
      where id = $1 and lease_token = $2 returning id`,
      [lease.id, lease.token, twilioSid, role],
    );
    lease.assertHeld(rows);
  }

  private load(id: string): Promise<IdentityEntity> {
    return this.dataSource.getRepository(IdentityEntity).findOneByOrFail({ id });
  }
}

function problemOf(error: AppError, wish: OpenWish): SettledWish {
  const problem = renderProblem(error, wish);
  return { status: problem.status, answer: JSON.stringify(problem), location: null };
}
