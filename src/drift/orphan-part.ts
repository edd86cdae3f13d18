import { Injectable } from '@nestjs/common';
import { AppConfig } from '../config/app-config.js';
import { AppError } from '../common/errors/app-error.js';
import { isUuid } from '../common/validation/text.js';
import { uniqueNameOf } from '../conversations/conversation.entity.js';
import {
  ConversationDriftService,
  type ConversationRow,
} from '../conversations/drift/conversation-drift.service.js';
import { TwilioGateway } from '../twilio/twilio.gateway.js';
import type { PagePosition, UpstreamConversation } from '../twilio/twilio.types.js';
import { findingOf, type Finding } from './finding.js';
import type { Part, PartPage, Walk } from './walk.js';

const PREFIX = uniqueNameOf('');

/** Beyond lease and call time-out, in milliseconds: whatever makes a conversation has recorded it by then. */
const MARGIN_MS = 60_000;

/** A conversation at Twilio that bears a name of ours, and the row of that name, if there is one. */
interface Candidate {
  there: UpstreamConversation;
  row: ConversationRow | undefined;
}

/**
 * Conversations at Twilio whose unique name is one of ours, and that no row stands for. One that failed or was deleted
 * here goes by the look that follows every deletion. One that no row knows may belong to another database on the same
 * chat service, or to rows that a restored backup has lost: it is deleted only when that is asked for in so many words.
 */
@Injectable()
export class OrphanPart implements Part {
  constructor(
    private readonly config: AppConfig,
    private readonly gateway: TwilioGateway,
    private readonly drift: ConversationDriftService,
  ) {}

  async page(walk: Walk, from: string | null, pageSize: number): Promise<PartPage> {
    const at = { serviceSid: walk.service.twilioSid };
    const { conversations, next } = await this.gateway.pageConversations(at, {
      pageSize,
      from: positionOf(from),
    });
    const candidates = await this.candidates(walk, conversations);
    const lost = candidates.filter(isOrphan);
    const inMotion = lost.flatMap(({ row }) => (row?.inMotion ? [row.id] : []));
    const findings: Finding[] = [];
    for (const one of lost.filter(({ row }) => !row?.inMotion)) findings.push(await this.judge(walk, one));
    const checked = conversations.length - inMotion.length;
    return { findings, checked, inMotion, next: next && `${next.page} ${next.token}` };
  }

  private async candidates(walk: Walk, there: UpstreamConversation[]): Promise<Candidate[]> {
    const named = there.filter(
      ({ uniqueName, chatServiceSid }) =>
        uniqueName?.startsWith(PREFIX) && chatServiceSid === walk.service.twilioSid,
    );
    const ids = named.map(ourId).filter((id) => id !== null);
    const rows = await this.drift.rowsById(walk.caller.serviceId, ids);
    return named.map((one) => ({ there: one, row: rows.get(ourId(one) ?? '') }));
  }

  private async judge(walk: Walk, { there, row }: Candidate): Promise<Finding> {
    const finding = findingOf({
      kind: 'conversation_orphan',
      conversation: { id: row?.id ?? null, twilioSid: there.sid, externalRef: row?.externalRef ?? null },
      ours: row?.state ?? null,
      twilio: {
        uniqueName: there.uniqueName,
        state: there.state,
        dateCreated: there.dateCreated.toISOString(),
      },
      repair: this.isSafe(there, row) ? 'remove' : 'none',
    });
    if (!walk.repair) return finding;
    if (finding.repair === 'none')
      return { ...finding, outcome: 'left', detail: 'It is too young, or not ours.' };
    if (row) return { ...finding, outcome: (await this.drift.lookAgain(row.id)) ? 'repaired' : 'pending' };
    if (!walk.repair.deleteOrphans)
      return { ...finding, outcome: 'left', detail: 'No row knows it: deleted only with deleteOrphans.' };
    const left = await this.remove(walk, there);
    return { ...finding, outcome: left === null ? 'repaired' : 'left', detail: left };
  }

  /** Not one that is being made just now; not one whose name is none that we give. */
  private isSafe(there: UpstreamConversation, row: ConversationRow | undefined): boolean {
    if (row) return row.state === 'failed' || row.state === 'deleted';
    const { leaseMs, callTimeoutMs } = this.config.reconciler;
    const age = Date.now() - there.dateCreated.getTime();
    return ourId(there) !== null && age > leaseMs + callTimeoutMs + MARGIN_MS;
  }

  /** By sid, after one more look at both sides. Answers why it was left, or null. */
  private async remove(walk: Walk, { sid, uniqueName }: UpstreamConversation): Promise<string | null> {
    const at = { serviceSid: walk.service.twilioSid };
    const now = await this.gateway.findConversation(at, sid);
    const [known] = now ? await this.candidates(walk, [now]) : [];
    if (now && (now.uniqueName !== uniqueName || known?.row)) return 'It has changed meanwhile.';
    await this.gateway.deleteConversation(at, sid);
    return null;
  }
}

/** Whose row does not stand for it: none, one that is gone, or one that has another conversation of that name. */
function isOrphan({ there, row }: Candidate): boolean {
  if (!row) return true;
  if (row.state === 'failed' || row.state === 'deleted') return true;
  return row.twilioSid !== there.sid;
}

/** Our id out of a unique name of ours. */
function ourId({ uniqueName }: UpstreamConversation): string | null {
  const id = (uniqueName ?? '').slice(PREFIX.length);
  // Other spellings of the same id are no names of ours.
  return isUuid(id) && id === id.toLowerCase() ? id : null;
}

function positionOf(from: string | null): PagePosition | null {
  if (from === null) return null;
  const [, page, token] = /^(\d{1,9}) (.+)$/s.exec(from) ?? [];
  if (page === undefined || token === undefined)
    throw AppError.invalid('cursor', 'is not a cursor of this list');
  return { page: Number(page), token };
}
