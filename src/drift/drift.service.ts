import { Injectable } from '@nestjs/common';
import type { Caller } from '../access/caller.js';
import { ChatServicesService } from '../chat-services/chat-services.service.js';
import { AppError } from '../common/errors/app-error.js';
import type { Command } from '../common/http/command.js';
import type { PageQuery } from '../common/http/page.js';
import { isUuid } from '../common/validation/text.js';
import { toAppError } from '../twilio/to-app-error.js';
import { TwilioError } from '../twilio/twilio-error.js';
import { ConversationPart } from './conversation-part.js';
import type { RepairDriftDto } from './drift.dto.js';
import type { Finding } from './finding.js';
import { IdentityPart } from './identity-part.js';
import { OrphanPart } from './orphan-part.js';
import type { Part, RepairOptions, Walk } from './walk.js';

/** In the order in which they are walked. */
export const PARTS = ['conversations', 'identities', 'orphans'] as const;
export type PartName = (typeof PARTS)[number];

/** So long a page takes up further rows, in milliseconds: one that is slow is short. */
const PAGE_MS = 10_000;

export interface DriftPage {
  part: PartName;
  data: Finding[];
  checked: number;
  inMotion: string[];
  nextCursor: string | null;
}

/** Compares a chat service's rows with what Twilio has, page by page, and repairs what differs when told to. */
@Injectable()
export class DriftService {
  private readonly parts: Record<PartName, Part>;

  constructor(
    private readonly services: ChatServicesService,
    private readonly conversations: ConversationPart,
    identities: IdentityPart,
    orphans: OrphanPart,
  ) {
    this.parts = { conversations, identities, orphans };
  }

  /** Changes nothing. */
  report(caller: Caller, query: PageQuery): Promise<DriftPage> {
    return this.page(caller, query, null);
  }

  /** The same page, repaired. What takes longer than the command waits goes on by itself. */
  async repair(command: Command, caller: Caller, body: RepairDriftDto): Promise<DriftPage> {
    const { conversations, readd, deleteOrphans } = body;
    const repair = {
      command,
      waitUntil: performance.now() + command.waitMs,
      readd: readd ?? false,
      deleteOrphans: deleteOrphans ?? false,
    };
    if (conversations === undefined) return this.page(caller, body, repair);
    if (body.cursor !== undefined)
      throw AppError.invalid('cursor', 'goes with a page: leave it out, or leave out conversations');
    const { findings, checked, inMotion } = await this.reading(async () =>
      this.conversations.named(await this.walk(caller, repair), conversations),
    );
    return { part: 'conversations', data: findings, checked, inMotion, nextCursor: null };
  }

  private async page(caller: Caller, query: PageQuery, repair: RepairOptions | null): Promise<DriftPage> {
    const { part, from } = positionOf(query.cursor);
    const { findings, checked, inMotion, next } = await this.reading(
      async () => this.parts[part].page(await this.walk(caller, repair), from, query.limit),
      part === 'orphans' && from !== null,
    );
    return { part, data: findings, checked, inMotion, nextCursor: cursorOf(part, next) };
  }

  private async walk(caller: Caller, repair: RepairOptions | null): Promise<Walk> {
    const service = await this.services.findReady(caller.serviceId);
    if (!service) throw new AppError('unavailable', { headers: { 'retry-after': '1' } });
    return { caller, service, repair, until: performance.now() + PAGE_MS };
  }

  /** What reads through to Twilio answers with its troubles. `positioned`: with a place in a list of Twilio's. */
  private async reading<T>(read: () => Promise<T>, positioned = false): Promise<T> {
    try {
      return await read();
    } catch (error) {
      if (!(error instanceof TwilioError)) throw error;
      if (error.kind === 'not_found')
        throw new AppError('upstream_unavailable', { detail: 'Twilio does not have the chat service.' });
      if (positioned && (error.kind === 'refused' || (error.kind === 'blocked' && !error.auth)))
        throw AppError.invalid('cursor', 'Twilio does not know it, or not any more: begin anew');
      throw toAppError(error);
    }
  }
}

/** After the last page of a part comes the first of the next. */
function cursorOf(part: PartName, next: string | null): string | null {
  const following = PARTS[PARTS.indexOf(part) + 1];
  if (next === null && following === undefined) return null;
  return Buffer.from(next === null ? `${following}` : `${part} ${next}`).toString('base64url');
}

function positionOf(cursor: string | undefined): { part: PartName; from: string | null } {
  if (cursor === undefined) return { part: 'conversations', from: null };
  const [, name, rest] = /^([a-z]+)(?: (.+))?$/s.exec(Buffer.from(cursor, 'base64url').toString()) ?? [];
  const part = PARTS.find((known) => known === name);
  if (!part || (part !== 'orphans' && rest !== undefined && !isUuid(rest)))
    throw AppError.invalid('cursor', 'is not a cursor of this list');
  return { part, from: rest ?? null };
}
