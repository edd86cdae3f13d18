import { Injectable } from '@nestjs/common';
import { DataSource, In } from 'typeorm';
import type { ReadyChatService } from '../../chat-services/chat-services.service.js';
import { AppError } from '../../common/errors/app-error.js';
import type { Command } from '../../common/http/command.js';
import { Database, type Queryable } from '../../database/database.js';
import { Commands } from '../../reconciler/commands.js';
import { Reconciler } from '../../reconciler/reconciler.js';
import { TwilioGateway } from '../../twilio/twilio.gateway.js';
import { CONVERSATION } from '../conversation.aggregate.js';
import type { ConversationView } from '../conversation.dto.js';
import { ConversationEntity, type ConversationState } from '../conversation.entity.js';
import { ConversationStore } from '../conversation-store.js';
import { compareConversation, type ConversationFinding } from './comparison.js';
import type { MendedFinding, RepairWish } from './repair-wishes.js';
import { readChat } from './upstream-chat.js';

// What other folders may know of a comparison.
export {
  CONVERSATION_DRIFTS,
  REPAIRS,
  type ConversationFinding,
  type DriftedParticipant,
} from './comparison.js';

/** A row as drift sees it. */
export interface ConversationRow {
  id: string;
  version: number;
  state: ConversationState;
  twilioSid: string | null;
  externalRef: string | null;
  /** A wish is open, somebody holds the lease, or what may land late is still to be looked for: not to be judged. */
  inMotion: boolean;
}

export interface DriftedConversation {
  row: ConversationRow;
  findings: ConversationFinding[];
}

/** What came of a repair: `pending` goes on without the caller. */
export type ConversationRepair =
  { findings: MendedFinding[] } | { refused: string } | 'pending' | 'in-motion';

const ROW = `
  id, version, state, twilio_sid as "twilioSid", external_ref as "externalRef",
  (due_at is not null or (deleted_at is not null and state <> 'deleted')
    or exists (select from wishes w where w.aggregate_id = conversations.id and w.status is null)) as "inMotion"`;

/** Thrown within the transaction. */
class InMotion extends Error {}

/** Compares the conversations of our rows with what Twilio has, and repairs them by wishes. */
@Injectable()
export class ConversationDriftService {
  constructor(
    private readonly dataSource: DataSource,
    private readonly database: Database,
    private readonly gateway: TwilioGateway,
    private readonly store: ConversationStore,
    private readonly commands: Commands,
    private readonly reconciler: Reconciler,
  ) {}

  /** Conversations of a chat service that are to be at Twilio, by id, after the given one. */
  rowsAfter(serviceId: string, after: string | null, limit: number): Promise<ConversationRow[]> {
    return this.database.query<ConversationRow>(
      'drift.conversations',
      `select ${ROW} from conversations
      where service_id = $1 and id > $2 and state in ('provisioning', 'active', 'inactive', 'closed')
        and deleted_at is null
      order by id limit $3`,
      [serviceId, after ?? '00000000-0000-0000-0000-000000000000', limit],
    );
  }

  /** Those of the rows that the chat service has, in any state, by our ids. */
  async rowsById(serviceId: string, ids: string[]): Promise<Map<string, ConversationRow>> {
    const rows = await this.database.query<ConversationRow>(
      'drift.conversations-by-id',
      `select ${ROW} from conversations where service_id = $1 and id = any($2::uuid[])`,
      [serviceId, ids],
    );
    return new Map(rows.map((row) => [row.id, row]));
  }

  /**
   * Compares the rows, all at once: give it few. Answers those that differ, and the ids of those that are in motion, or
   * came to be while Twilio was asked. Rejects with what Twilio failed with.
   */
  async compare(
    serviceId: string,
    service: ReadyChatService,
    rows: ConversationRow[],
  ): Promise<{ drifted: DriftedConversation[]; inMotion: string[] }> {
    const still = rows.filter(({ inMotion }) => !inMotion);
    const views = await this.views(still);
    const compared = await Promise.all(
      still.map(async (row) => ({ row, findings: await this.compareOne(service, row, views.get(row.id)) })),
    );
    const drifted = compared.filter(({ findings }) => findings.length > 0);
    if (drifted.some(({ findings }) => findings[0]?.kind === 'conversation_missing'))
      await this.assertService(service);
    const now = await this.rowsById(
      serviceId,
      drifted.map(({ row }) => row.id),
    );
    const unmoved = ({ row }: DriftedConversation): boolean =>
      now.get(row.id)?.version === row.version && now.get(row.id)?.inMotion === false;
    const moving = [
      ...rows.filter(({ inMotion }) => inMotion),
      ...drifted.filter((one) => !unmoved(one)).map(({ row }) => row),
    ];
    return { drifted: drifted.filter(unmoved), inMotion: moving.map(({ id }) => id) };
  }

  /** Has a conversation repaired, under its lease; waits for it as long as the command says. */
  async repair(
    command: Command,
    serviceId: string,
    { row }: DriftedConversation,
    payload: RepairWish,
  ): Promise<ConversationRepair> {
    const run = this.commands.fulfil(
      { ...command, idempotencyHash: null },
      {
        serviceId,
        aggregate: CONVERSATION,
        aggregateId: row.id,
        kind: 'repair',
        payload,
        location: `/v1/conversations/${row.id}`,
        write: async (tx, wishId) => {
          await this.lockStill(tx, row.id, wishId);
          return this.reconciler.takeUp(tx, CONVERSATION, row.id);
        },
        pending: () => Promise.resolve({}),
      },
    );
    try {
      const { status, body } = await run;
      if (status === 202) return 'pending';
      const answer = JSON.parse(body as string) as { findings: MendedFinding[]; detail: string };
      return status === 200 ? { findings: answer.findings } : { refused: answer.detail };
    } catch (error) {
      if (error instanceof InMotion) return 'in-motion';
      throw error;
    }
  }

  /**
   * Has the look for late landings made once more, for a conversation that failed or was deleted and that Twilio has:
   * it goes by that. True when that is done; otherwise the sweep does it.
   */
  async lookAgain(id: string): Promise<boolean> {
    // Due in a moment, so that the sweep leaves it to us.
    await this.database.query(
      'drift.look-again',
      `update conversations set verify_after = now(), due_at = now() + interval '5 seconds'
      where id = $1 and due_at is null and state in ('failed', 'deleted')`,
      [id],
    );
    await this.reconciler.reconcileNow(CONVERSATION, id);
    const [row] = await this.database.query<{ due: boolean }>(
      'drift.looked-again',
      'select due_at is not null as due from conversations where id = $1',
      [id],
    );
    return row?.due !== true;
  }

  /** A chat service that is gone would make every conversation look deleted. */
  async assertService({ twilioSid }: ReadyChatService): Promise<void> {
    if ((await this.gateway.findService(twilioSid)) === null)
      throw new AppError('upstream_unavailable', { detail: 'Twilio does not have the chat service.' });
  }

  private async views(rows: ConversationRow[]): Promise<Map<string, ConversationView>> {
    if (rows.length === 0) return new Map();
    const entities = await this.dataSource
      .getRepository(ConversationEntity)
      .findBy({ id: In(rows.map(({ id }) => id)) });
    const views = await this.store.views(entities);
    return new Map(views.map((view) => [view.conversation.id, view]));
  }

  private async compareOne(
    service: ReadyChatService,
    { twilioSid }: ConversationRow,
    view: ConversationView | undefined,
  ): Promise<ConversationFinding[]> {
    if (!view || twilioSid === null) return [];
    const at = { serviceSid: service.twilioSid };
    const chat = await readChat(this.gateway, this.database, at, view.conversation, twilioSid);
    return compareConversation(view, service, chat);
  }

  /** Locks the row, and refuses one that has come to be in motion. */
  private async lockStill(tx: Queryable, id: string, wishId: string): Promise<void> {
    const still = await tx.query(
      'drift.lock',
      `select id from conversations c
      where id = $1 and due_at is null and deleted_at is null and twilio_sid is not null
        and not exists (select from wishes w where w.aggregate_id = c.id and w.status is null and w.id <> $2)
      for no key update`,
      [id, wishId],
    );
    if (still.length === 0) throw new InMotion();
  }
}
