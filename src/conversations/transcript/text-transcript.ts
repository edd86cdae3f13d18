import {
  authorName,
  mediaText,
  momentOf,
  nameOf,
  titleOf,
  type TranscriptFormat,
} from './transcript-format.js';
import type { TranscriptParticipant } from './transcript.dto.js';

const LINE_BREAK = /\r\n|[\n\r\v\f\u0085\u2028\u2029]/;

/** Control characters, which move a terminal's cursor, and those that turn the direction of what follows. */
const UNSEEN = /[^\P{Cc}\t]|[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

/**
 * A line a message. Only what we write begins in the first column: the further lines of a body are indented by four,
 * so that no body can pass for a message of somebody else; what is attached is named with an indent of two.
 */
export const textTranscript: TranscriptFormat = {
  contentType: 'text/plain; charset=utf-8',
  extension: 'txt',
  headers: {},
  head: (head) => {
    const { id, externalRef, state, createdAt } = head.conversation;
    const people = head.participants.map((one) => `- ${line(described(one))}\n`);
    return [
      `Transcript of ${line(titleOf(head))}\n`,
      `Conversation ${id}${externalRef === null ? '' : `, ${line(externalRef)}`}`,
      `, ${state}, since ${momentOf(createdAt)}\n\n`,
      ...people,
      '\n',
    ].join('');
  },
  message: ({ createdAt, author, body, media }) => {
    const kind = author.kind === null ? '' : ` (${author.kind})`;
    const text = body === null ? '' : body.split(LINE_BREAK).map(visible).join('\n    ');
    const files = media.map((one) => `  @ ${line(mediaText(one))}\n`).join('');
    return `[${momentOf(createdAt)}] ${line(authorName(author))}${kind}: ${text}\n${files}`;
  },
  event: ({ at, what, who }) => `[${momentOf(at)}] * ${line(nameOf(who))} (${who.kind}) ${what}\n`,
  tail: (messages) => `\nEnd of transcript, messages: ${messages}\n`,
};

function described(one: TranscriptParticipant): string {
  const { kind, identity, address, erased } = one;
  const names = erased ? [] : [identity?.displayName && identity.externalId, identity && address];
  return [`${nameOf(one)} (${kind})`, ...names.filter(Boolean)].join(', ');
}

const visible = (text: string): string => text.replace(UNSEEN, '\ufffd');

const line = (text: string): string => visible(text.split(LINE_BREAK).join(' '));
