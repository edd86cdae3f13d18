import { Injectable } from '@nestjs/common';
import { setTimeout as delay } from 'node:timers/promises';
import type { ReadyChatService } from '../chat-services/chat-services.service.js';
import { isPreset } from '../chat-services/presets.js';
import { AppError } from '../common/errors/app-error.js';
import type { IdentityEntity } from '../identities/identity.entity.js';
import { toAppError } from '../twilio/to-app-error.js';
import { TwilioError } from '../twilio/twilio-error.js';
import { TwilioGateway } from '../twilio/twilio.gateway.js';
import type {
  At,
  NewParticipant,
  ParticipantChange,
  UpstreamMessage,
  UpstreamParticipant,
} from '../twilio/twilio.types.js';
import type { ViewedParticipant } from './conversation.dto.js';
import { uniqueNameOf } from './conversation.entity.js';
import { failureOf, Refusal, type Attempt } from './conversation-work.js';
import { messageIdOf, twilioAttributes, type MessageEntity } from './messages/message.entity.js';
import { messagesSince } from './messages/messages-since.js';
import type { ParticipantEntity } from './participants/participant.entity.js';

/** How far Twilio's clock may be behind ours, in milliseconds: a message is not older than its row, but for this. */
export const CLOCK_SKEW_MS = 600_000;

/**
 * The steps that commands are made of. Each brings one thing about and is right from any starting point: what may have
 * been sent before is looked up by its natural key before it is sent again. Each throws a Refusal when Twilio's word is
 * final, and otherwise what stopped it for now.
 */
@Injectable()
export class ChatCalls {
  constructor(private readonly gateway: TwilioGateway) {}

  /** The sid of the conversation, made where it is not. */
  async ensureConversation({ lease, at, work }: Attempt): Promise<string> {
    const { id, friendlyName, attributes, timers } = work.view.conversation;
    const uniqueName = uniqueNameOf(id);
    const find = () => this.gateway.findConversation(at, uniqueName);
    const found = lease.uncertain ? await find() : null;
    const { sid } =
      found ??
      (await this.gateway
        .createConversation(at, {
          uniqueName,
          ...(friendlyName !== null && { friendlyName }),
          attributes: JSON.stringify(attributes),
          ...(Object.keys(timers).length > 0 && { timers }),
        })
        .catch(async (error: unknown) => {
          const there = error instanceof TwilioError && error.kind === 'already_exists' ? await find() : null;
          if (!there) throw error;
          return there;
        }));
    return sid;
  }

  /** Has the participant in the conversation, as it was asked for. `present` are those who may be in it already. */
  async ensureParticipant(
    { at, service, work }: Attempt,
    conversationSid: string,
    { participant, identity }: ViewedParticipant,
    present: UpstreamParticipant[],
  ): Promise<void> {
    if (participant.state === 'joined') return;
    const isThis = (other: UpstreamParticipant): boolean => matches(other, participant, identity);
    const wanted = toUpstream(participant, identity, service);
    const find = async () => (await this.gateway.listParticipants(at, conversationSid)).find(isThis);
    // It may have landed late, from before the same one was removed and asked for otherwise.
    const asWanted = async (there: UpstreamParticipant): Promise<UpstreamParticipant> => {
      const change = differenceOf(there, wanted);
      if (change) await this.gateway.updateParticipant(at, conversationSid, there.sid, change);
      return there;
    };
    try {
      const known = present.find(isThis);
      const { sid } = known
        ? await asWanted(known)
        : await this.gateway.addParticipant(at, conversationSid, wanted).catch(async (error: unknown) => {
            if (isElsewhere(error, conversationSid)) throw error;
            return asWanted(
              await existing(error, async () => (await find()) ?? delay(SECOND_LOOK_MS).then(find)),
            );
          });
      work.change(participant, { twilioSid: sid, state: 'joined' });
    } catch (error) {
      if (!isFinal(error)) throw error;
      const refusal = toAppError(error);
      work.change(participant, { state: 'failed', failure: failureOf(refusal) });
      throw new Refusal(refusal, participant);
    }
  }

  /** Those who are in the conversation, where somebody may have been added before without our knowing. */
  present({ lease, at }: Attempt, conversationSid: string): Promise<UpstreamParticipant[]> {
    return lease.uncertain ? this.gateway.listParticipants(at, conversationSid) : Promise.resolve([]);
  }

  /** Has the participant out of the conversation. By sid only: an identity may stand for somebody who came later. */
  async ensureRemoved(
    { at, work }: Attempt,
    conversationSid: string,
    participant: ParticipantEntity,
  ): Promise<void> {
    const { twilioSid } = participant;
    if (twilioSid !== null) {
      const wasIn = await this.gateway
        .removeParticipant(at, conversationSid, twilioSid)
        .catch((error: unknown) => {
          if (isFinal(error)) work.change(participant, { state: 'joined' });
          return refuse(error, participant);
        });
      if (!wasIn) await this.assertOut(at, conversationSid, twilioSid);
    }
    work.change(participant, { state: 'removed' });
  }

  /** Whom Twilio did not find is out when it finds the conversation, and him not, or when the conversation is gone. */
  private async assertOut(at: At, conversationSid: string, sid: string): Promise<void> {
    const isOut = (await this.gateway.findConversation(at, conversationSid))
      ? (await this.gateway.findParticipant(at, conversationSid, sid)) === null
      : await this.isGone(at, conversationSid);
    if (!isOut)
      throw new TwilioError({ kind: 'conflict', status: 404, message: `${sid} was not found, and is there` });
  }

  /** Has the message in the conversation, once; it wakes an inactive one. Null when it has been recorded before. */
  async ensureMessage(
    { lease, at, work }: Attempt,
    conversationSid: string,
    message: MessageEntity,
    author = 'system',
  ): Promise<UpstreamMessage | null> {
    if (message.state === 'sent') return null;
    try {
      const found = lease.uncertain ? await this.findMessage(at, conversationSid, message) : null;
      const sent =
        found ??
        (await this.gateway.createMessage(at, conversationSid, {
          author,
          body: message.body,
          attributes: twilioAttributes(message),
          ...(message.mediaSid !== null && { mediaSid: message.mediaSid }),
        }));
      work.change(message, { twilioSid: sent.sid, index: sent.index, state: 'sent' });
      const { conversation } = work.view;
      if (conversation.state === 'inactive')
        Object.assign(conversation, { state: 'active', updatedAt: new Date() });
      return sent;
    } catch (error) {
      if (!isFinal(error)) throw error;
      const refusal = toAppError(error);
      work.change(message, { state: 'failed', failure: failureOf(refusal) });
      throw new Refusal(refusal, message);
    }
  }

  /**
   * Whether the conversation is missing while its chat service is there, before and after: somebody has deleted it at
   * Twilio. Asked once, the chat service might be found only because a disturbance has just begun, or ended.
   */
  async isGone(at: At, conversationSid: string): Promise<boolean> {
    const isThere = async () => (await this.gateway.findService(at.serviceSid, at)) !== null;
    const isMissing = async () => (await this.gateway.findConversation(at, conversationSid)) === null;
    return (await isThere()) && (await isMissing()) && (await isThere());
  }

  /** The newest first, and not further back than the message can be. */
  private async findMessage(
    at: At,
    conversationSid: string,
    message: MessageEntity,
  ): Promise<UpstreamMessage | null> {
    const earliest = new Date(message.createdAt.getTime() - CLOCK_SKEW_MS);
    for await (const other of messagesSince(this.gateway, at, conversationSid, earliest))
      if (messageIdOf(other) === message.id) return other;
    return null;
  }
}

/** Before what is said to be there, and is not seen, is looked for once more: in milliseconds. */
const SECOND_LOOK_MS = 500;

/** Twilio's word is final: the same again would be refused again. */
export function isFinal(error: unknown): error is TwilioError {
  return (
    error instanceof TwilioError &&
    (error.kind === 'refused' || error.kind === 'closed' || error.conflictingConversationSid !== null)
  );
}

export function refuse(error: unknown, row?: ParticipantEntity | MessageEntity): never {
  throw isFinal(error) ? new Refusal(toAppError(error), row) : error;
}

/** Everybody who waits is told so when the conversation was deleted at Twilio. */
export function deletedAtTwilio(): AppError {
  return new AppError('conversation_deleted', { detail: 'It was deleted at Twilio.' });
}

/** "Already there" is verified, then as good as made. What is not seen here is there in some other way, for good. */
async function existing<T>(error: unknown, find: () => Promise<T | null | undefined>): Promise<T> {
  if (!(error instanceof TwilioError) || error.kind !== 'already_exists') throw error;
  const found = await find();
  if (found) return found;
  const { code, status, requestId, message } = error;
  throw new TwilioError({ kind: 'refused', code, status, requestId, message });
}

/** The address pair is in use in another conversation. */
function isElsewhere(error: unknown, conversationSid: string): boolean {
  const holder = error instanceof TwilioError ? error.conflictingConversationSid : null;
  return holder !== null && holder !== conversationSid;
}

function toUpstream(
  participant: ParticipantEntity,
  identity: IdentityEntity | null,
  service: ReadyChatService,
): NewParticipant {
  const { address, proxyAddress, projectedAddress } = participant;
  const attributes = JSON.stringify(participant.attributes);
  if (address !== null) return { address, ...(proxyAddress !== null && { proxyAddress }), attributes };
  if (!identity) throw new Error(`Participant ${participant.id} is neither an identity nor an address.`);
  const roleSid = roleSidOf(participant, service);
  return {
    identity: identity.twilioIdentity,
    ...(roleSid !== null && { roleSid }),
    ...(projectedAddress !== null && { projectedAddress }),
    attributes,
  };
}

/** What a participant at Twilio has otherwise than it was asked for; null for nothing. */
function differenceOf(there: UpstreamParticipant, wanted: NewParticipant): ParticipantChange | null {
  const { attributes = '{}' } = wanted;
  const roleSid = 'roleSid' in wanted ? wanted.roleSid : undefined;
  const change = {
    ...(there.attributes !== attributes && { attributes }),
    ...(roleSid !== undefined && there.roleSid !== roleSid && { roleSid }),
  };
  return Object.keys(change).length > 0 ? change : null;
}

export function roleSidOf(
  { role, roleSid }: Pick<ParticipantEntity, 'role' | 'roleSid'>,
  service: ReadyChatService,
): string | null {
  return roleSid ?? (role !== null && isPreset(role) ? (service.presetSids.get(role) ?? null) : null);
}

/** Whether this is whom Twilio has. */
export function matches(
  other: UpstreamParticipant,
  wanted: ParticipantEntity,
  identity: IdentityEntity | null,
): boolean {
  if (wanted.address === null) return identity !== null && other.identity === identity.twilioIdentity;
  const binding = other.messagingBinding;
  return binding?.address === wanted.address && (binding.proxyAddress ?? null) === wanted.proxyAddress;
}
