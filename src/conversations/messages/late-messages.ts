import type { TwilioGateway } from '../../twilio/twilio.gateway.js';
import type { ConversationStore } from '../conversation-store.js';
import type { Attempt } from '../conversation-work.js';
import { messageIdOf, RESERVED_ATTRIBUTE, splitAttributes } from './message.entity.js';
import type { MessageChangeWish } from './message-wishes.js';
import { messagesSince } from './messages-since.js';

/** What a look over the messages since what may have landed late has found. */
export interface TwinsFound {
  removed: number;
  /** When the newest message came that did not come through us; null where there is none. */
  strangerAt: Date | null;
}

/** A message that was given up, and sent again, may have taken effect after all: the copy that we do not know goes. */
export async function removeTwins(
  gateway: TwilioGateway,
  store: ConversationStore,
  { lease, at, work }: Attempt,
  conversationSid: string,
): Promise<TwinsFound> {
  const recorded = await store.sentMessages(lease.id, work.lateSince);
  // Those that have been sent and are not recorded yet.
  for (const { id, twilioSid } of work.messages) if (twilioSid !== null) recorded.set(id, twilioSid);
  const found: TwinsFound = { removed: 0, strangerAt: null };
  for await (const message of messagesSince(gateway, at, conversationSid, work.lateSince)) {
    const own = messageIdOf(message);
    const sid = own === null ? undefined : recorded.get(own);
    if (sid === undefined) found.strangerAt ??= message.dateCreated;
    else if (sid !== message.sid) {
      await gateway.deleteMessage(at, conversationSid, message.sid);
      found.removed += 1;
    }
  }
  return found;
}

/** An edit that was given up may have taken effect after a later one: the last body and the last attributes count. */
export async function sendLastEdits(
  gateway: TwilioGateway,
  store: ConversationStore,
  { lease, at, work }: Attempt,
  conversationSid: string,
): Promise<void> {
  const asked = await store.lateChanges<MessageChangeWish>(lease.id, 'update_message', work.lateSince);
  for (const sid of new Set(asked.map(({ messageSid }) => messageSid))) {
    const ofThis = asked.filter(({ messageSid }) => messageSid === sid);
    const there = ofThis.length > 1 ? await gateway.findMessage(at, conversationSid, sid) : null;
    if (!there) continue;
    const { shown, mark } = splitAttributes(there.attributes);
    const body = lastOver(
      ofThis.map((change) => change.body),
      there.body,
    );
    const attributes = lastOver(
      ofThis.map((change) => change.attributes),
      shown,
    );
    const change = {
      ...(body !== undefined && { body }),
      ...(attributes !== undefined && {
        attributes: JSON.stringify({
          ...attributes,
          ...(mark !== undefined && { [RESERVED_ATTRIBUTE]: mark }),
        }),
      }),
    };
    if (Object.keys(change).length > 0) await gateway.updateMessage(at, conversationSid, sid, change);
  }
}

/** The last of what was asked for, where an earlier one of it is there instead. */
function lastOver<Value>(asked: (Value | undefined)[], there: unknown): Value | undefined {
  const given = asked.filter((value) => value !== undefined);
  const last = given.at(-1);
  const isThere = (value: unknown): boolean => JSON.stringify(value) === JSON.stringify(there);
  return given.some(isThere) && !isThere(last) ? last : undefined;
}
