import { Injectable } from '@nestjs/common';
import { AppError } from '../../common/errors/app-error.js';
import type { OpenWish, SettledWish } from '../../reconciler/wish-store.js';
import { TwilioError } from '../../twilio/twilio-error.js';
import { TwilioGateway } from '../../twilio/twilio.gateway.js';
import { ChatCalls, refuse, roleSidOf } from '../chat-calls.js';
import { endWith, Refusal, type Attempt } from '../conversation-work.js';
import { ParticipantResponse } from './participant.dto.js';
import type { ParticipantEntity } from './participant.entity.js';

/** What `update_participant` changes: the keys that are given. */
export interface ParticipantChangeWish {
  participantId: string;
  role?: string;
  roleSid?: string | null;
  attributes?: Record<string, unknown>;
}

/** Fulfils what is wished about single participants. */
@Injectable()
export class ParticipantWishes {
  constructor(
    private readonly calls: ChatCalls,
    private readonly gateway: TwilioGateway,
  ) {}

  async add(attempt: Attempt, sid: string, { payload }: OpenWish): Promise<SettledWish> {
    const added = attempt.work.participant(payload['participantId']);
    await this.calls.ensureParticipant(attempt, sid, added, await this.calls.present(attempt, sid));
    const { participant, identity } = added;
    return endWith(201, ParticipantResponse.from(participant, identity));
  }

  /** Sent again without harm: the last one counts. */
  async update(attempt: Attempt, sid: string, wish: OpenWish): Promise<SettledWish> {
    const { at, service, work } = attempt;
    const { participantId, role, roleSid, attributes } = wish.payload as unknown as ParticipantChangeWish;
    const { participant, identity } = work.participant(participantId);
    const twilioSid = await this.sidOf(participant);
    const wanted = Object.assign(
      { ...participant },
      role !== undefined && { role, roleSid: roleSid ?? null },
    );
    const newRoleSid = role === undefined ? null : roleSidOf(wanted, service);
    await this.gateway
      .updateParticipant(at, sid, twilioSid, {
        ...(newRoleSid !== null && { roleSid: newRoleSid }),
        ...(attributes !== undefined && { attributes: JSON.stringify(attributes) }),
      })
      .catch((error: unknown) => this.missing(attempt, sid, participant, error));
    work.change(participant, {
      role: wanted.role,
      roleSid: wanted.roleSid,
      ...(attributes !== undefined && { attributes }),
    });
    return endWith(200, ParticipantResponse.from(participant, identity));
  }

  async remove(attempt: Attempt, sid: string, { payload }: OpenWish): Promise<SettledWish> {
    const { participant } = attempt.work.participant(payload['participantId']);
    await this.calls.ensureRemoved(attempt, sid, participant);
    return endWith(204, null);
  }

  private sidOf({ twilioSid, state }: ParticipantEntity): Promise<string> {
    if (twilioSid !== null && state !== 'removed') return Promise.resolve(twilioSid);
    throw new Refusal(new AppError('participant_not_found'));
  }

  /** Whom Twilio does not have any more has left: that is adopted, when it says so twice. */
  private async missing(
    { at, work }: Attempt,
    sid: string,
    participant: ParticipantEntity,
    error: unknown,
  ): Promise<never> {
    if (!(error instanceof TwilioError) || error.kind !== 'not_found') return refuse(error);
    // The conversation itself may be gone, which is another matter.
    if ((await this.gateway.findConversation(at, sid)) === null) throw error;
    if (await this.gateway.findParticipant(at, sid, await this.sidOf(participant))) throw error;
    work.change(participant, { state: 'removed' });
    throw new Refusal(new AppError('participant_not_found'));
  }
}
