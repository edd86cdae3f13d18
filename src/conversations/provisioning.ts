import { Injectable } from '@nestjs/common';
import type { ReadyChatService } from '../chat-services/chat-services.service.js';
import { isPreset } from '../chat-services/presets.js';
import { AppError } from '../common/errors/app-error.js';
import { renderProblem } from '../common/errors/problem.js';
import type { IdentityEntity } from '../identities/identity.entity.js';
import { LeaseLost, type Lease } from '../reconciler/lease.js';
import { toAppError } from '../twilio/to-app-error.js';
import { TwilioError } from '../twilio/twilio-error.js';
import { TwilioGateway } from '../twilio/twilio.gateway.js';
import type { At, NewParticipant, UpstreamParticipant } from '../twilio/twilio.types.js';
import { ConversationResponse, type ConversationView } from './conversation.dto.js';
import { uniqueNameOf, type Failure } from './conversation.entity.js';
import { ConversationStore, failureOf, type ConversationWork } from './conversation-store.js';
import { messageIdOf, twilioAttributes, type MessageEntity } from './messages/message.entity.js';
import type { ParticipantEntity } from './participants/participant.entity.js';

/** Twilio will not have the conversation as it was asked for: it is taken back, and the wish ends with `error`. */
class Refusal extends Error {
  constructor(
    readonly error: AppError,
    readonly participant?: ParticipantEntity,
  ) {
    super(error.message);
  }
}

/** What one try works with. */
interface Attempt {
  lease: Lease;
  at: At;
  service: ReadyChatService;
  work: ConversationWork;
}

/**
 * Makes a conversation that is wanted. Right from any starting point: whatever may have been sent before is looked up by
 * its natural key before it is sent again.
 */
@Injectable()
export class Provisioning {
  constructor(
    private readonly gateway: TwilioGateway,
    private readonly store: ConversationStore,
  ) {}

  /** Throws what stopped it for now. Settles the wish when it is done, and when Twilio refuses for good. */
  async run(attempt: Attempt): Promise<void> {
    const { lease, work } = attempt;
    lease.worked = true;
    try {
      if (work.view.conversation.failure) throw new Refusal(refusedBefore(work.view.conversation.failure));
      await this.make(attempt);
      await this.settleMade(attempt);
    } catch (error) {
      const refusal = await this.asRefusal(error, attempt);
      if (!refusal) throw error;
      await this.takeBack(attempt, refusal);
    }
  }

  /** Two round trips: the conversation, then everybody and the greeting side by side. */
  private async make(attempt: Attempt): Promise<void> {
    const { lease, at, work } = attempt;
    const { conversation, participants, greeting } = work.view;
    conversation.twilioSid ??= await this.ensureConversation(attempt);
    const sid = conversation.twilioSid;
    const present = lease.uncertain ? await this.gateway.listParticipants(at, sid) : [];
    const add = participants.map(({ participant, identity }) =>
      this.ensureParticipant(attempt, sid, participant, identity, present),
    );
    // Who chats sees earlier messages; who is reached at an address gets only what is written after he joined.
    const atOnce = participants.every(({ participant }) => participant.address === null);
    if (greeting && atOnce) add.push(this.ensureMessage(attempt, sid, greeting));
    throwWorst(await Promise.allSettled(add));
    if (greeting && !atOnce) await this.ensureMessage(attempt, sid, greeting);
  }

  private async ensureConversation({ lease, at, work }: Attempt): Promise<string> {
    const { id, friendlyName, attributes, timers } = work.view.conversation;
    const uniqueName = uniqueNameOf(id);
    const found = lease.uncertain ? await this.gateway.findConversation(at, uniqueName) : null;
    const { sid } =
      found ??
      (await this.gateway
        .createConversation(at, {
          uniqueName,
          ...(friendlyName !== null && { friendlyName }),
          attributes: JSON.stringify(attributes),
          ...(Object.keys(timers).length > 0 && { timers }),
        })
        .catch((error: unknown) =>
          this.existing(error, () => this.gateway.findConversation(at, uniqueName)),
        ));
    await this.store.recordSid(lease, sid);
    return sid;
  }

  private async ensureParticipant(
    { at, service }: Attempt,
    conversationSid: string,
    participant: ParticipantEntity,
    identity: IdentityEntity | null,
    present: UpstreamParticipant[],
  ): Promise<void> {
    if (participant.state === 'joined') return;
    const isThis = (other: UpstreamParticipant): boolean => matches(other, participant, identity);
    try {
      const { sid } =
        present.find(isThis) ??
        (await this.gateway
          .addParticipant(at, conversationSid, toUpstream(participant, identity, service))
          .catch((error: unknown) => {
            const elsewhere = error instanceof TwilioError ? error.conflictingConversationSid : null;
            if (elsewhere !== null && elsewhere !== conversationSid) throw error;
            return this.existing(error, async () =>
              (await this.gateway.listParticipants(at, conversationSid)).find(isThis),
            );
          }));
      participant.twilioSid = sid;
      participant.state = 'joined';
    } catch (error) {
      throw error instanceof TwilioError && isFinal(error)
        ? new Refusal(toAppError(error), participant)
        : error;
    }
  }

  private async ensureMessage(
    { lease, at }: Attempt,
    conversationSid: string,
    message: MessageEntity,
  ): Promise<void> {
    if (message.state === 'sent') return;
    const found = lease.uncertain ? await this.findMessage(at, conversationSid, message.id) : null;
    const { sid } =
      found ??
      (await this.gateway.createMessage(at, conversationSid, {
        author: 'system',
        body: message.body,
        attributes: twilioAttributes(message),
      }));
    message.twilioSid = sid;
    message.state = 'sent';
  }

  private async findMessage(at: At, conversationSid: string, id: string): Promise<{ sid: string } | null> {
    for await (const message of this.gateway.eachMessage(at, conversationSid)) {
      if (messageIdOf(message.attributes) === id) return message;
    }
    return null;
  }

  /** "Already there" is verified, then as good as made. */
  private async existing<T>(error: unknown, find: () => Promise<T | null | undefined>): Promise<T> {
    if (!(error instanceof TwilioError) || error.kind !== 'already_exists') throw error;
    const found = await find();
    if (!found) throw error;
    return found;
  }

  private async asRefusal(error: unknown, { at, work }: Attempt): Promise<Refusal | null> {
    if (error instanceof Refusal) return error;
    if (!(error instanceof TwilioError)) return null;
    if (isFinal(error)) return new Refusal(toAppError(error));
    const { twilioSid } = work.view.conversation;
    if (error.kind !== 'not_found' || twilioSid === null) return null;
    // Missing while its chat service is there: somebody has deleted it at Twilio.
    const gone =
      !(await this.gateway.findConversation(at, twilioSid)) &&
      (await this.gateway.findService(at.serviceSid, at));
    return gone
      ? new Refusal(new AppError('conversation_deleted', { detail: 'It was deleted at Twilio.' }))
      : null;
  }

  private async settleMade({ lease, work }: Attempt): Promise<void> {
    const { view } = work;
    view.conversation.state = 'active';
    view.conversation.updatedAt = new Date();
    const answer = JSON.stringify(ConversationResponse.from(view));
    await this.store.settle(lease, view, provisionWish(work)?.id ?? null, {
      status: 201,
      answer,
      location: `/v1/conversations/${lease.id}`,
    });
  }

  /** Nothing stays at Twilio, and nothing is answered before that. */
  private async takeBack({ lease, at, work }: Attempt, refusal: Refusal): Promise<void> {
    const { view } = work;
    const { conversation } = view;
    const { error, participant } = refusal;
    if (!conversation.failure) {
      conversation.failure = failureOf(error);
      await this.store.recordFailure(lease, conversation.failure);
    }
    const sid =
      conversation.twilioSid ??
      (lease.uncertain ? (await this.gateway.findConversation(at, uniqueNameOf(lease.id)))?.sid : null);
    if (sid) await this.gateway.deleteConversation(at, sid);
    fail(view, conversation.failure, participant);
    const wish = provisionWish(work);
    const problem = renderProblem(answerFor(conversation.failure, lease.id), {
      instance: wish?.instance ?? '',
      requestId: wish?.requestId ?? '',
    });
    await this.store.settle(lease, view, wish?.id ?? null, {
      status: problem.status,
      answer: JSON.stringify(problem),
      location: null,
    });
  }
}

const provisionWish = (work: ConversationWork) => work.wishes.find(({ kind }) => kind === 'provision');

/** Twilio's word is final: the same again would be refused again. */
function isFinal(error: TwilioError): boolean {
  return error.kind === 'refused' || error.kind === 'closed' || error.conflictingConversationSid !== null;
}

function refusedBefore({ code, detail, twilio }: Failure): AppError {
  return new AppError(code, { detail, ...(twilio && { twilio }) });
}

/** A pair in use elsewhere, and a conversation deleted at Twilio, have codes of their own. */
function answerFor({ code, detail, twilio }: Failure, id: string): AppError {
  const shown = code === 'upstream_refused' || code === 'conversation_closed' ? 'provisioning_failed' : code;
  return new AppError(shown, { detail, ...(twilio && { twilio }), extensions: { conversation: { id } } });
}

/** Nothing of it is at Twilio any more, so no sid is shown. */
function fail(view: ConversationView, failure: Failure, refused?: ParticipantEntity): void {
  Object.assign(view.conversation, { state: 'failed', twilioSid: null, updatedAt: new Date() });
  for (const { participant } of view.participants) {
    Object.assign(participant, { state: 'failed', twilioSid: null });
    if (participant === refused) participant.failure = failure;
  }
  if (view.greeting) Object.assign(view.greeting, { state: 'failed', twilioSid: null });
}

/** One failure of several: a lost lease first (nothing more may be sent), then a refusal (it ends the matter). */
function throwWorst(results: PromiseSettledResult<unknown>[]): void {
  const reasons = results.flatMap((result) =>
    result.status === 'rejected' ? [result.reason as unknown] : [],
  );
  const worst =
    reasons.find((reason) => reason instanceof LeaseLost) ??
    reasons.find(
      (reason) => reason instanceof Refusal || (reason instanceof TwilioError && isFinal(reason)),
    ) ??
    // An unknown outcome must be known to the next try, whatever else failed beside it.
    reasons.find((reason) => reason instanceof TwilioError && reason.kind === 'unknown') ??
    reasons[0];
  if (worst !== undefined) throw worst as Error;
}

function toUpstream(
  participant: ParticipantEntity,
  identity: IdentityEntity | null,
  service: ReadyChatService,
): NewParticipant {
  const { address, proxyAddress, projectedAddress, role, roleSid } = participant;
  const attributes = JSON.stringify(participant.attributes);
  if (address !== null) return { address, ...(proxyAddress !== null && { proxyAddress }), attributes };
  if (!identity) throw new Error(`Participant ${participant.id} is neither an identity nor an address.`);
  const preset = role !== null && isPreset(role) ? service.presetSids.get(role) : undefined;
  return {
    identity: identity.twilioIdentity,
    ...((roleSid ?? preset) && { roleSid: roleSid ?? preset }),
    ...(projectedAddress !== null && { projectedAddress }),
    attributes,
  };
}

function matches(
  other: UpstreamParticipant,
  wanted: ParticipantEntity,
  identity: IdentityEntity | null,
): boolean {
  if (wanted.address === null) return identity !== null && other.identity === identity.twilioIdentity;
  const binding = other.messagingBinding;
  return binding?.address === wanted.address && (binding.proxyAddress ?? null) === wanted.proxyAddress;
}
