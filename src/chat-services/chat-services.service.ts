import { Injectable } from '@nestjs/common';
import { DataSource, LessThan } from 'typeorm';
import type { Caller } from '../access/caller.js';
import { holdsScope } from '../access/scopes.js';
import { AppError } from '../common/errors/app-error.js';
import type { Command } from '../common/http/command.js';
import { assertIfMatch } from '../common/http/etag.js';
import { cursorId, toPage, type Page, type PageQuery } from '../common/http/page.js';
import type { Reply } from '../common/http/reply.js';
import { outboundUrlProblem } from '../common/http/outbound-url.js';
import { newId } from '../common/new-id.js';
import { isUuid } from '../common/validation/text.js';
import { AppConfig } from '../config/app-config.js';
import { Database, type Queryable } from '../database/database.js';
import { isUniqueViolation } from '../database/pg-errors.js';
import { Commands } from '../reconciler/commands.js';
import type { Lease } from '../reconciler/lease.js';
import { Reconciler } from '../reconciler/reconciler.js';
import { toAppError } from '../twilio/to-app-error.js';
import { TwilioError } from '../twilio/twilio-error.js';
import { TwilioGateway } from '../twilio/twilio.gateway.js';
import { CHAT_SERVICE } from './chat-service-wishes.service.js';
import {
  ChatServiceResponse,
  type CreateChatServiceDto,
  type UpdateChatServiceDto,
} from './chat-service.dto.js';
import { ChatServiceEntity } from './chat-service.entity.js';
import { PRESETS, type Preset } from './presets.js';

/** How long the role sids of a chat service are taken for known, in milliseconds: a repair elsewhere gives new ones. */
const READY_MS = 10_000;

/** What a conversation or a token needs to know of its chat service. */
export interface ReadyChatService {
  twilioSid: string;
  /** Role sid of each preset. */
  presetSids: ReadonlyMap<Preset, string>;
}

const INSERT = `
  insert into chat_services (id, twilio_sid, friendly_name, lease_token, due_at, unsettled_since)
  values ($1, $2, $3, $4, clock_timestamp() + $5 * interval '1 millisecond', now())`;

const INSERT_PRESETS = `
  insert into roles (id, service_id, preset)
  select id, $1, preset from unnest($2::uuid[], $3::text[]) as given (id, preset)`;

@Injectable()
export class ChatServicesService {
  /** Of chat services that are complete. Their own sid never changes. */
  private readonly ready = new Map<string, ReadyChatService & { until: number }>();

  constructor(
    private readonly config: AppConfig,
    private readonly dataSource: DataSource,
    private readonly database: Database,
    private readonly commands: Commands,
    private readonly reconciler: Reconciler,
    private readonly gateway: TwilioGateway,
  ) {}

  /** Makes a chat service at Twilio, or adopts one that is there. */
  async create(command: Command, caller: Caller, body: CreateChatServiceDto): Promise<Reply> {
    if ((body.friendlyName === undefined) === (body.twilioSid === undefined)) {
      throw AppError.invalid(
        'friendlyName',
        'give either friendlyName (to make one) or twilioSid (to adopt one)',
      );
    }
    const adopted = body.twilioSid === undefined ? null : await this.lookUp(body.twilioSid);
    const id = newId();
    return this.commands.fulfil(command, {
      serviceId: caller.serviceId,
      aggregate: CHAT_SERVICE,
      aggregateId: id,
      kind: 'create',
      location: `/v1/services/${id}`,
      write: async (tx) => {
        const lease = this.reconciler.newLease(CHAT_SERVICE, {
          id,
          version: 1,
          attempts: 0,
          takenOver: false,
        });
        await this.insert(
          tx,
          lease,
          body.twilioSid ?? null,
          adopted?.friendlyName ?? body.friendlyName ?? null,
        );
        return lease;
      },
      pending: async () => ChatServiceResponse.from(await this.find(id)),
    });
  }

  async list(query: PageQuery): Promise<Page<ChatServiceEntity>> {
    const after = cursorId(query);
    const rows = await this.dataSource.getRepository(ChatServiceEntity).find({
      where: after === null ? {} : { id: LessThan(after) },
      order: { id: 'DESC' },
      take: query.limit + 1,
    });
    return toPage(rows, query.limit);
  }

  /** One's own, or any for an operator; another's is not found. */
  async get(caller: Caller, id: string): Promise<ChatServiceEntity> {
    if (id.toLowerCase() !== caller.serviceId && !holdsScope(caller.scopes, 'operator'))
      throw new AppError('not_found');
    return this.find(id);
  }

  async update(
    caller: Caller,
    id: string,
    body: UpdateChatServiceDto,
    ifMatch?: string,
  ): Promise<ChatServiceEntity> {
    await this.get(caller, id);
    this.assertReachable(body);
    return this.dataSource.transaction(async (manager) => {
      const entity = await manager.findOneOrFail(ChatServiceEntity, {
        where: { id },
        lock: { mode: 'for_no_key_update' },
      });
      assertIfMatch(ifMatch, ChatServiceResponse.from(entity));
      change(entity, body);
      return manager.save(entity);
    });
  }

  /** What its conversations need, or null while it is not complete. */
  async findReady(id: string): Promise<ReadyChatService | null> {
    const known = this.ready.get(id);
    if (known && known.until > performance.now()) return known;
    const rows = await this.database.query<{
      twilio_sid: string | null;
      preset: Preset;
      role_sid: string | null;
    }>(
      'chat-services.ready',
      `select s.twilio_sid, r.preset, r.twilio_sid as role_sid
      from chat_services s join roles r on r.service_id = s.id where s.id = $1`,
      [id],
    );
    const presetSids = new Map(
      rows.flatMap(({ preset, role_sid }) => (role_sid ? [[preset, role_sid]] : [])),
    );
    const twilioSid = rows[0]?.twilio_sid;
    if (!twilioSid || presetSids.size < PRESETS.length) return null;
    const ready = { twilioSid, presetSids, until: performance.now() + READY_MS };
    this.ready.set(id, ready);
    return ready;
  }

  /** To be called when the role sid of a preset has changed. */
  forgetReady(id: string): void {
    this.ready.delete(id);
  }

  /** Another number after every change of a role at Twilio. */
  async rolesVersion(id: string): Promise<number> {
    const [row] = await this.database.query<{ roles_version: number }>(
      'chat-services.roles-version',
      'select roles_version from chat_services where id = $1',
      [id],
    );
    return row?.roles_version ?? 0;
  }

  /** `IS…`, or null while Twilio has not made it. */
  async findTwilioSid(id: string): Promise<string | null> {
    const known = this.ready.get(id);
    if (known) return known.twilioSid;
    return (await this.findReady(id))?.twilioSid ?? (await this.find(id)).twilioSid;
  }

  /** Why a chat service does not get ready: a code, or null. */
  async findTrouble(id: string): Promise<string | null> {
    const [row] = await this.database.query<{ last_error: string | null }>(
      'chat-services.trouble',
      'select last_error from chat_services where id = $1',
      [id],
    );
    return row?.last_error ?? null;
  }

  /** Makes the default chat service known, to be completed by the sweep. Answers its id. */
  async ensureKnown(twilioSid: string): Promise<string> {
    const id = newId();
    try {
      await this.database.transaction((tx) => this.insert(tx, { id, token: null }, twilioSid, null));
      return id;
    } catch (error) {
      if (!isUniqueViolation(error, 'uq_chat_services_twilio_sid')) throw error;
      const known = await this.dataSource.getRepository(ChatServiceEntity).findOneByOrFail({ twilioSid });
      return known.id;
    }
  }

  private async find(id: string): Promise<ChatServiceEntity> {
    const entity = isUuid(id) && (await this.dataSource.getRepository(ChatServiceEntity).findOneBy({ id }));
    if (!entity) throw new AppError('not_found');
    return entity;
  }

  /** What fetches the keys is this service: it is not sent to what stands in its own network. */
  private assertReachable({ tokenExchange }: UpdateChatServiceDto): void {
    if (!tokenExchange) return;
    const problem = outboundUrlProblem(tokenExchange.jwksUrl, this.config.tokenExchange.allowedPrivateHosts);
    if (problem !== null) throw AppError.invalid('tokenExchange.jwksUrl', problem);
  }

  private async lookUp(twilioSid: string): Promise<{ friendlyName: string }> {
    const found = await this.gateway.findService(twilioSid).catch((error: unknown) => {
      throw error instanceof TwilioError ? toAppError(error) : error;
    });
    if (!found) throw AppError.invalid('twilioSid', 'the Twilio account has no such chat service');
    return found;
  }

  private async insert(
    tx: Queryable,
    lease: Pick<Lease, 'id'> & { token: string | null },
    twilioSid: string | null,
    friendlyName: string | null,
  ): Promise<void> {
    const leaseMs = lease.token === null ? 0 : this.reconciler.leaseMs;
    try {
      await tx.query('chat-services.insert', INSERT, [
        lease.id,
        twilioSid,
        friendlyName,
        lease.token,
        leaseMs,
      ]);
    } catch (error) {
      if (lease.token === null || !isUniqueViolation(error, 'uq_chat_services_twilio_sid')) throw error;
      throw new AppError('service_exists', { detail: `${twilioSid} belongs to a chat service already.` });
    }
    const ids = PRESETS.map(() => newId());
    await tx.query('chat-services.insert-presets', INSERT_PRESETS, [lease.id, ids, PRESETS]);
  }
}

function change(entity: ChatServiceEntity, body: UpdateChatServiceDto): void {
  const { shareDisplayNames, defaultTimers, tokenExchange } = body;
  if (shareDisplayNames !== undefined) {
    if (entity.shareDisplayNames && !shareDisplayNames) entity.namesStale = true;
    entity.shareDisplayNames = shareDisplayNames;
  }
  if (defaultTimers !== undefined) {
    const kept = { inactive: null, closed: null, ...entity.defaultTimers };
    const { inactive = kept.inactive, closed = kept.closed } = defaultTimers ?? {};
    entity.defaultTimers = defaultTimers === null ? null : { inactive, closed };
  }
  if (tokenExchange !== undefined) entity.tokenExchange = tokenExchange;
  if (Object.values(body).some((value) => value !== undefined)) entity.updatedAt = new Date();
}
