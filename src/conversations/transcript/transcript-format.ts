import type {
  TranscriptAuthor,
  TranscriptHead,
  TranscriptMessage,
  TranscriptParticipant,
} from './transcript.dto.js';

/** How a transcript is written, piece by piece. */
export interface TranscriptFormat {
  readonly contentType: string;
  readonly extension: string;
  /** Beside those of every answer. */
  readonly headers: Record<string, string>;
  head(head: TranscriptHead): string;
  /** `first` is the first one of the transcript. */
  message(message: TranscriptMessage, first: boolean): string;
  /** Somebody came or went between two messages; formats that list only messages leave it out. */
  event(event: TranscriptEvent): string;
  /** Its presence tells that nothing is missing. */
  tail(messages: number): string;
}

export interface TranscriptEvent {
  at: string;
  what: 'joined' | 'left';
  who: TranscriptParticipant;
}

/** Twilio tells times in whole seconds: what is told more exactly must not come later for that. */
const secondOf = (time: string): string => time.slice(0, 19);

/**
 * All comings and goings, oldest first. Within a second who comes goes before who leaves, as in a transfer, but where
 * somebody has left to come again.
 */
export function eventsOf(participants: readonly TranscriptParticipant[]): TranscriptEvent[] {
  const events = participants.flatMap((who): TranscriptEvent[] => [
    { at: who.joinedAt, what: 'joined', who },
    ...(who.leftAt === null ? [] : [{ at: who.leftAt, what: 'left' as const, who }]),
  ]);
  return events.sort((one, other) => {
    const bySecond = secondOf(one.at).localeCompare(secondOf(other.at));
    if (bySecond !== 0 || one.what === other.what) return bySecond;
    const again = one.who !== other.who && isSamePerson(one.who, other.who);
    return (one.what === 'joined') === again ? 1 : -1;
  });
}

/** Whether it happened before a message that was said at that time: within the same second, whoever spoke had come. */
export function isBefore({ at, what }: TranscriptEvent, saidAt: string): boolean {
  const second = secondOf(at);
  return what === 'joined' ? second <= secondOf(saidAt) : second < secondOf(saidAt);
}

function isSamePerson(one: TranscriptParticipant, other: TranscriptParticipant): boolean {
  return one.identity === null
    ? one.address !== null && one.address === other.address
    : one.identity.id === other.identity?.id;
}

type Named = Pick<TranscriptAuthor, 'identity' | 'address' | 'erased'> | TranscriptParticipant;

/** What somebody is called in a text for people. */
export function nameOf({ identity, address, erased }: Named): string {
  if (erased) return 'erased';
  return identity?.displayName ?? identity?.externalId ?? address ?? 'unknown';
}

export function authorName(author: TranscriptAuthor): string {
  return author.type === 'system' ? 'System' : nameOf(author);
}

/** `2026-11-22 02:41:07 UTC` */
export function momentOf(time: string): string {
  return `${time.slice(0, 10)} ${time.slice(11, 19)} UTC`;
}

export function titleOf({ conversation: { friendlyName, externalRef, id } }: TranscriptHead): string {
  return friendlyName ?? externalRef ?? id;
}

export function mediaText({ sid, filename, contentType, size }: TranscriptMessage['media'][number]): string {
  const facts = [contentType, size === null ? null : `${size} bytes`].filter((fact) => fact !== null);
  return `${filename ?? sid}${facts.length > 0 ? ` (${facts.join(', ')})` : ''}`;
}
