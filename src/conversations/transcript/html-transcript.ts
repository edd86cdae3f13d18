import { createHash } from 'node:crypto';
import {
  authorName,
  mediaText,
  momentOf,
  nameOf,
  titleOf,
  type TranscriptFormat,
} from './transcript-format.js';
import type { TranscriptParticipant } from './transcript.dto.js';

const STYLE = `
body { font: 1rem/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 45rem; padding: 0 1rem; color: #1a1a1a }
ul { padding-left: 1.25rem } article, .event { margin: 1rem 0; break-inside: avoid } .event, time { color: #555 }
article header { font-size: .9rem } article p { margin: .25rem 0; white-space: pre-wrap; overflow-wrap: anywhere }
@media print { body { margin: 0; max-width: none; font-size: 10pt } }`;

/** Nothing is loaded, run or sent, whatever stands in a message; the style alone is let through. */
const POLICY = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'; base-uri 'none'; form-action 'none'`;

/** One document for people, complete in itself. */
export const htmlTranscript: TranscriptFormat = {
  contentType: 'text/html; charset=utf-8',
  extension: 'html',
  headers: { 'content-security-policy': `${POLICY}; frame-ancestors 'none'; sandbox` },
  head: (head) => {
    const { id, externalRef, state, createdAt } = head.conversation;
    const title = escaped(titleOf(head));
    return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${escaped(POLICY)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>Transcript of ${title}</title>
<style>${STYLE}</style>
</head>
<body>
<h1>Transcript of ${isolated(titleOf(head))}</h1>
<p>Conversation ${id}${externalRef === null ? '' : `, ${isolated(externalRef)}`}, ${state}, since ${timeOf(createdAt)}</p>
<ul>
${head.participants.map((one) => `<li>${described(one)}</li>\n`).join('')}</ul>
<main>
`;
  },
  message: ({ createdAt, author, body, media }) => {
    const kind = author.kind === null ? '' : ` (${author.kind})`;
    const files = media.map((one) => `<li>${isolated(mediaText(one))}</li>`).join('');
    return `<article><header>${timeOf(createdAt)} <strong>${isolated(authorName(author))}</strong>${kind}</header>
${body === null ? '' : `<p lang="" dir="auto">${escaped(body)}</p>`}${files === '' ? '' : `<ul>${files}</ul>`}</article>
`;
  },
  event: ({ at, what, who }) =>
    `<p class="event">${timeOf(at)} ${isolated(nameOf(who))} (${who.kind}) ${what}</p>\n`,
  tail: (messages) =>
    `</main>\n<footer>End of transcript, messages: ${messages}</footer>\n</body>\n</html>\n`,
};

function described(one: TranscriptParticipant): string {
  const { kind, identity, address, erased } = one;
  const names = erased ? [] : [identity?.displayName && identity.externalId, identity && address];
  const further = names.flatMap((name) => (name ? isolated(name) : []));
  return [`${isolated(nameOf(one))} (${kind})`, ...further].join(', ');
}

/** A name in whatever script, which keeps its direction to itself. */
const isolated = (text: string): string => `<bdi lang="">${escaped(text)}</bdi>`;

const timeOf = (time: string): string => `<time datetime="${time}">${momentOf(time)}</time>`;

const ENTITIES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** For text and for quoted attributes. Characters that HTML has no place for are shown as such. */
function escaped(text: string): string {
  return text
    .replace(/[&<>"']/g, (character) => ENTITIES[character] ?? character)
    .replace(/[^\P{Cc}\t\n\r]/gu, '\ufffd');
}
