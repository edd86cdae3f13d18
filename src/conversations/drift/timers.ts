import type { UpstreamConversation } from '../../twilio/twilio.types.js';
import type { Timers } from '../conversation.entity.js';
import type { UpstreamChat } from './comparison.js';

const TIMERS = ['inactive', 'closed'] as const;
type Timer = (typeof TIMERS)[number];

/** A duration, but for that of nothing. */
const isAsked = (timer: string | undefined): boolean => timer !== undefined && /[1-9]/.test(timer);

const runs = ({ timers }: UpstreamConversation, timer: Timer): boolean =>
  (timer === 'inactive' ? timers.dateInactive : timers.dateClosed) !== null;

/** The timers that were asked for and do not run. */
export function stoppedTimers(timers: Timers, there: UpstreamConversation): Timer[] {
  const counts = {
    inactive: there.state === 'active',
    closed: there.state === 'active' || there.state === 'inactive',
  };
  return TIMERS.filter((timer) => counts[timer] && isAsked(timers[timer]) && !runs(there, timer));
}

/** The timers that run and that nobody asked for, neither of us nor for the whole account. */
export function unaskedTimers(
  timers: Timers,
  { conversation, defaultTimers }: Pick<UpstreamChat, 'conversation' | 'defaultTimers'>,
): Timer[] {
  if (!conversation || !defaultTimers) return [];
  return TIMERS.filter(
    (timer) => runs(conversation, timer) && !isAsked(timers[timer]) && !isAsked(defaultTimers[timer]),
  );
}
