import { Injectable } from '@nestjs/common';
import { DataSource, IsNull } from 'typeorm';
import type { Caller } from '../access/caller.js';
import { ChatServicesService } from '../chat-services/chat-services.service.js';
import { AppError } from '../common/errors/app-error.js';
import type { Command } from '../common/http/command.js';
import { Reply } from '../common/http/reply.js';
import { newId } from '../common/new-id.js';
import { isExternalKey, isUuid } from '../common/validation/text.js';
import { Database, type Queryable } from '../database/database.js';
import { Commands } from '../reconciler/commands.js';
import { Reconciler } from '../reconciler/reconciler.js';
import { findWish } from '../reconciler/wish-store.js';
import { RolesService, type ResolvedRole } from '../roles/roles.service.js';
import { askSoon } from '../twilio/ask-soon.js';
import { TwilioGateway } from '../twilio/twilio.gateway.js';
import { CONVERSATION, ConversationAggregate } from './conversation.aggregate.js';
import { ConversationResponse, type ProvisionConversationDto } from './conversation.dto.js';
import { ConversationEntity } from './conversation.entity.js';
import { ConversationStore } from './conversation-store.js';
import { viewConversation } from './conversation-view.js';
import { ConversationWork } from './conversation-work.js';
import { ConversationWriter, ExternalRefTaken, type ProvisionPlan } from './conversation-writer.js';
import { SMS_BODY_MAX } from './messages/message-rows.js';

@Injectable()
export class ConversationsService {
  constructor(
    private readonly dataSource: DataSource,
    private readonly database: Database,
    private readonly commands: Commands,
    private readonly reconciler: Reconciler,
    private readonly services: ChatServicesService,
    private readonly roles: RolesService,
    private readonly gateway: TwilioGateway,
    private readonly aggregate: ConversationAggregate,
    private readonly store: ConversationStore,
    private readonly writer: ConversationWriter,
  ) {}

  /** Provisions a conversation; `external_ref_taken` when its externalRef belongs to another. */
  async provision(command: Command, caller: Caller, body: ProvisionConversationDto): Promise<Reply> {
    return this.commands.orReplay(command, caller.serviceId, async () => {
      const plan = await this.plan(caller, body);
      try {
        return await this.fulfil(command, plan);
      } catch (error) {
        if (!(error instanceof ExternalRefTaken)) throw error;
        throw refTaken(await this.findByRef(caller.serviceId, plan.body.externalRef ?? ''));
      }
    });
  }

  /** Provisions the conversation of this externalRef, or answers the one that exists, unchanged. */
  async provisionByRef(
    command: Command,
    caller: Caller,
    externalRef: string,
    body: ProvisionConversationDto,
  ): Promise<Reply> {
    if (!isExternalKey(externalRef)) throw AppError.invalid('externalRef', 'is not an externalRef');
    if (body.externalRef !== undefined && body.externalRef !== externalRef) {
      throw AppError.invalid('externalRef', 'must be the one in the path');
    }
    const known = await this.findByRef(caller.serviceId, externalRef);
    if (known) return this.existing(command, known);
    const plan = await this.plan(caller, { ...body, externalRef });
    for (;;) {
      try {
        return await this.fulfil(command, plan);
      } catch (error) {
        if (!(error instanceof ExternalRefTaken)) throw error;
        const winner = await this.findByRef(caller.serviceId, externalRef);
        if (winner) return this.existing(command, winner);
        plan.id = newId();
      }
    }
  }

  async get(caller: Caller, path: string): Promise<ConversationResponse> {
    const conversation = await this.find(caller.serviceId, path);
    await this.adoptState(conversation);
    return this.respond(conversation);
  }

  /** A conversation of the chat service, by our id or its `CH…`. */
  async find(serviceId: string, path: string, { withDeleted = false } = {}): Promise<ConversationEntity> {
    const repository = this.dataSource.getRepository(ConversationEntity);
    const named = isUuid(path) ? { id: path } : /^CH[0-9a-fA-F]{32}$/.test(path) ? { twilioSid: path } : null;
    const seen = withDeleted ? {} : { deletedAt: IsNull() };
    const entity = named && (await repository.findOneBy({ serviceId, ...named, ...seen }));
    if (!entity) throw new AppError('not_found', { detail: 'There is no such conversation.' });
    return entity;
  }

  /** A conversation as answers show it, by our id; within a transaction by its own connection. */
  async show(id: string, db: Queryable = this.database): Promise<ConversationResponse> {
    const view = await viewConversation(db, id);
    if (!view) throw new AppError('not_found', { detail: 'There is no such conversation.' });
    return ConversationResponse.from(view);
  }

  private fulfil(command: Command, plan: ProvisionPlan): Promise<Reply> {
    const { id, serviceId } = plan;
    return this.commands.fulfilWritten(command, {
      serviceId,
      aggregate: CONVERSATION,
      aggregateId: id,
      kind: 'provision',
      location: `/v1/conversations/${id}`,
      write: async (wish) => {
        const claim = { id, version: 1, attempts: 0, takenOver: false };
        const lease = this.reconciler.newLease(CONVERSATION, claim);
        const view = await this.writer.write(plan, wish, command, lease);
        if (!view) return null;
        const { requestId, instance } = command;
        const open = { id: wish.id, kind: 'provision', payload: {}, requestId, instance };
        const unsent = view.greeting ? [view.greeting] : [];
        this.aggregate.know(lease, new ConversationWork(lease.version, view, unsent, [open]));
        return lease;
      },
      pending: async () => this.respond(await this.find(serviceId, id)),
    });
  }

  private async plan(caller: Caller, body: ProvisionConversationDto): Promise<ProvisionPlan> {
    assertDistinct(body);
    assertFitsSms(body);
    return { id: newId(), serviceId: caller.serviceId, body, roles: await this.resolveRoles(caller, body) };
  }

  private async resolveRoles(
    caller: Caller,
    { participants }: ProvisionConversationDto,
  ): Promise<Map<string, ResolvedRole>> {
    const names = new Map(
      participants.flatMap(({ role }, index) =>
        role ? [[`participants.${index}.role`, role] as const] : [],
      ),
    );
    return this.roles.resolveConversationRoles(caller.serviceId, names);
  }

  /** Waits while it is being provisioned; the end of that is then the answer, but 200 for 201. */
  private async existing(command: Command, conversation: ConversationEntity): Promise<Reply> {
    const location = `/v1/conversations/${conversation.id}`;
    if (conversation.deletedAt) throw refTaken(conversation);
    if (conversation.state === 'provisioning') {
      const wish = await findWish(this.database, conversation.id, 'provision');
      const end = wish && (await this.commands.awaitWish(wish.id, command.waitMs));
      if (!end) return new Reply(202, await this.respond(conversation), { location });
      if (end.status >= 400) return end;
    }
    return new Reply(200, await this.respond(await this.find(conversation.serviceId, conversation.id)), {
      location,
    });
  }

  private findByRef(serviceId: string, externalRef: string): Promise<ConversationEntity | null> {
    return this.dataSource
      .getRepository(ConversationEntity)
      .createQueryBuilder('c')
      .where(
        `c.serviceId = :serviceId and c.externalRef = :externalRef and c.state not in ('failed', 'deleted')`,
        {
          serviceId,
          externalRef,
        },
      )
      .getOne();
  }

  private async respond(conversation: ConversationEntity): Promise<ConversationResponse> {
    const [view] = await this.store.views([conversation]);
    return ConversationResponse.from(view!);
  }

  /**
   * What timers did at Twilio is adopted, never undone. Where Twilio cannot be asked, the row is shown as it is.
   */
  private async adoptState(conversation: ConversationEntity): Promise<void> {
    const { id, state, timers, twilioSid } = conversation;
    if (
      (state !== 'active' && state !== 'inactive') ||
      twilioSid === null ||
      // A message wakes an inactive one, with timers or without.
      (state === 'active' && Object.keys(timers).length === 0)
    )
      return;
    const service = await this.services.findReady(conversation.serviceId);
    if (!service) return;
    const upstream = await askSoon((sending) =>
      this.gateway.findConversation({ serviceSid: service.twilioSid, ...sending }, twilioSid),
    );
    if (!upstream || upstream.state === state || upstream.state === 'initializing') return;
    const updatedAt = new Date();
    await this.dataSource
      .getRepository(ConversationEntity)
      .update({ id, state }, { state: upstream.state, updatedAt });
    Object.assign(conversation, { state: upstream.state, updatedAt });
  }
}

/** The one that has it may have failed since, or be on its way out: then the caller may come again. */
function refTaken(holder: ConversationEntity | null): AppError {
  const leaving = holder === null || holder.deletedAt !== null;
  return new AppError('external_ref_taken', {
    ...(leaving ? { headers: { 'retry-after': '1' } } : {}),
    ...(holder && { extensions: { conversation: { id: holder.id, twilioSid: holder.twilioSid } } }),
  });
}

function assertDistinct({ participants }: ProvisionConversationDto): void {
  const seen = new Set<string>();
  for (const [index, { externalId, identityId, address, proxyAddress }] of participants.entries()) {
    const names = [
      externalId !== undefined && `externalId ${externalId}`,
      identityId !== undefined && `identityId ${identityId.toLowerCase()}`,
      address !== undefined && `address ${address} ${proxyAddress ?? ''}`,
    ];
    for (const name of names) {
      if (name === false) continue;
      if (seen.has(name)) throw AppError.invalid(`participants.${index}`, 'stands in the list already');
      seen.add(name);
    }
  }
}

function assertFitsSms({ participants, systemMessage }: ProvisionConversationDto): void {
  const byAddress = participants.some(({ address }) => address !== undefined);
  if (byAddress && systemMessage && systemMessage.body.length > SMS_BODY_MAX) {
    throw AppError.invalid(
      'systemMessage.body',
      `must have at most ${SMS_BODY_MAX} characters where an SMS or WhatsApp participant gets it`,
    );
  }
}
