import { Injectable } from '@nestjs/common';
import { AppError } from '../common/errors/app-error.js';
import { ConversationsService } from '../conversations/conversations.service.js';
import {
  ConversationDriftService,
  type ConversationFinding,
  type ConversationRow,
  type DriftedConversation,
} from '../conversations/drift/conversation-drift.service.js';
import { findingOf, type Finding } from './finding.js';
import {
  commandOf,
  inTurns,
  type Compared,
  type Part,
  type PartPage,
  type RepairOptions,
  type Walk,
} from './walk.js';

/** Our conversations, with their participants and newest messages. */
@Injectable()
export class ConversationPart implements Part {
  constructor(
    private readonly conversations: ConversationsService,
    private readonly drift: ConversationDriftService,
  ) {}

  async page(walk: Walk, after: string | null, limit: number): Promise<PartPage> {
    const rows = await this.drift.rowsAfter(walk.caller.serviceId, after, limit + 1);
    return inTurns(rows, limit, walk.until, (some) => this.work(walk, some));
  }

  /** Those that are named, by our id or `CH…`, all of them. */
  async named(walk: Walk, names: string[]): Promise<Compared> {
    const { serviceId } = walk.caller;
    const ids = new Set<string>();
    for (const name of names) ids.add((await this.conversations.find(serviceId, name)).id);
    const rows = [...(await this.drift.rowsById(serviceId, [...ids])).values()];
    const failed = rows.find(({ state }) => state === 'failed');
    if (failed) throw new AppError('conversation_failed', { detail: `${failed.id} was never provisioned.` });
    return inTurns(rows, rows.length, Infinity, (some) => this.work(walk, some));
  }

  private async work(walk: Walk, rows: ConversationRow[]): Promise<Compared> {
    const { repair, service, caller } = walk;
    const { drifted, inMotion } = await this.drift.compare(caller.serviceId, service, rows);
    if (!repair) {
      const findings = drifted.flatMap(({ row, findings }) => findings.map((one) => shown(row, one)));
      return { findings, checked: rows.length - inMotion.length, inMotion };
    }
    const findings: Finding[] = [];
    await Promise.all(
      drifted.map(async (one) => {
        const mended = await this.mend(caller.serviceId, repair, one);
        if (mended) findings.push(...mended);
        else inMotion.push(one.row.id);
      }),
    );
    return { findings, checked: rows.length - inMotion.length, inMotion };
  }

  /** Null when it has come to be in motion. */
  private async mend(
    serviceId: string,
    repair: RepairOptions,
    drifted: DriftedConversation,
  ): Promise<Finding[] | null> {
    const { row, findings } = drifted;
    const all = (more: Partial<Finding>): Finding[] =>
      findings.map((one) => ({ ...shown(row, one), ...more }));
    const end = await this.drift.repair(commandOf(repair), serviceId, drifted, { readd: repair.readd });
    if (end === 'in-motion') return null;
    if (end === 'pending') return all({ outcome: 'pending' });
    if ('refused' in end) return all({ outcome: 'left', detail: end.refused });
    // What was seen before and was not met any more has been repaired in a try whose answer was lost.
    const before = findings.filter((one) => !end.findings.some((met) => isSame(met, one)));
    return [
      ...before.map((one): Finding => ({ ...shown(row, one), outcome: 'repaired' })),
      ...end.findings.map(({ repaired, detail, ...one }): Finding => ({
        ...shown(row, one),
        outcome: repaired ? 'repaired' : 'left',
        detail,
      })),
    ];
  }
}

function shown({ id, twilioSid, externalRef }: ConversationRow, one: ConversationFinding): Finding {
  return findingOf({ ...one, conversation: { id, twilioSid, externalRef } });
}

function isSame(one: ConversationFinding, other: ConversationFinding): boolean {
  return (
    one.kind === other.kind &&
    one.participant?.twilioSid === other.participant?.twilioSid &&
    one.message?.twilioSid === other.message?.twilioSid
  );
}
