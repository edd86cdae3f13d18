import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { Caller } from '../../access/caller.js';
import { ChatServicesService } from '../../chat-services/chat-services.service.js';
import { Reply } from '../../common/http/reply.js';
import { toAppError } from '../../twilio/to-app-error.js';
import { TwilioError } from '../../twilio/twilio-error.js';
import { TwilioGateway } from '../../twilio/twilio.gateway.js';
import type { MessagePage, UpstreamParticipant } from '../../twilio/twilio.types.js';
import type { ViewedParticipant } from '../conversation.dto.js';
import { ConversationStore } from '../conversation-store.js';
import { ConversationsService } from '../conversations.service.js';
import { ChunkStream } from './chunk-stream.js';
import { htmlTranscript } from './html-transcript.js';
import { jsonTranscript } from './json-transcript.js';
import { textTranscript } from './text-transcript.js';
import { TranscriptAuthors } from './transcript-authors.js';
import { eventsOf, isBefore, type TranscriptFormat } from './transcript-format.js';
import { TranscriptPages } from './transcript-pages.js';
import {
  TranscriptConversation,
  TranscriptMessage,
  TranscriptParticipant,
  type TranscriptFormatName,
  type TranscriptHead,
} from './transcript.dto.js';

const FORMATS: Record<TranscriptFormatName, TranscriptFormat> = {
  json: jsonTranscript,
  text: textTranscript,
  html: htmlTranscript,
};

/** How much is written at once, in characters. */
const CHUNK = 65_536;

/** What the pieces of one transcript are made of. */
interface Source {
  head: TranscriptHead;
  authors: TranscriptAuthors;
  /** Null where Twilio has no conversation. */
  pages: TranscriptPages | null;
  first: MessagePage | null;
}

/**
 * All that was said in a conversation, by whom. It is read from Twilio a page at a time as it is written, so that its
 * length costs no memory.
 */
@Injectable()
export class TranscriptService {
  constructor(
    private readonly dataSource: DataSource,
    private readonly conversations: ConversationsService,
    private readonly services: ChatServicesService,
    private readonly store: ConversationStore,
    private readonly gateway: TwilioGateway,
  ) {}

  /**
   * Fails as any reading does until there is a first page. What fails after that breaks the connection off: whoever reads
   * it sees that the answer is incomplete, in JSON, text and HTML alike.
   */
  async write(caller: Caller, path: string, name: TranscriptFormatName): Promise<Reply> {
    const gone = new AbortController();
    const source = await this.open(caller, path, gone.signal);
    const format = FORMATS[name];
    const file = `transcript-${source.head.conversation.id}.${format.extension}`;
    return new Reply(200, new ChunkStream(chunksOf(source, format), gone), {
      'content-type': format.contentType,
      'content-disposition': `attachment; filename="${file}"`,
      'cache-control': 'no-store',
      ...format.headers,
    });
  }

  private async open(caller: Caller, path: string, gone: AbortSignal): Promise<Source> {
    const conversation = await this.conversations.find(caller.serviceId, path);
    const [view] = await this.store.views([conversation]);
    const people = view?.participants ?? [];
    const { serviceId, twilioSid } = conversation;
    const serviceSid = await this.services.findTwilioSid(serviceId);
    const there = serviceSid !== null && twilioSid !== null;
    const pages = there ? new TranscriptPages(this.gateway, serviceSid, twilioSid, gone) : null;
    try {
      const [first, present] = await Promise.all([
        pages?.next() ?? null,
        there ? this.gateway.listParticipants({ serviceSid }, twilioSid) : [],
      ]);
      const head = {
        conversation: TranscriptConversation.from(conversation),
        participants: participantsOf(people, present),
      };
      return { head, authors: new TranscriptAuthors(this.dataSource, serviceId, people), pages, first };
    } catch (error) {
      throw error instanceof TwilioError ? toAppError(error) : error;
    }
  }
}

/** Those who are or were in: not who could not come in, or has not yet. */
function participantsOf(
  people: readonly ViewedParticipant[],
  present: readonly UpstreamParticipant[],
): TranscriptParticipant[] {
  const joined = new Map(present.map(({ sid, dateCreated }) => [sid, dateCreated]));
  return people
    .filter(({ participant: { twilioSid, state } }) => twilioSid !== null && state !== 'failed')
    .map((one) => TranscriptParticipant.from(one, joined.get(one.participant.twilioSid ?? '')));
}

async function* chunksOf(
  { head, authors, pages, first }: Source,
  format: TranscriptFormat,
): AsyncGenerator<string, void> {
  const events = eventsOf(head.participants);
  let text = format.head(head);
  let count = 0;
  for (let page = first; page; page = (await pages?.next()) ?? null) {
    await authors.learn(page.messages);
    for (const said of page.messages) {
      const message = TranscriptMessage.by(said, authors.of(said));
      while (events[0] && isBefore(events[0], message.createdAt)) text += format.event(events.shift()!);
      text += format.message(message, count++ === 0);
      if (text.length < CHUNK) continue;
      yield text;
      text = '';
    }
  }
  yield text + events.map((event) => format.event(event)).join('') + format.tail(count);
}
