import { setTimeout as sleep } from 'node:timers/promises';
import { TwilioError } from '../../twilio/twilio-error.js';
import type { TwilioGateway } from '../../twilio/twilio.gateway.js';
import type { At, MessagePage, PagePosition } from '../../twilio/twilio.types.js';

/** The largest page that Twilio gives. */
const PAGE_SIZE = 100;
/** For how long a page is asked for again once others have been given away, in milliseconds. */
const PATIENCE_MS = 30_000;
const BACKOFF_MS = 250;
const BACKOFF_MAX_MS = 5_000;

/**
 * The messages of a conversation, oldest first, a page at a time as they are asked for. The first page fails as any
 * reading does; from then on somebody would have to begin anew, so that a page is asked for again for a while.
 */
export class TranscriptPages {
  private position: PagePosition | null = null;
  private begun = false;
  private ended = false;
  private readonly at: At;

  /** Nothing is asked any more once `gone` is aborted. */
  constructor(
    private readonly gateway: TwilioGateway,
    serviceSid: string,
    private readonly conversationSid: string,
    private readonly gone: AbortSignal,
  ) {
    this.at = { serviceSid, beforeSend: () => gone.throwIfAborted() };
  }

  /** Null after the last page. */
  async next(): Promise<MessagePage | null> {
    if (this.ended) return null;
    const page = await this.read();
    this.begun = true;
    this.position = page.next;
    this.ended = page.next === null;
    return page;
  }

  private async read(): Promise<MessagePage> {
    const until = performance.now() + PATIENCE_MS;
    const options = { order: 'asc', pageSize: PAGE_SIZE, from: this.position } as const;
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.gateway.pageMessages(this.at, this.conversationSid, options);
      } catch (error) {
        const pauseMs = this.begun ? pauseBeforeRepeat(error, attempt) : null;
        if (pauseMs === null || performance.now() + pauseMs > until) throw error;
        await sleep(pauseMs, undefined, { signal: this.gone });
      }
    }
  }
}

/** In milliseconds; null where the same again would come to the same. */
function pauseBeforeRepeat(error: unknown, attempt: number): number | null {
  if (!(error instanceof TwilioError) || !['rate_limited', 'conflict', 'unknown'].includes(error.kind))
    return null;
  const ceiling = Math.min(BACKOFF_MAX_MS, BACKOFF_MS * 2 ** attempt);
  return (error.retryAfterMs ?? 0) + ceiling / 2 + (Math.random() * ceiling) / 2;
}
