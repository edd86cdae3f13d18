import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { Caller } from '../../access/caller.js';
import { ChatServicesService } from '../../chat-services/chat-services.service.js';
import { AppError } from '../../common/errors/app-error.js';
import type { Command } from '../../common/http/command.js';
import type { Page } from '../../common/http/page.js';
import type { Reply } from '../../common/http/reply.js';
import { isUuid } from '../../common/validation/text.js';
import { Database, type Queryable } from '../../database/database.js';
import { Commands } from '../../reconciler/commands.js';
import { toAppError } from '../../twilio/to-app-error.js';
import { TwilioError } from '../../twilio/twilio-error.js';
import { TwilioGateway } from '../../twilio/twilio.gateway.js';
import type { PagePosition, UpstreamMessage } from '../../twilio/twilio.types.js';
import { assertTakesCommands, ConversationCommands } from '../conversation-commands.js';
import { ConversationStore } from '../conversation-store.js';
import { endWith } from '../conversation-work.js';
import { messageOf } from '../conversation-writer.js';
import type { ViewedParticipant } from '../conversation.dto.js';
import type { ConversationEntity } from '../conversation.entity.js';
import { ConversationsService } from '../conversations.service.js';
import { isIn, namedBy, participantRows } from '../participants/participant-rows.js';
import {
  MessageResponse,
  type CreateMessageDto,
  type ListMessagesQuery,
  type SystemMessageDto,
  type UpdateMessageDto,
} from './message.dto.js';
import { MessageEntity } from './message.entity.js';
import { assertMaySpeak, insertMessage, SMS_BODY_MAX } from './message-rows.js';
import { RolePermissions } from './role-permissions.js';

/** A message that a path names, and those who may have written it. */
interface Found {
  conversation: ConversationEntity;
  people: readonly ViewedParticipant[];
  row: MessageEntity | null;
  upstream: UpstreamMessage | null;
}

@Injectable()
export class MessagesService {
  constructor(
    private readonly dataSource: DataSource,
    private readonly database: Database,
    private readonly conversations: ConversationsService,
    private readonly services: ChatServicesService,
    private readonly commands: Commands,
    private readonly writer: ConversationCommands,
    private readonly store: ConversationStore,
    private readonly permissions: RolePermissions,
    private readonly gateway: TwilioGateway,
  ) {}

  async sendAsSystem(command: Command, caller: Caller, path: string, body: SystemMessageDto): Promise<Reply> {
    return this.commands.orReplay(command, caller.serviceId, async () => {
      const conversation = await this.conversations.find(caller.serviceId, path);
      return this.send(command, conversation, messageOf(where(conversation), body), null);
    });
  }

  /** On behalf of a participant who is in, as far as its role permits. */
  async sendAs(command: Command, caller: Caller, path: string, body: CreateMessageDto): Promise<Reply> {
    return this.commands.orReplay(command, caller.serviceId, async () => {
      const conversation = await this.conversations.find(caller.serviceId, path);
      assertTakesCommands(conversation);
      const author = await this.actor(conversation, body.author);
      const wanted = body.mediaSid === undefined ? ['sendMessage'] : ['sendMessage', 'sendMediaMessage'];
      await this.permissions.assert(caller.serviceId, author.participant, ...wanted);
      const row = messageOf(where(conversation), body, {
        authorId: author.participant.id,
        mediaSid: body.mediaSid ?? null,
      });
      return this.send(command, conversation, row, author);
    });
  }

  async list(caller: Caller, path: string, query: ListMessagesQuery): Promise<Page<MessageResponse>> {
    const conversation = await this.conversations.find(caller.serviceId, path);
    const people = await this.people(conversation);
    const at = await this.at(conversation);
    const { twilioSid } = conversation;
    if (twilioSid === null || !at) return { data: [], nextCursor: null };
    const options = { order: query.order, pageSize: query.limit, from: positionOf(query.cursor) };
    const page = await this.reading(() => this.gateway.pageMessages(at, twilioSid, options));
    return {
      data: page.messages.map((message) => MessageResponse.from(message, people)),
      nextCursor: page.next && Buffer.from(JSON.stringify(page.next)).toString('base64url'),
    };
  }

  async get(caller: Caller, path: string, message: string): Promise<MessageResponse> {
    const { people, row, upstream } = await this.find(caller, path, message);
    if (upstream) return MessageResponse.from(upstream, people);
    const author = people.find(({ participant }) => participant.id === row?.authorId) ?? null;
    return MessageResponse.fromRow(row!, author);
  }

  async update(
    command: Command,
    caller: Caller,
    [path, message]: [string, string],
    { actor, body, attributes }: UpdateMessageDto,
  ): Promise<Reply> {
    const found = await this.find(caller, path, message);
    const { conversation, people } = found;
    assertTakesCommands(conversation);
    const sent = assertSent(found);
    const changes = [
      ...(body === undefined ? [] : ['Message']),
      ...(attributes === undefined ? [] : ['MessageAttributes']),
    ];
    await this.assertActor(found, actor, ...changes.map((what) => permissionsTo('edit', what)));
    const location = `/v1/conversations/${conversation.id}/messages/${sent.sid}`;
    const shown = MessageResponse.from(sent, people);
    const newAttributes = attributes === undefined ? undefined : (attributes ?? {});
    return this.writer.run(command, conversation, {
      kind: 'update_message',
      payload: {
        messageSid: sent.sid,
        ...(body !== undefined && { body }),
        ...(newAttributes !== undefined && { attributes: newAttributes }),
      },
      location,
      write: async (tx) => {
        if (body !== undefined) await assertFits(tx, conversation.id, body, 'body');
        if (changes.length === 0) return endWith(200, shown, location);
      },
      pending: () => Promise.resolve(shown),
    });
  }

  async remove(
    command: Command,
    caller: Caller,
    [path, message]: [string, string],
    actor: string | undefined,
  ): Promise<Reply> {
    const found = await this.find(caller, path, message);
    assertTakesCommands(found.conversation);
    const sent = assertSent(found);
    await this.assertActor(found, actor, permissionsTo('delete', 'Message'));
    return this.writer.run(command, found.conversation, {
      kind: 'remove_message',
      payload: { messageSid: sent.sid },
      location: `/v1/conversations/${found.conversation.id}/messages/${sent.sid}`,
      pending: () => Promise.resolve(MessageResponse.from(sent, found.people)),
    });
  }

  private send(
    command: Command,
    conversation: ConversationEntity,
    row: MessageEntity,
    author: ViewedParticipant | null,
  ): Promise<Reply> {
    return this.writer.run(command, conversation, {
      kind: 'send_message',
      payload: { messageId: row.id },
      location: `/v1/conversations/${conversation.id}/messages/${row.id}`,
      write: async (tx) => {
        await assertFits(tx, conversation.id, row.body, 'body');
        if (row.authorId !== null) await assertMaySpeak(tx, row.authorId);
        await insertMessage(tx, row);
      },
      pending: () => Promise.resolve(MessageResponse.fromRow(row, author)),
    });
  }

  private async find(caller: Caller, path: string, message: string): Promise<Found> {
    const conversation = await this.conversations.find(caller.serviceId, path);
    const people = await this.people(conversation);
    const row = isUuid(message)
      ? await this.dataSource
          .getRepository(MessageEntity)
          .findOneBy({ conversationId: conversation.id, id: message })
      : null;
    const sid = row ? row.twilioSid : /^IM[0-9a-fA-F]{32}$/.test(message) ? message : null;
    const at = await this.at(conversation);
    const { twilioSid } = conversation;
    const upstream =
      sid !== null && twilioSid !== null && at
        ? await this.reading(() => this.gateway.findMessage(at, twilioSid, sid))
        : null;
    if (!upstream && (!row || row.state === 'sent')) {
      throw new AppError('not_found', { detail: 'There is no such message.' });
    }
    return { conversation, people, row, upstream };
  }

  private async assertActor(
    found: Found,
    actor: string | undefined,
    ...wanted: [own: string, any: string][]
  ) {
    if (actor === undefined) return;
    const { participant, identity } = await this.actor(found.conversation, actor);
    const author = found.upstream?.author;
    const own =
      participant.address === null ? identity?.twilioIdentity === author : participant.address === author;
    const permissions = wanted.map(([ownOnly, any]) => (own ? [ownOnly, any] : [any]));
    await this.permissions.assert(found.conversation.serviceId, participant, ...permissions);
  }

  /** A participant who is in, for whom somebody acts. */
  private async actor(conversation: ConversationEntity, path: string): Promise<ViewedParticipant> {
    const people = (await this.people(conversation)).map((one) => ({
      ...one,
      id: one.participant.id,
      twilioSid: one.participant.twilioSid,
      externalId: one.identity?.externalId ?? null,
    }));
    const found = namedBy(
      people.filter(({ participant }) => isIn(participant)),
      path,
    );
    if (!found)
      throw new AppError('participant_not_found', { detail: `${path} is not in the conversation.` });
    return found;
  }

  private async people(conversation: ConversationEntity): Promise<readonly ViewedParticipant[]> {
    const [view] = await this.store.views([conversation]);
    return view?.participants ?? [];
  }

  private async at({ serviceId }: ConversationEntity): Promise<{ serviceSid: string } | null> {
    const serviceSid = await this.services.findTwilioSid(serviceId);
    return serviceSid === null ? null : { serviceSid };
  }

  /** What reads through to Twilio answers with its troubles. */
  private async reading<T>(read: () => Promise<T>): Promise<T> {
    try {
      return await read();
    } catch (error) {
      throw error instanceof TwilioError ? toAppError(error) : error;
    }
  }
}

const where = ({ id }: ConversationEntity) => ({ id, createdAt: new Date() });

function assertSent({ upstream }: Found): UpstreamMessage {
  if (!upstream) throw new AppError('not_found', { detail: 'The message has not been sent.' });
  return upstream;
}

/** Twilio's names, e.g. `editOwnMessage` and `editAnyMessage`. */
function permissionsTo(verb: 'edit' | 'delete', what: string): [own: string, any: string] {
  return [`${verb}Own${what}`, `${verb}Any${what}`];
}

/** A text that somebody is to get by SMS or WhatsApp is short. */
export async function assertFits(
  tx: Queryable,
  conversationId: string,
  body: string,
  field: string,
): Promise<void> {
  if (body.length <= SMS_BODY_MAX) return;
  const rows = await participantRows(tx, conversationId);
  if (rows.some((row) => isIn(row) && row.address !== null)) {
    throw AppError.invalid(
      field,
      `must have at most ${SMS_BODY_MAX} characters where an SMS or WhatsApp participant gets it`,
    );
  }
}

function positionOf(cursor: string | undefined): PagePosition | null {
  if (cursor === undefined) return null;
  try {
    const value = JSON.parse(Buffer.from(cursor, 'base64url').toString()) as Partial<PagePosition>;
    if (Number.isInteger(value.page) && typeof value.token === 'string') return value as PagePosition;
  } catch {
    // Told below, as any other cursor that is none.
  }
  throw AppError.invalid('cursor', 'is not a cursor of this list');
}
