/**
 * - `refused`: Twilio will never take this request as it is. Only listed codes: what was made may be taken back for it.
 * - `already_exists`: the key is taken, perhaps by ourselves in an earlier attempt: look, then go on.
 * - `closed`: the conversation is closed, which is final.
 * - `not_found`: it is not there: done for a removal, a question for everything else.
 * - `conflict`: another change was under way; not done, safe to send again.
 * - `rate_limited`: not looked at, safe to send again.
 * - `blocked`: credentials, permissions, and every answer that is not understood. Nothing may be taken away because of
 *   it; it is tried again with growing pauses until an operator has helped.
 * - `unknown`: whether it was done cannot be told: look before sending again.
 */
export type TwilioErrorKind =
  'refused' | 'already_exists' | 'closed' | 'not_found' | 'conflict' | 'rate_limited' | 'blocked' | 'unknown';

/** Pair in use in another conversation, or here already; the message names the conversation. */
export const BINDING_EXISTS = 50416;

/** Codes that speak of the credentials whatever the status they come with. */
export const AUTH_CODES: ReadonlySet<number> = new Set([20003, 20403]);

/**
 * By Twilio code. Meanings are those of https://www.twilio.com/docs/api/errors/<code>; the HTTP status of most codes is
 * not published, which is why the code decides first. A code that is not here is decided by its status, and is never
 * `refused`.
 */
const BY_CODE: readonly (readonly [TwilioErrorKind, readonly number[]])[] = [
  // Refused: a parameter that is missing, malformed, too long or not allowed, or a limit that no repetition lifts.
  // General: parameter missing or malformed, page too large, nothing to change.
  ['refused', [20001, 20007, 20161, 50347]],
  // Chat service: friendly name missing or too long, unique name too long.
  ['refused', [50000, 50003, 50004]],
  // Role: unknown permission, invalid type. 50100 to 50109: no role with this sid, when it was a parameter; where the
  // path names the role, the status (404) says that it is missing.
  ['refused', [50104, 50105, 50100, 50101, 50102, 50103, 50106, 50109]],
  // User: sid or identity missing, reserved, like a sid, too long; role or level not allowed; too many conversations.
  ['refused', [50202, 50203, 50204, 50205, 50206, 50207, 50209, 50210, 50208, 50214]],
  // Attributes too long or no JSON; unique name like a sid; dates; author too long.
  ['refused', [50303, 50304, 50306, 50308, 50309, 50310]],
  // Conversation: messaging service, sid, unique name, type.
  ['refused', [50340, 50341, 50342, 50351, 50390, 50393]],
  // Conversation: state empty or invalid, timers too short, malformed or without a state, creation as closed.
  ['refused', [50374, 50375, 50376, 50378, 50379, 50380, 50382, 50384]],
  // Participant: address and identity together, addresses that are invalid, equal, empty, not ours, of two kinds.
  ['refused', [50211, 50407, 50408, 50409, 50411, 50412, 50413, 50414, 50415, 50431, 50451]],
  // Participant: limits of a conversation.
  ['refused', [50417, 50418, 50422, 50436]],
  // Group texts: projected addresses and authors. 50438, a conflict by its published status, counts as in use elsewhere:
  // the page with its meaning could not be read.
  ['refused', [50434, 50435, 50438, 50439, 50440, 50441, 50442, 50443, 50444, 50513]],
  // Message: body or sid missing, body too long; media.
  ['refused', [50501, 50502, 50503, 50504, 50505, 50506, 50507, 50508, 50509, 50510, 50511, 50512]],

  // Taken, perhaps by our own earlier attempt: unique name, participant, projected address, user, address pair.
  ['already_exists', [50353, 50433, 50437, 50201, BINDING_EXISTS]],

  // Any change of a closed conversation.
  ['closed', [50377]],

  // The general one; chat service, user, conversation, participant, message.
  ['not_found', [20404, 50050, 50200, 50350, 50432, 50500]],

  // "Conflicting modification, retry"; and "is being deleted", after which it is missing.
  ['conflict', [50213, 50349, 50391, 50419, 50449]],
  ['conflict', [50002, 50334]],

  // Too many at once in the account; too many actions a second in the service or the conversation.
  ['rate_limited', [20429, 50063, 50074]],

  // Credentials and permissions of the account. Every 4xx with a code that is not in this table counts so too.
  ['blocked', [...AUTH_CODES]],
];

const KIND_BY_CODE: ReadonlyMap<number, TwilioErrorKind> = new Map(
  BY_CODE.flatMap(([kind, codes]) => codes.map((code): [number, TwilioErrorKind] => [code, kind])),
);

/** By status, where the code does not tell. */
function kindByStatus(status: number, isTwilio: boolean): TwilioErrorKind {
  if (status === 429) return 'rate_limited';
  // A proxy's or a wrong address's 404 says nothing about a resource at Twilio: nothing may count as removed by it.
  if (status === 404) return isTwilio ? 'not_found' : 'blocked';
  if (status === 408 || status >= 500 || status < 400) return 'unknown';
  return 'blocked';
}

/**
 * The kind of a failure.
 * @param status of the answer, 300 to 599
 * @param code Twilio's, null where the answer had none
 * @param isTwilio whether the body was a JSON object, as all of Twilio's are
 */
export function classify(status: number, code: number | null, isTwilio: boolean): TwilioErrorKind {
  return (code !== null && KIND_BY_CODE.get(code)) || kindByStatus(status, isTwilio);
}
