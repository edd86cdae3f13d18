import { Injectable } from '@nestjs/common';
import { DataSource, IsNull, LessThan, type EntityManager, type FindOptionsWhere } from 'typeorm';
import type { Caller } from '../access/caller.js';
import { ChatServicesService } from '../chat-services/chat-services.service.js';
import { AppError } from '../common/errors/app-error.js';
import type { Command } from '../common/http/command.js';
import { assertIfMatch } from '../common/http/etag.js';
import { cursorId, toPage, type Page } from '../common/http/page.js';
import type { Reply } from '../common/http/reply.js';
import { newId } from '../common/new-id.js';
import { isExternalId, isUuid } from '../common/validation/text.js';
import { Database, type Queryable } from '../database/database.js';
import { Commands } from '../reconciler/commands.js';
import { askSoon } from '../twilio/ask-soon.js';
import { TwilioGateway } from '../twilio/twilio.gateway.js';
import {
  IdentityResponse,
  type CreateIdentityDto,
  type CreateIdentityWithRoleDto,
  type ListIdentitiesQuery,
  type UpdateIdentityDto,
  type UpsertIdentityDto,
} from './identity.dto.js';
import { changeOf } from './identity-change.js';
import { assertChangeable, IdentityEntity, twilioIdentityOf } from './identity.entity.js';
import { ServiceRoles } from './service-roles.js';

const INSERT = `
  insert into identities (id, service_id, kind, external_id, display_name, twilio_identity, attributes, created_at,
    updated_at)
  values ($1, $2, $3, $4, $5, $6, $7::json, $8, $8)
  on conflict (service_id, external_id) do nothing returning id`;

@Injectable()
export class IdentitiesService {
  constructor(
    private readonly dataSource: DataSource,
    private readonly database: Database,
    private readonly commands: Commands,
    private readonly services: ChatServicesService,
    private readonly gateway: TwilioGateway,
    private readonly serviceRoles: ServiceRoles,
  ) {}

  async create(command: Command, caller: Caller, body: CreateIdentityWithRoleDto): Promise<Reply> {
    const entity = newIdentity(caller.serviceId, body);
    const insert = async (tx: Queryable): Promise<void> => {
      const inserted = await tx.query('identities.insert', INSERT, insertValues(entity));
      if (inserted.length === 0) throw await identityExists(tx, caller.serviceId, body.externalId);
    };
    if (body.serviceRole !== undefined)
      return this.serviceRoles.wish(command, caller, entity, body.serviceRole, insert);
    return this.commands.record(command, {
      serviceId: caller.serviceId,
      kind: 'create_identity',
      work: async (tx) => {
        await insert(tx);
        const body201 = IdentityResponse.from(entity, []);
        return { status: 201, body: body201, location: `/v1/identities/${entity.id}` };
      },
    });
  }

  /** Makes the identity or changes it: a key left out stays, `null` clears. */
  async upsert(
    caller: Caller,
    externalId: string,
    body: UpsertIdentityDto,
    ifMatch?: string,
  ): Promise<{ identity: IdentityResponse; created: boolean }> {
    if (!isExternalId(externalId)) throw AppError.invalid('externalId', 'is not an externalId');
    if (body.externalId !== undefined && body.externalId !== externalId) {
      throw AppError.invalid('externalId', 'must be the one in the path');
    }
    return this.dataSource.transaction(async (manager) => {
      const { kind } = body;
      // Again where somebody went between the two statements, erased or deleted.
      for (;;) {
        if (kind !== undefined && ifMatch === undefined) {
          const fresh = newIdentity(caller.serviceId, { ...body, kind, externalId });
          const inserted: unknown[] = await manager.query(INSERT, insertValues(fresh));
          if (inserted.length > 0) return { identity: IdentityResponse.from(fresh, []), created: true };
        }
        const entity = await lock(manager, { serviceId: caller.serviceId, externalId });
        if (entity) {
          if (kind !== undefined && entity.kind !== kind) throw otherKind(entity);
          assertChangeable(entity);
          return { identity: await this.change(manager, entity, body, ifMatch), created: false };
        }
        if (ifMatch !== undefined)
          throw new AppError('precondition_failed', { detail: 'It does not exist.' });
        if (kind === undefined) throw AppError.invalid('kind', 'is needed: the identity is not known yet');
      }
    });
  }

  /** Makes a customer known, unless somebody with this `externalId` is, of whatever kind. */
  async ensureCustomer(serviceId: string, externalId: string): Promise<void> {
    const values = insertValues(newIdentity(serviceId, { kind: 'customer', externalId }));
    await this.database.query('identities.insert', INSERT, values);
  }

  async update(
    caller: Caller,
    path: string,
    body: UpdateIdentityDto,
    ifMatch?: string,
  ): Promise<IdentityResponse> {
    const { id } = await this.find(caller.serviceId, path);
    return this.dataSource.transaction(async (manager) => {
      const entity = await lock(manager, { id });
      if (!entity) throw notFound();
      assertChangeable(entity);
      return this.change(manager, entity, body, ifMatch);
    });
  }

  async get(caller: Caller, path: string): Promise<IdentityResponse> {
    const entity = await this.find(caller.serviceId, path);
    await this.learnTwilioSid(entity);
    return this.respond(entity);
  }

  async list(caller: Caller, query: ListIdentitiesQuery): Promise<Page<IdentityResponse>> {
    const { kind, externalId, status } = query;
    const after = cursorId(query);
    const rows = await this.dataSource.getRepository(IdentityEntity).find({
      where: {
        serviceId: caller.serviceId,
        deletedAt: IsNull(),
        ...(kind !== undefined && { kind }),
        ...(externalId !== undefined && { externalId }),
        ...(status !== undefined && { status }),
        ...(after !== null && { id: LessThan(after) }),
      },
      order: { id: 'DESC' },
      take: query.limit + 1,
    });
    const page = toPage(rows, query.limit);
    const addresses = await this.addressesOf(page.data.map(({ id }) => id));
    return { ...page, data: page.data.map((row) => IdentityResponse.from(row, addresses.get(row.id) ?? [])) };
  }

  /** Gives the person's User at Twilio a service role. */
  async assignServiceRole(command: Command, caller: Caller, path: string, role: string): Promise<Reply> {
    const entity = await this.find(caller.serviceId, path);
    assertChangeable(entity);
    return this.serviceRoles.wish(command, caller, entity, role);
  }

  /** An identity of the chat service, by our id or its `US…`. */
  async find(serviceId: string, path: string, { withDeleted = false } = {}): Promise<IdentityEntity> {
    const repository = this.dataSource.getRepository(IdentityEntity);
    const seen = withDeleted ? {} : { deletedAt: IsNull() };
    const entity = isUuid(path)
      ? await repository.findOneBy({ serviceId, id: path, ...seen })
      : /^US[0-9a-fA-F]{32}$/.test(path)
        ? ((await repository.findOneBy({ serviceId, twilioSid: path, ...seen })) ??
          (await this.findAtTwilio(serviceId, path)))
        : null;
    if (!entity) throw notFound();
    return entity;
  }

  /** An identity as answers show it, by our id. Rows only: Twilio is not asked. */
  async show(id: string): Promise<IdentityResponse> {
    return this.respond(await this.dataSource.getRepository(IdentityEntity).findOneByOrFail({ id }));
  }

  private async change(
    manager: EntityManager,
    entity: IdentityEntity,
    body: UpdateIdentityDto,
    ifMatch?: string,
  ): Promise<IdentityResponse> {
    const shown = await this.respond(entity, manager);
    assertIfMatch(ifMatch, shown);
    const changed = changeOf(entity, body);
    if (!changed) return shown;
    Object.assign(entity, changed, { updatedAt: new Date() });
    return this.respond(await manager.save(entity), manager);
  }

  private async respond(entity: IdentityEntity, manager?: EntityManager): Promise<IdentityResponse> {
    const addresses = await this.addressesOf([entity.id], manager);
    return IdentityResponse.from(entity, addresses.get(entity.id) ?? []);
  }

  /**
   * Out of the participants' table, which belongs to the conversations: here it is only read. Within a transaction its
   * own connection asks: one more out of the pool for each would let transactions wait for one another for ever.
   */
  private async addressesOf(
    ids: string[],
    manager: EntityManager = this.dataSource.manager,
  ): Promise<Map<string, string[]>> {
    const rows: { identity_id: string; addresses: string[] }[] = await manager.query(
      `select identity_id, array_agg(distinct address order by address) as addresses from participants
      where identity_id = any($1) and address is not null group by identity_id`,
      [ids],
    );
    return new Map(rows.map((row) => [row.identity_id, row.addresses]));
  }

  /**
   * Twilio makes a User when the person first joins, and does not say its sid then. It is asked when somebody looks;
   * when it cannot be asked, the row is shown as it is.
   */
  private async learnTwilioSid(entity: IdentityEntity): Promise<void> {
    if (entity.twilioSid !== null || entity.status === 'erased') return;
    const joined = await this.database.query(
      'identities.joined',
      `select from participants where identity_id = $1 and address is null and twilio_sid is not null limit 1`,
      [entity.id],
    );
    if (joined.length === 0) return;
    const service = await this.services.findReady(entity.serviceId);
    if (!service) return;
    const user = await askSoon((sending) =>
      this.gateway.findUser({ serviceSid: service.twilioSid, ...sending }, entity.twilioIdentity),
    );
    if (user) await this.noteTwilioSid(entity, user.sid);
  }

  private async findAtTwilio(serviceId: string, userSid: string): Promise<IdentityEntity | null> {
    const service = await this.services.findReady(serviceId);
    const user = service && (await this.gateway.findUser({ serviceSid: service.twilioSid }, userSid));
    if (!user) return null;
    const entity = await this.dataSource
      .getRepository(IdentityEntity)
      .findOneBy({ serviceId, twilioIdentity: user.identity, deletedAt: IsNull() });
    if (entity) await this.noteTwilioSid(entity, user.sid);
    return entity;
  }

  private async noteTwilioSid(entity: IdentityEntity, sid: string): Promise<void> {
    await this.dataSource
      .getRepository(IdentityEntity)
      .update({ id: entity.id, deletedAt: IsNull() }, { twilioSid: sid });
    entity.twilioSid = sid;
  }
}

function newIdentity(
  serviceId: string,
  body: Pick<CreateIdentityDto, 'kind' | 'externalId' | 'displayName' | 'attributes'>,
): IdentityEntity {
  const id = newId();
  const now = new Date();
  return Object.assign(new IdentityEntity(), {
    id,
    serviceId,
    kind: body.kind,
    externalId: body.externalId,
    displayName: body.displayName ?? null,
    twilioIdentity: twilioIdentityOf(id),
    twilioSid: null,
    serviceRole: null,
    attributes: body.attributes ?? {},
    status: 'active',
    createdAt: now,
    updatedAt: now,
  });
}

function insertValues(entity: IdentityEntity): unknown[] {
  const { id, serviceId, kind, externalId, displayName, twilioIdentity, createdAt } = entity;
  const attributes = JSON.stringify(entity.attributes);
  return [id, serviceId, kind, externalId, displayName, twilioIdentity, attributes, createdAt];
}

function lock(
  manager: EntityManager,
  where: FindOptionsWhere<IdentityEntity>,
): Promise<IdentityEntity | null> {
  return manager.findOne(IdentityEntity, { where, lock: { mode: 'for_no_key_update' } });
}

async function identityExists(tx: Queryable, serviceId: string, externalId: string): Promise<AppError> {
  const [known] = await tx.query<{ id: string; deleting: boolean }>(
    'identities.by-external-id',
    'select id, deleting from identities where service_id = $1 and external_id = $2',
    [serviceId, externalId],
  );
  return new AppError('identity_exists', {
    ...(known && { extensions: { identity: { id: known.id } } }),
    ...(known?.deleting && { headers: { 'retry-after': '1' }, detail: 'The identity is being deleted.' }),
  });
}

const otherKind = ({ kind }: IdentityEntity): AppError =>
  new AppError('identity_kind_mismatch', { detail: `The identity is of the kind ${kind}.` });

const notFound = (): AppError => new AppError('not_found', { detail: 'There is no such identity.' });
