import { Injectable } from '@nestjs/common';
import { AppError } from '../../common/errors/app-error.js';
import type { OpenWish, SettledWish } from '../../reconciler/wish-store.js';
import { TwilioError } from '../../twilio/twilio-error.js';
import { TwilioGateway } from '../../twilio/twilio.gateway.js';
import { ChatCalls, refuse } from '../chat-calls.js';
import { endWith, Refusal, type Attempt } from '../conversation-work.js';
import { MessageResponse } from './message.dto.js';
import { RESERVED_ATTRIBUTE, splitAttributes } from './message.entity.js';

/** What `update_message` changes: the keys that are given. */
export interface MessageChangeWish {
  messageSid: string;
  body?: string;
  attributes?: Record<string, unknown>;
}

/** Fulfils what is wished about messages. */
@Injectable()
export class MessageWishes {
  constructor(
    private readonly calls: ChatCalls,
    private readonly gateway: TwilioGateway,
  ) {}

  async send(attempt: Attempt, sid: string, { payload }: OpenWish): Promise<SettledWish> {
    const { work } = attempt;
    const message = work.message(payload['messageId']);
    const author = message.authorId === null ? null : work.participant(message.authorId);
    // Accepted before the person was erased, and late: nothing is said in his name any more.
    if (author?.identity?.status === 'erased') {
      work.change(message, { state: 'failed', body: '', attributes: {} });
      throw new Refusal(new AppError('identity_suspended'), message);
    }
    const name = author?.participant.address ?? author?.identity?.twilioIdentity ?? 'system';
    const sent = await this.calls.ensureMessage(attempt, sid, message, name);
    const answer = sent
      ? MessageResponse.from(sent, work.view.participants)
      : MessageResponse.fromRow(message, author);
    return endWith(201, answer);
  }

  /** Sent again without harm: the last one counts. Our key within the attributes stays. */
  async update({ at, work }: Attempt, sid: string, { payload }: OpenWish): Promise<SettledWish> {
    const { messageSid, body, attributes } = payload as unknown as MessageChangeWish;
    const before = await this.gateway.findMessage(at, sid, messageSid);
    if (!before) return this.missing(at, sid);
    const { mark } = splitAttributes(before.attributes);
    const marked = { ...attributes, ...(mark !== undefined && { [RESERVED_ATTRIBUTE]: mark }) };
    const after = await this.gateway
      .updateMessage(at, sid, messageSid, {
        ...(body !== undefined && { body }),
        ...(attributes !== undefined && { attributes: JSON.stringify(marked) }),
      })
      .catch((error: unknown) => refuse(error));
    return endWith(200, MessageResponse.from(after, work.view.participants));
  }

  async remove({ at }: Attempt, sid: string, { payload }: OpenWish): Promise<SettledWish> {
    await this.gateway
      .deleteMessage(at, sid, String(payload['messageSid']))
      .catch((error: unknown) => refuse(error));
    return endWith(204, null);
  }

  /** The message alone is gone; or the conversation, which is another matter. */
  private async missing(at: Attempt['at'], sid: string): Promise<never> {
    if (await this.gateway.findConversation(at, sid)) {
      throw new Refusal(new AppError('not_found', { detail: 'There is no such message.' }));
    }
    throw new TwilioError({ kind: 'not_found', message: 'The conversation is missing', status: 404 });
  }
}
