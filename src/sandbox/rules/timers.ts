import type { Conversation, ConversationState } from '../store/records.js';

export interface Timers {
  date_inactive: number | null;
  date_closed: number | null;
}

/**
 * When a conversation will turn inactive, and closed (Twilio): the inactive timer counts from the
 * last activity, the closed one from the moment the conversation turns inactive; alone, it counts
 * from the last activity too. A change of state or of the timers starts the count anew.
 */
export function timersOf(conversation: Conversation): Timers {
  const { state, inactive_after, closed_after, state_since, last_activity } = conversation;
  const closing = closed_after === null ? null : closed_after * 1000;
  if (state === 'inactive') {
    return { date_inactive: null, date_closed: closing === null ? null : state_since + closing };
  }
  if (state !== 'active') return { date_inactive: null, date_closed: null };
  const since = Math.max(state_since, last_activity);
  const date_inactive = inactive_after === null ? null : since + inactive_after * 1000;
  return { date_inactive, date_closed: closing === null ? null : (date_inactive ?? since) + closing };
}

export const hasTimers = ({ inactive_after, closed_after }: Conversation): boolean =>
  inactive_after !== null || closed_after !== null;

/** The next thing that its timers will do to a conversation. */
export function nextTransition(
  conversation: Conversation,
): { due: number; to: ConversationState } | undefined {
  if (!hasTimers(conversation)) return undefined;
  const { date_inactive, date_closed } = timersOf(conversation);
  if (date_inactive !== null) return { due: date_inactive, to: 'inactive' };
  if (date_closed !== null) return { due: date_closed, to: 'closed' };
  return undefined;
}
