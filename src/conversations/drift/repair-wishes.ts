import { Injectable } from '@nestjs/common';
import { Database } from '../../database/database.js';
import type { Lease } from '../../reconciler/lease.js';
import type { OpenWish, SettledWish } from '../../reconciler/wish-store.js';
import { toAppError } from '../../twilio/to-app-error.js';
import { TwilioError } from '../../twilio/twilio-error.js';
import { TwilioGateway } from '../../twilio/twilio.gateway.js';
import type { UpstreamConversation } from '../../twilio/twilio.types.js';
import { ChatCalls, roleSidOf } from '../chat-calls.js';
import { endWith, Refusal, type Attempt } from '../conversation-work.js';
import {
  addressOf,
  attributesOf,
  compareConversation,
  type ConversationFinding,
  type UpstreamChat,
} from './comparison.js';
import { stoppedTimers, unaskedTimers } from './timers.js';
import { readChat } from './upstream-chat.js';

/** What `repair` may do beyond its usual: have people in again whom Twilio has lost. */
export interface RepairWish {
  readd: boolean;
}

/** What came of one finding. `detail`: why it was left, or what was done in place of what was asked for. */
export interface MendedFinding extends ConversationFinding {
  repaired: boolean;
  detail: string | null;
}

/** One repair under way: what Twilio had when it began. */
interface Mending {
  attempt: Attempt;
  sid: string;
  chat: UpstreamChat;
  readd: boolean;
}

const ADOPT_ADDRESS = `
  update participants p set address = $4, proxy_address = $5, projected_address = $6, updated_at = now()
  from conversations c
  where c.id = $1 and c.lease_token = $2 and p.id = $3 and p.conversation_id = c.id
  returning p.id`;

/**
 * Brings rows and Twilio together where nobody has asked for anything: the one place that may. It compares anew under
 * the lease, so that it is right from any starting point. It ends whatever Twilio makes of it: what cannot be repaired
 * is said to be left, and holds up no command behind it.
 */
@Injectable()
export class RepairWishes {
  constructor(
    private readonly gateway: TwilioGateway,
    private readonly database: Database,
    private readonly calls: ChatCalls,
  ) {}

  async repair(attempt: Attempt, sid: string, { payload }: OpenWish): Promise<SettledWish> {
    const { at, service, work } = attempt;
    const chat = await readChat(this.gateway, this.database, at, work.view.conversation, sid);
    if (!chat.conversation && !(await this.calls.isGone(at, sid)))
      throw new TwilioError({ kind: 'blocked', message: 'Twilio has no such chat service' });
    const mending = { attempt, sid, chat, readd: payload['readd'] === true };
    const findings: MendedFinding[] = [];
    // A conversation that is to be closed is closed last: nothing can be changed in it after that.
    const found = compareConversation(work.view, service, chat);
    const [closing, others] = [found.filter(isClosing), found.filter((one) => !isClosing(one))];
    for (const one of [...others, ...closing]) findings.push({ ...one, ...(await this.mend(mending, one)) });
    if (findings.some(({ repaired }) => repaired)) work.view.conversation.updatedAt = new Date();
    return endWith(200, { findings });
  }

  private async mend(
    mending: Mending,
    one: ConversationFinding,
  ): Promise<Omit<MendedFinding, keyof ConversationFinding>> {
    if (one.repair === 'none')
      return { repaired: false, detail: 'Nothing that is safe can be done about it.' };
    try {
      if (one.participant) return { repaired: true, detail: await this.mendParticipant(mending, one) };
      await this.mendConversation(mending, one);
      return { repaired: true, detail: null };
    } catch (error) {
      const why = whyLeft(error);
      if (why === null) throw error;
      return { repaired: false, detail: why };
    }
  }

  private async mendConversation({ attempt, sid, chat }: Mending, one: ConversationFinding): Promise<void> {
    const { at, work } = attempt;
    const { conversation } = work.view;
    const there = chat.conversation;
    if (one.kind === 'message_twin' && one.message)
      return this.gateway.deleteMessage(at, sid, one.message.twilioSid);
    // Deleted at Twilio: it is not made again.
    if (!there) return void Object.assign(conversation, { state: 'deleted', deletedAt: new Date() });
    if (isClosing(one)) return void (await this.gateway.updateConversation(at, sid, { state: 'closed' }));
    if (one.kind === 'conversation_state') Object.assign(conversation, { state: there.state });
    if (one.kind === 'conversation_friendly_name') conversation.friendlyName = there.friendlyName || null;
    if (one.kind === 'conversation_attributes')
      conversation.attributes = attributesOf(there.attributes) ?? conversation.attributes;
    if (one.kind === 'conversation_timers') await this.mendTimers(attempt, sid, chat, there);
  }

  /** One that does not run is off here too; one that nobody asked for is turned off. Either way nothing ends by it. */
  private async mendTimers(
    { at, work }: Attempt,
    sid: string,
    chat: UpstreamChat,
    there: UpstreamConversation,
  ): Promise<void> {
    const { conversation } = work.view;
    const unasked = unaskedTimers(conversation.timers, chat);
    if (unasked.length > 0) {
      const timers = Object.fromEntries(unasked.map((timer) => [timer, 'PT0S']));
      await this.gateway.updateConversation(at, sid, { timers });
    }
    const stopped: string[] = stoppedTimers(conversation.timers, there);
    const kept = Object.entries(conversation.timers).filter(([timer]) => !stopped.includes(timer));
    conversation.timers = Object.fromEntries(kept);
  }

  /** Answers what is to be said about it, if anything. */
  private async mendParticipant(mending: Mending, one: ConversationFinding): Promise<string | null> {
    const { attempt, sid, chat } = mending;
    const { lease, at, service, work } = attempt;
    const there = chat.participants.find((other) => other.sid === one.participant?.twilioSid);
    if (one.kind === 'participant_missing') return this.mendMissing(mending, one);
    if (!there) throw new Error(`Nobody at Twilio is ${one.participant?.twilioSid}.`);
    if (one.kind === 'participant_extra') {
      await this.gateway.removeParticipant(at, sid, there.sid);
      return null;
    }
    const { participant } = work.participant(one.participant?.id);
    if (one.kind === 'participant_replaced')
      work.change(participant, { twilioSid: there.sid, state: 'joined' });
    if (one.kind === 'participant_attributes')
      work.change(participant, { attributes: attributesOf(there.attributes) ?? participant.attributes });
    if (one.kind === 'participant_role') {
      const roleSid = roleSidOf(participant, service);
      if (roleSid !== null) await this.gateway.updateParticipant(at, sid, there.sid, { roleSid });
    }
    if (one.kind === 'participant_address') {
      const pair = addressOf(there.messagingBinding);
      await this.adoptAddress(lease, participant.id, pair);
      work.change(participant, pair);
    }
    return null;
  }

  /** Who has left is not had in again, unless that was asked for, and is clean: he may be in, and Twilio takes him. */
  private async mendMissing(
    { attempt, sid, chat, readd }: Mending,
    one: ConversationFinding,
  ): Promise<string | null> {
    const { work } = attempt;
    const missing = work.participant(one.participant?.id);
    const { participant, identity } = missing;
    const open = chat.conversation?.state === 'active' || chat.conversation?.state === 'inactive';
    if (!readd || !open || (identity !== null && identity.status !== 'active')) {
      work.change(participant, { state: 'removed' });
      return null;
    }
    try {
      work.change(participant, { state: 'pending', twilioSid: null });
      await this.calls.ensureParticipant(attempt, sid, missing, chat.participants);
      return 'Had in again.';
    } catch (error) {
      if (!(error instanceof Refusal) || error.error.code === 'conversation_closed') throw error;
      work.change(participant, { state: 'removed', failure: null });
      return `Not had in again: ${error.error.message}`;
    }
  }

  private async adoptAddress(
    lease: Lease,
    participantId: string,
    { address, proxyAddress, projectedAddress }: ReturnType<typeof addressOf>,
  ): Promise<void> {
    const values = [lease.id, lease.token, participantId, address, proxyAddress, projectedAddress];
    lease.assertHeld(await this.database.query('drift.adopt-address', ADOPT_ADDRESS, values));
  }
}

const isClosing = ({ kind, repair }: ConversationFinding): boolean =>
  kind === 'conversation_state' && repair === 'update';

/**
 * Why a finding stays as it is; null where the same may be tried again (an unknown outcome, too many requests, bad
 * credentials). That it was closed meanwhile ends the repair, and is adopted.
 */
function whyLeft(error: unknown): string | null {
  if (!(error instanceof TwilioError)) return null;
  if (error.kind === 'closed') throw new Refusal(toAppError(error));
  const again = error.kind === 'unknown' || error.kind === 'rate_limited' || error.kind === 'conflict';
  return again || error.auth ? null : error.message;
}
