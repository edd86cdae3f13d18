import { Injectable } from '@nestjs/common';
import type { Preset } from '../chat-services/presets.js';
import type { Command } from '../common/http/command.js';
import { newId } from '../common/new-id.js';
import { twilioIdentityOf, type IdentityEntity } from '../identities/identity.entity.js';
import type { Lease } from '../reconciler/lease.js';
import type { NewWish } from '../reconciler/wish-store.js';
import type { ResolvedRole } from '../roles/roles.service.js';
import type { ConversationView, ProvisionConversationDto, TimersDto } from './conversation.dto.js';
import { ConversationEntity, type Timers } from './conversation.entity.js';
import type { SystemMessageDto } from './messages/message.dto.js';
import { MessageEntity } from './messages/message.entity.js';
import type { NewParticipantDto } from './participants/participant.dto.js';
import { ParticipantEntity } from './participants/participant.entity.js';
import { OpenConversations } from './open-conversations.js';
import { checkPeople } from './people.js';
import { ProvisionStore, type ProvisionRow, type WantedPerson } from './provision-store.js';

/** What is to be written, after everything has been checked that needs no row. */
export interface ProvisionPlan {
  id: string;
  serviceId: string;
  body: ProvisionConversationDto;
  /** By field of the request. */
  roles: ReadonlyMap<string, ResolvedRole>;
}

/** The externalRef belongs to another conversation. Nothing has been written. */
export class ExternalRefTaken extends Error {}

/** Writes a conversation that is wanted: people, conversation, participants, greeting and wish, in one statement. */
@Injectable()
export class ConversationWriter {
  constructor(
    private readonly store: ProvisionStore,
    private readonly openConversations: OpenConversations,
  ) {}

  /**
   * Writes it, its wish and its lease. Null when the Idempotency-Key belongs to another wish; throws ExternalRefTaken,
   * and an AppError where somebody may not be in it.
   */
  async write(
    plan: ProvisionPlan,
    wish: NewWish,
    command: Command,
    lease: Lease,
  ): Promise<ConversationView | null> {
    const row = rowOf(plan, wish, command, lease, this.openConversations);
    const { refused, timers, people: known } = await this.store.provision(row);
    if (refused === 'key') return null;
    const knownAt = (index: number) => known.get(row.people[index]!.participant);
    const people = checkPeople(plan.body.participants, (index) => knownAt(index)?.identity);
    if (refused === 'ref') throw new ExternalRefTaken();
    for (const [index, { identity, named, address }] of row.people.entries()) {
      const person = address === null ? knownAt(index) : undefined;
      const name = named ?? identity;
      if (!person || name === null) continue;
      this.openConversations.join(
        plan.serviceId,
        name,
        person.identity,
        person.open,
        `participants.${index}`,
      );
    }
    if (refused) throw new Error(`Conversation ${plan.id} was refused for its people, who are well.`);
    return viewOf(plan, row, people, timers);
  }
}

function rowOf(
  plan: ProvisionPlan,
  wish: NewWish,
  command: Command,
  lease: Lease,
  openConversations: OpenConversations,
): ProvisionRow {
  const { id, serviceId, body } = plan;
  const key = command.idempotencyHash?.toString('hex') ?? null;
  return {
    conversation: id,
    service: serviceId,
    ref: body.externalRef ?? null,
    name: body.friendlyName ?? null,
    attributes: body.attributes ?? {},
    timers: body.timers ? timersOf(body.timers) : null,
    token: lease.token,
    at: createdAtOf(id),
    wish: wish.id,
    request_id: command.requestId,
    instance: command.instance,
    location: wish.location,
    key,
    body: key && command.requestHash.toString('hex'),
    people: body.participants.map((wanted, index) => ({
      ...personOf(wanted, plan.roles.get(`participants.${index}.role`)),
      count:
        wanted.address === undefined &&
        openConversations.mustCount(serviceId, wanted.externalId ?? wanted.identityId ?? ''),
    })),
    greeting: body.systemMessage
      ? { id: newId(), body: body.systemMessage.body, attributes: body.systemMessage.attributes ?? {} }
      : null,
  };
}

function personOf(wanted: NewParticipantDto, role: ResolvedRole | undefined): Omit<WantedPerson, 'count'> {
  const made = newId();
  const address = wanted.address ?? null;
  return {
    participant: newId(),
    identity: wanted.identityId ?? null,
    named: wanted.externalId ?? null,
    made,
    twilio_identity: twilioIdentityOf(made),
    kind: wanted.kind ?? null,
    display_name: wanted.displayName ?? null,
    address,
    proxy_address: wanted.proxyAddress ?? null,
    projected_address: wanted.projectedAddress ?? null,
    role: address === null ? (role?.name ?? null) : null,
    role_sid: address === null ? (role?.sid ?? null) : null,
    attributes: wanted.attributes ?? {},
  };
}

/** The rows as they have been written. */
function viewOf(
  plan: ProvisionPlan,
  row: ProvisionRow,
  people: (IdentityEntity | null)[],
  timers: Timers,
): ConversationView {
  const { id, serviceId, body } = plan;
  const createdAt = createdAtOf(id);
  const conversation = Object.assign(new ConversationEntity(), {
    id,
    serviceId,
    externalRef: body.externalRef ?? null,
    friendlyName: body.friendlyName ?? null,
    attributes: body.attributes ?? {},
    timers,
    state: 'provisioning',
    twilioSid: null,
    failure: null,
    deletedAt: null,
    createdAt,
    updatedAt: createdAt,
  });
  const participants = body.participants.map((wanted, index) => {
    const identity = people[index] ?? null;
    const kind = identity?.kind ?? wanted.kind ?? 'customer';
    const role = plan.roles.get(`participants.${index}.role`);
    const { participant } = row.people[index]!;
    return { participant: participantOf(conversation, wanted, identity, kind, role, participant), identity };
  });
  const greeting =
    row.greeting && messageOf(conversation, row.greeting, { id: row.greeting.id, purpose: 'greeting' });
  return { conversation, participants, greeting };
}

/** The millisecond that a UUID of version 7 begins with: the order of ids is then that of `createdAt`. */
function createdAtOf(id: string): Date {
  return new Date(parseInt(id.slice(0, 8) + id.slice(9, 13), 16));
}

export function timersOf(timers: TimersDto | undefined): Timers {
  return {
    ...(timers?.inactive && { inactive: timers.inactive }),
    ...(timers?.closed && { closed: timers.closed }),
  };
}

/** A participant to be; its role follows its kind unless another is asked for. */
export function participantOf(
  conversation: { id: string; createdAt: Date },
  wanted: NewParticipantDto,
  identity: IdentityEntity | null,
  kind: Preset,
  role: ResolvedRole | undefined,
  id: string = newId(),
): ParticipantEntity {
  const chats = wanted.address === undefined;
  return Object.assign(new ParticipantEntity(), {
    id,
    conversationId: conversation.id,
    identityId: identity?.id ?? null,
    kind,
    address: wanted.address ?? null,
    proxyAddress: wanted.proxyAddress ?? null,
    projectedAddress: wanted.projectedAddress ?? null,
    role: chats ? (role?.name ?? kind) : null,
    roleSid: chats ? (role?.sid ?? null) : null,
    attributes: wanted.attributes ?? {},
    state: 'pending',
    twilioSid: null,
    failure: null,
    createdAt: conversation.createdAt,
    updatedAt: conversation.createdAt,
  });
}

/** A message to be sent, by the system unless `authorId` says otherwise. */
export function messageOf(
  conversation: { id: string; createdAt: Date },
  { body, attributes }: SystemMessageDto,
  given: Partial<MessageEntity> = {},
): MessageEntity {
  return Object.assign(new MessageEntity(), {
    id: newId(),
    conversationId: conversation.id,
    purpose: 'message',
    authorId: null,
    mediaSid: null,
    index: null,
    body,
    attributes: attributes ?? {},
    state: 'sending',
    twilioSid: null,
    failure: null,
    createdAt: conversation.createdAt,
    updatedAt: conversation.createdAt,
    ...given,
  });
}
