/**
 * Twilio's error codes that the sandbox answers, each with its HTTP status and message. The codes
 * and their meanings are Twilio's; a status or text that Twilio does not publish is our choice.
 */
const CATALOGUE = {
  20001: [400, 'Invalid parameter'],
  20003: [401, 'Authenticate'],
  20004: [405, 'Method not allowed'],
  20161: [400, 'An update must carry at least one parameter'],
  20403: [403, 'Forbidden'],
  20404: [404, 'The requested resource was not found'],
  20409: [409, 'Conflict'],
  20429: [429, 'Too many requests'],
  20500: [500, 'An internal server error has occurred'],
  20503: [503, 'Service unavailable'],
  19038: [400, 'PageToken is invalid'],
  50000: [400, 'Service friendly name is missing'],
  50003: [400, 'Friendly name is too long'],
  50004: [400, 'Unique name is too long'],
  50054: [400, 'Webhook format is invalid'],
  50055: [400, 'Webhook method is invalid'],
  50056: [400, 'The pre-event webhook rejected the command'],
  50057: [400, 'The pre-event webhook call failed'],
  50063: [429, 'Too many actions per second on this Service'],
  50065: [400, 'Retry count is invalid'],
  50074: [429, 'Too many actions per second on this Conversation'],
  50077: [400, 'Pre-event webhook URL is invalid'],
  50078: [400, 'Post-event webhook URL is invalid'],
  50102: [404, 'Service role not found'],
  50104: [400, 'Unknown permission'],
  50105: [400, 'Invalid role type'],
  50106: [404, 'Conversation creator role not found'],
  50109: [404, 'Conversation role not found'],
  50201: [409, 'User already exists'],
  50204: [400, 'Identity is missing'],
  50205: [400, 'This role cannot be set here: its type does not fit'],
  50206: [400, 'Identity must not look like a User SID'],
  50207: [400, 'Identity is too long'],
  50208: [400, 'Conversations per user limit reached'],
  50209: [400, 'Binding type is invalid'],
  50210: [400, 'Notification level is invalid'],
  50211: [400, 'Identity is not acceptable together with an address'],
  50303: [400, 'Attributes are too long'],
  50304: [400, 'Attributes are not valid JSON'],
  50308: [400, 'DateCreated is invalid'],
  50309: [400, 'DateUpdated is invalid'],
  50310: [400, 'Author is too long'],
  50340: [400, 'Messaging Service SID is missing'],
  50341: [400, 'Messaging Service SID is invalid'],
  50347: [400, 'An update must carry at least one parameter'],
  50349: [409, 'The Conversation is being changed, try again'],
  50353: [409, 'Conversation with provided unique name already exists'],
  50361: [400, 'Too many webhooks in this Conversation'],
  50362: [400, 'Too many triggers'],
  50364: [400, 'Webhook target is invalid'],
  50365: [400, 'Webhook filter is invalid'],
  50366: [400, 'Webhook trigger is too long'],
  50367: [400, 'Studio flow SID is invalid'],
  50368: [400, 'Webhook target is missing'],
  50369: [400, 'Webhook URL is missing'],
  50370: [400, 'Webhook filters are missing'],
  50371: [400, 'Webhook triggers are missing'],
  50372: [400, 'Webhook URL is too long'],
  50374: [400, 'State is empty'],
  50375: [400, 'The inactive timer must be at least one minute'],
  50376: [400, 'The closed timer must be at least ten minutes'],
  50377: [400, 'The Conversation is closed'],
  50378: [400, 'State is invalid'],
  50379: [400, 'The inactive timer is not an ISO 8601 duration'],
  50380: [400, 'The closed timer is not an ISO 8601 duration'],
  50382: [400, 'Timers need a State'],
  50384: [400, 'A Conversation cannot be created closed'],
  50390: [400, 'Unique name must not look like a Conversation SID'],
  50407: [400, 'Invalid messaging binding address'],
  50408: [400, 'Invalid messaging binding proxy address'],
  50409: [400, 'Messaging binding address and proxy address are the same'],
  50411: [400, 'Messaging binding address is empty'],
  50412: [400, 'Messaging binding proxy address is empty'],
  50413: [400, 'The proxy address does not belong to this account'],
  50414: [400, 'Messaging binding address and proxy address are of different channel types'],
  50415: [400, 'The proxy address is not a WhatsApp sender'],
  50416: [409, 'A binding for this participant and proxy address already exists'],
  50417: [400, 'Participant limit reached'],
  50418: [400, 'Non-chat participant limit reached'],
  50421: [400, 'Last read message index is out of range'],
  50423: [400, 'Participant is not valid JSON'],
  50424: [400, 'Participant is invalid'],
  50425: [409, 'Address pairs are in use'],
  50426: [400, 'Too many participants in one request'],
  50433: [409, 'Participant already exists'],
  50436: [400, 'Group MMS participant limit reached'],
  50437: [409, 'Participant with this projected address already exists'],
  50440: [400, 'The proxy address of this participant cannot be removed'],
  50441: [400, 'A proxy address cannot be added to this participant'],
  50444: [400, 'An identity cannot be added to this participant'],
  50451: [400, 'Give either Identity or Address, not both'],
  50501: [400, 'Message body, media or content is missing'],
  50504: [400, 'Message body is too long'],
  50506: [400, 'Media SID is invalid'],
  50513: [400, 'The author is not among the participants of this group conversation'],
  50516: [400, 'Last read message index is not a number'],
} as const satisfies Record<number, readonly [number, string]>;

export const CODES: readonly number[] = Object.keys(CATALOGUE).map(Number);

export type ErrorCode = keyof typeof CATALOGUE;

export interface ErrorBody {
  code: number;
  message: string;
  more_info: string;
  status: number;
}

export class ApiError extends Error {
  constructor(
    readonly code: number,
    readonly status: number,
    message: string,
    readonly headers?: Record<string, string>,
  ) {
    super(message);
  }

  body(): ErrorBody {
    return errorBody(this.code, this.status, this.message);
  }
}

/** One of Twilio's errors; `message` replaces or sharpens the catalogue's. */
export function fail(code: ErrorCode, message?: string): ApiError {
  const [status, text] = CATALOGUE[code];
  return new ApiError(code, status, message ?? text);
}

export function errorBody(code: number, status: number, message: string): ErrorBody {
  return { code, message, more_info: `https://www.twilio.com/docs/errors/${code}`, status };
}

/** Twilio names the path without its /v1. */
export function notFound(path: string): ApiError {
  return fail(20404, `The requested resource ${path.replace(/^\/v1/, '')} was not found`);
}

export function messageOf(code: number): string | undefined {
  return (CATALOGUE as Record<number, readonly [number, string]>)[code]?.[1];
}
