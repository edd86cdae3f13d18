import { JSON_CONTENT_TYPE } from '../../common/http/reply.js';
import type { TranscriptFormat } from './transcript-format.js';

/** One JSON document. */
export const jsonTranscript: TranscriptFormat = {
  contentType: JSON_CONTENT_TYPE,
  extension: 'json',
  headers: {},
  head: (head) => `${JSON.stringify(head).slice(0, -1)},"messages":[`,
  message: (message, first) => (first ? '' : ',') + JSON.stringify(message),
  event: () => '',
  tail: () => ']}',
};
