import type { Moment } from './holding-proxy.js';

/** A place on the way of a message at which the process that sends it is killed or frozen. */
export interface Boundary {
  name: string;
  way: 'postgres' | 'sandbox';
  message: RegExp;
  moment: Moment;
}

/** Calls that change something at Twilio. */
const SENDS = {
  'a conversation is made': /^POST \/v1\/Services\/IS\w+\/Conversations /,
  'a participant is added': /^POST \/v1\/Services\/IS\w+\/Conversations\/CH\w+\/Participants /,
  'a message is sent': /^POST \/v1\/Services\/IS\w+\/Conversations\/CH\w+\/Messages /,
  'something is changed': /^POST \/v1\/Services\/IS\w+\/Conversations\/CH\w+(\/Participants\/MB\w+)? /,
  'something is removed': /^DELETE \/v1\/Services\/IS\w+\/Conversations\//,
};

/** Commits: of the transaction that writes a wish, and of statements that commit by themselves (as Postgres hears them). */
const COMMITS = {
  'a wish is committed': /^Q[^]{4}commit\0$/i,
  'a conversation is wanted': /conversations\.provision\0/,
  'an end is recorded': /conversations\.settle\0/,
  'a row is taken up': /lease\.claim\.conversations\0/,
};

const each = (way: Boundary['way'], messages: Record<string, RegExp>, moments: Moment[]): Boundary[] =>
  Object.entries(messages).flatMap(([what, message]) =>
    moments.map((moment) => ({ name: `${what}: ${SAID[moment]}`, way, message, moment })),
  );

const SAID: Record<Moment, string> = {
  before: 'before the send',
  sent: 'after the send',
  answered: 'done, the answer held',
  delivered: 'after the answer',
};

/** Every named boundary. */
export const BOUNDARIES: Boundary[] = [
  ...each('sandbox', SENDS, ['before', 'sent', 'answered', 'delivered']),
  ...each('postgres', COMMITS, ['before', 'answered', 'delivered']),
];

/** Where a frozen process would do harm when it wakes: it thinks that it may send, or that it may write. */
export const FREEZING: Boundary[] = [
  ...each('postgres', COMMITS, ['answered']),
  ...each('sandbox', SENDS, ['answered', 'before']),
];
