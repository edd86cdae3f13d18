import { Injectable } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import type { Preset } from '../chat-services/presets.js';
import { AppError } from '../common/errors/app-error.js';
import type { Queryable } from '../database/database.js';
import type { IdentityEntity } from '../identities/identity.entity.js';
import type { Lease } from '../reconciler/lease.js';
import { Reconciler } from '../reconciler/reconciler.js';
import type { ResolvedRole } from '../roles/roles.service.js';
import type { ConversationView, ProvisionConversationDto, TimersDto } from './conversation.dto.js';
import { ConversationEntity, type Timers } from './conversation.entity.js';
import type { SystemMessageDto } from './messages/message.dto.js';
import { MessageEntity } from './messages/message.entity.js';
import type { NewParticipantDto } from './participants/participant.dto.js';
import { ParticipantEntity } from './participants/participant.entity.js';
import { resolvePeople } from './people.js';

/** What is to be written, after everything has been checked that needs no row. */
export interface ProvisionPlan {
  id: string;
  serviceId: string;
  body: ProvisionConversationDto;
  /** By field of the request. */
  roles: ReadonlyMap<string, ResolvedRole>;
}

const CONVERSATION = `
  with conversation as (
    insert into conversations (id, service_id, external_ref, friendly_name, attributes, timers, state,
      lease_token, due_at, unsettled_since, created_at, updated_at)
    values ($1, $2, $3, $4, $5::json,
      coalesce($6::jsonb, (select jsonb_strip_nulls(default_timers) from chat_services where id = $2), '{}'),
      'provisioning', $7, clock_timestamp() + $8::float8 * interval '1 millisecond', now(), $9, $9)
    on conflict (service_id, external_ref) where state not in ('failed', 'deleted') do nothing
    returning id, timers),
  people as (
    insert into participants (id, conversation_id, identity_id, kind, address, proxy_address, projected_address, role,
      role_sid, attributes, state, created_at, updated_at)
    select p.id, conversation.id, p."identityId", p.kind, p.address, p."proxyAddress", p."projectedAddress", p.role,
      p."roleSid", p.attributes, p.state, $9, $9
    from json_to_recordset($10::json) as p (id uuid, "identityId" uuid, kind text, address text, "proxyAddress" text,
      "projectedAddress" text, role text, "roleSid" text, attributes json, state text), conversation),
  greeting as (
    insert into messages (id, conversation_id, purpose, body, attributes, state, created_at, updated_at)
    select m.id, conversation.id, 'greeting', m.body, m.attributes, m.state, $9, $9
    from json_to_recordset($11::json) as m (id uuid, body text, attributes json, state text), conversation)
  select timers from conversation`;

/** Thrown within the transaction, which undoes it: the externalRef belongs to another conversation. */
export class ExternalRefTaken extends Error {}

/** Writes a conversation that is wanted: people, conversation, participants and greeting, in two statements. */
@Injectable()
export class ConversationWriter {
  constructor(private readonly reconciler: Reconciler) {}

  async write(tx: Queryable, lease: Lease, plan: ProvisionPlan): Promise<ConversationView> {
    const people = await resolvePeople(
      tx,
      plan.serviceId,
      plan.body.participants,
      (n) => `participants.${n}`,
    );
    const view = viewOf(plan, people);
    const { conversation, participants, greeting } = view;
    const [row] = await tx.query<{ timers: Timers }>('conversations.insert', CONVERSATION, [
      conversation.id,
      conversation.serviceId,
      conversation.externalRef,
      conversation.friendlyName,
      JSON.stringify(conversation.attributes),
      plan.body.timers && JSON.stringify(conversation.timers),
      lease.token,
      this.reconciler.leaseMs,
      conversation.createdAt,
      JSON.stringify(participants.map(({ participant }) => participant)),
      JSON.stringify(greeting ? [greeting] : []),
    ]);
    if (!row) throw new ExternalRefTaken();
    conversation.timers = row.timers;
    return view;
  }
}

function viewOf(plan: ProvisionPlan, people: (IdentityEntity | null)[]): ConversationView {
  const { id, serviceId, body } = plan;
  const createdAt = createdAtOf(id);
  const conversation = Object.assign(new ConversationEntity(), {
    id,
    serviceId,
    externalRef: body.externalRef ?? null,
    friendlyName: body.friendlyName ?? null,
    attributes: body.attributes ?? {},
    timers: timersOf(body.timers),
    state: 'provisioning',
    twilioSid: null,
    failure: null,
    deletedAt: null,
    createdAt,
    updatedAt: createdAt,
  });
  assertOnce(people);
  const participants = body.participants.map((wanted, index) => {
    const identity = people[index] ?? null;
    const kind = identity?.kind ?? wanted.kind ?? 'customer';
    const role = plan.roles.get(`participants.${index}.role`);
    return { participant: participantOf(conversation, wanted, identity, kind, role), identity };
  });
  return { conversation, participants, greeting: greetingOf(conversation, body) };
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

/** By externalId and by id at once, one person can still come twice. */
function assertOnce(people: (IdentityEntity | null)[]): void {
  const seen = new Set<string>();
  for (const [index, person] of people.entries()) {
    if (person && seen.has(person.id))
      throw AppError.invalid(`participants.${index}`, 'is the same person again');
    if (person) seen.add(person.id);
  }
}

/** A participant to be; its role follows its kind unless another is asked for. */
export function participantOf(
  conversation: { id: string; createdAt: Date },
  wanted: NewParticipantDto,
  identity: IdentityEntity | null,
  kind: Preset,
  role: ResolvedRole | undefined,
  id: string = uuidv7(),
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

function greetingOf(
  conversation: ConversationEntity,
  { systemMessage }: ProvisionConversationDto,
): MessageEntity | null {
  return systemMessage ? messageOf(conversation, systemMessage, { purpose: 'greeting' }) : null;
}

/** A message to be sent, by the system unless `authorId` says otherwise. */
export function messageOf(
  conversation: { id: string; createdAt: Date },
  { body, attributes }: SystemMessageDto,
  given: Partial<MessageEntity> = {},
): MessageEntity {
  return Object.assign(new MessageEntity(), {
    id: uuidv7(),
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
