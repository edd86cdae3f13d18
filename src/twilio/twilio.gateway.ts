import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import twilio from 'twilio';
import { AppConfig } from '../config/app-config.js';
import { DirectoryGateway } from './directory.gateway.js';
import { nameParameter, sidParameter, type SidPrefix } from './path-parameters.js';
import { TwilioError } from './twilio-error.js';
import { TwilioHttpClient } from './twilio-http-client.js';
import { pageSizeOf, UpstreamCalls } from './upstream-calls.js';
import { toConversation, toMessage, toParticipant } from './upstream-resources.js';
import type {
  At,
  ConversationChange,
  ConversationPage,
  ListOptions,
  Made,
  MessageChange,
  MessageListOptions,
  MessagePage,
  NewConversation,
  NewMessage,
  NewParticipant,
  PagePosition,
  ParticipantChange,
  UpstreamConversation,
  UpstreamMessage,
  UpstreamParticipant,
} from './twilio.types.js';

/**
 * Twilio Conversations v1, and the only place that knows its SDK.
 *
 * - Every method rejects with `TwilioError`, with what `beforeSend` threw, or, before anything is sent, with
 *   `PathParameterError` or `RangeError` (a mistake of the caller's).
 * - `create*`, `add*` and `update*` are sent once and never repeated: after kind `unknown` the caller looks first.
 * - `find*` and `list*` are repeated, at most three times in all with pauses of 2 s together, after `rate_limited`,
 *   `conflict` and a lost connection. `find*` gives null for what is not there.
 * - `delete*` and `remove*` take sids only, and are done when the thing is gone.
 * - At most `TWILIO_MAX_CONCURRENCY` requests are under way in this process; the others wait, without a time-out. A
 *   request has `TWILIO_CALL_TIMEOUT_MS` from then on.
 * - No request asks Twilio for its webhooks (`X-Twilio-Webhook-Enabled`): what is done here is known here.
 */
@Injectable()
export class TwilioGateway extends DirectoryGateway implements OnApplicationShutdown {
  readonly #http: TwilioHttpClient;

  constructor(config: AppConfig) {
    const { accountSid, apiKeySid, apiKeySecret, baseUrl, callTimeoutMs, maxConcurrency } = config.twilio;
    const http = new TwilioHttpClient({
      baseUrl,
      username: apiKeySid,
      password: apiKeySecret,
      callTimeoutMs,
      connections: maxConcurrency,
    });
    // The SDK insists on a password and would keep it in the open; the HTTP client alone has the true one.
    const client = twilio(apiKeySid, 'not-the-secret', {
      accountSid,
      httpClient: http as unknown as twilio.RequestClient,
    });
    super(client.conversations.v1, new UpstreamCalls(maxConcurrency));
    this.#http = http;
  }

  /** Whether Twilio has stopped answering this process. */
  get down(): boolean {
    return this.calls.health.down;
  }

  /** Lets the calls under way end, each within its time-out, and closes the connections. */
  onApplicationShutdown(): Promise<void> {
    return this.#http.close();
  }

  /** Makes a conversation, `active` at once. `already_exists` when the unique name is taken in the chat service. */
  async createConversation(at: At, conversation: NewConversation): Promise<Made> {
    const { uniqueName, friendlyName, attributes, timers } = conversation;
    return this.#make(at, 'CH', '', {
      UniqueName: uniqueName,
      FriendlyName: friendlyName,
      Attributes: attributes,
      // Twilio takes no timers on creation without a state (50382).
      State: timers && 'active',
      'Timers.Inactive': timers?.inactive,
      'Timers.Closed': timers?.closed,
    });
  }

  /** By `CH…` or unique name. Null when it is not there; a chat service that is gone looks the same (`findService`). */
  async findConversation(at: At, sidOrUniqueName: string): Promise<UpstreamConversation | null> {
    const conversation = this.service(at).conversations(nameParameter('CH', sidOrUniqueName));
    return this.calls.find(at, async () => toConversation(await conversation.fetch()));
  }

  /**
   * One page of the chat service's conversations, in an order that Twilio does not document, beginning where an earlier
   * one said that the next begins. The page size must be that of the earlier one.
   */
  async pageConversations(
    at: At,
    options: Omit<ListOptions, 'limit'> & { from?: PagePosition | null } = {},
  ): Promise<ConversationPage> {
    const { conversations: list } = this.service(at);
    const position = options.from ? { pageNumber: options.from.page, pageToken: options.from.token } : {};
    const asked = { ...position, pageSize: pageSizeOf(options, 100) };
    const { rows, nextUrl } = await this.calls.page(at, () => list.page(asked), toConversation);
    return { conversations: rows, next: nextUrl === null ? null : positionIn(nextUrl) };
  }

  /** Changes what is given, at least one thing. `closed` once the conversation is closed, whatever the change. */
  async updateConversation(at: At, sid: string, change: ConversationChange): Promise<UpstreamConversation> {
    const conversation = this.service(at).conversations(sidParameter('CH', sid));
    const { friendlyName, attributes, state, timers } = change;
    const parameters = {
      friendlyName: friendlyName === null ? '' : friendlyName,
      attributes,
      state,
      'timers.inactive': timers?.inactive,
      'timers.closed': timers?.closed,
    };
    return this.calls.write(at, async () => toConversation(await conversation.update(parameters)));
  }

  /** Removes a conversation with its participants and messages. */
  async deleteConversation(at: At, sid: string): Promise<void> {
    const conversation = this.service(at).conversations(sidParameter('CH', sid));
    return this.calls.remove(at, () => conversation.remove());
  }

  /**
   * Adds a participant. `already_exists` for an identity or address pair that is in already, and for a pair that is
   * active in another conversation (50416, `conflictingConversationSid`); `closed` for a closed conversation.
   */
  async addParticipant(at: At, conversationSid: string, participant: NewParticipant): Promise<Made> {
    const path = `/${sidParameter('CH', conversationSid)}/Participants`;
    const { projectedAddress, attributes } = participant;
    const who =
      'identity' in participant
        ? { Identity: participant.identity, RoleSid: participant.roleSid }
        : {
            'MessagingBinding.Address': participant.address,
            'MessagingBinding.ProxyAddress': participant.proxyAddress,
          };
    const form = { ...who, 'MessagingBinding.ProjectedAddress': projectedAddress, Attributes: attributes };
    return this.#make(at, 'MB', path, form);
  }

  /** By `MB…` or identity. Null when it, or the conversation, is not there. */
  async findParticipant(
    at: At,
    conversationSid: string,
    sidOrIdentity: string,
  ): Promise<UpstreamParticipant | null> {
    const conversation = this.service(at).conversations(sidParameter('CH', conversationSid));
    const participant = conversation.participants(nameParameter('MB', sidOrIdentity));
    return this.calls.find(at, async () => toParticipant(await participant.fetch()));
  }

  /** All participants of a conversation: 1,000 at most. */
  async listParticipants(
    at: At,
    conversationSid: string,
    options: ListOptions = {},
  ): Promise<UpstreamParticipant[]> {
    const { participants } = this.service(at).conversations(sidParameter('CH', conversationSid));
    return this.calls.list(at, { list: participants, largestPage: 100, toOurs: toParticipant }, options);
  }

  async updateParticipant(
    at: At,
    conversationSid: string,
    sid: string,
    change: ParticipantChange,
  ): Promise<UpstreamParticipant> {
    const conversation = this.service(at).conversations(sidParameter('CH', conversationSid));
    const participant = conversation.participants(sidParameter('MB', sid));
    const { roleSid, attributes } = change;
    return this.calls.write(at, async () => toParticipant(await participant.update({ roleSid, attributes })));
  }

  /** Takes somebody out of a conversation; his messages stay. False when Twilio did not find him. */
  async removeParticipant(at: At, conversationSid: string, sid: string): Promise<boolean> {
    const conversation = this.service(at).conversations(sidParameter('CH', conversationSid));
    const participant = conversation.participants(sidParameter('MB', sid));
    return this.calls.removeIfThere(at, () => participant.remove());
  }

  /** Posts a message. It has no key: a second call posts it twice. Wakes an inactive conversation. */
  async createMessage(at: At, conversationSid: string, message: NewMessage): Promise<UpstreamMessage> {
    const { messages } = this.service(at).conversations(sidParameter('CH', conversationSid));
    const { author, body, attributes, mediaSid } = message;
    const parameters = { author, body, attributes, mediaSid };
    return this.calls.write(at, async () => toMessage(await messages.create(parameters)));
  }

  /** Null when it, or the conversation, is not there. */
  async findMessage(at: At, conversationSid: string, sid: string): Promise<UpstreamMessage | null> {
    const conversation = this.service(at).conversations(sidParameter('CH', conversationSid));
    const message = conversation.messages(sidParameter('IM', sid));
    return this.calls.find(at, async () => toMessage(await message.fetch()));
  }

  /** Messages by index, all of them unless `limit` says otherwise. */
  async listMessages(
    at: At,
    conversationSid: string,
    options: MessageListOptions = {},
  ): Promise<UpstreamMessage[]> {
    return this.calls.list(at, this.#messages(at, conversationSid, options), options);
  }

  /** The same a page at a time, as the loop asks for them. A `break` ends the reading. */
  eachMessage(
    at: At,
    conversationSid: string,
    options: MessageListOptions = {},
  ): AsyncGenerator<UpstreamMessage, void> {
    return this.calls.each(at, this.#messages(at, conversationSid, options), options);
  }

  /**
   * One page of messages, beginning where an earlier one said that the next begins. Order and page size must be those
   * of the earlier one. How long Twilio honours a position is not documented.
   */
  async pageMessages(
    at: At,
    conversationSid: string,
    options: Omit<MessageListOptions, 'limit'> & { from?: PagePosition | null } = {},
  ): Promise<MessagePage> {
    const { list, parameters, largestPage, toOurs } = this.#messages(at, conversationSid, options);
    const position = options.from ? { pageNumber: options.from.page, pageToken: options.from.token } : {};
    const asked = { ...parameters, ...position, pageSize: pageSizeOf(options, largestPage) };
    const { rows, nextUrl } = await this.calls.page(at, () => list.page(asked), toOurs);
    return { messages: rows, next: nextUrl === null ? null : positionIn(nextUrl) };
  }

  /** Changes a message; what is left out stays. Whether Twilio allows it in a closed conversation is not verified. */
  async updateMessage(
    at: At,
    conversationSid: string,
    sid: string,
    change: MessageChange,
  ): Promise<UpstreamMessage> {
    const conversation = this.service(at).conversations(sidParameter('CH', conversationSid));
    const message = conversation.messages(sidParameter('IM', sid));
    const { author, body, attributes } = change;
    return this.calls.write(at, async () => toMessage(await message.update({ author, body, attributes })));
  }

  /** Removes a message; its index is not given again. In a closed conversation: not verified, as above. */
  async deleteMessage(at: At, conversationSid: string, sid: string): Promise<void> {
    const conversation = this.service(at).conversations(sidParameter('CH', conversationSid));
    const message = conversation.messages(sidParameter('IM', sid));
    return this.calls.remove(at, () => message.remove());
  }

  /**
   * Makes a conversation, or something in one. By the request that the SDK's resources are made of, and not by these: a
   * provision needs the sids alone, and they would parse each date (measured: a third of a call's CPU).
   */
  #make(at: At, prefix: SidPrefix, path: string, data: Record<string, string | undefined>): Promise<Made> {
    const uri = `/Services/${sidParameter('IS', at.serviceSid)}/Conversations${path}`;
    return this.calls.write(at, async () => {
      const made = (await this.api.create({ uri, method: 'post', data, headers: {} })) as { sid: string };
      return { sid: sidParameter(prefix, made.sid) };
    });
  }

  #messages(at: At, conversationSid: string, { order = 'asc' }: MessageListOptions) {
    const { messages } = this.service(at).conversations(sidParameter('CH', conversationSid));
    return { list: messages, largestPage: 100 as const, toOurs: toMessage, parameters: { order } };
  }
}

/** Twilio's URL itself is never given away: it would come back from outside as a path to send to. */
function positionIn(nextUrl: string): PagePosition {
  const query = new URL(nextUrl).searchParams;
  const token = query.get('PageToken');
  if (token === null) throw TwilioError.unreadable('its next page has no token');
  return { page: Number(query.get('Page') ?? 1), token };
}
