import { Injectable } from '@nestjs/common';
import type { Preset } from '../chat-services/presets.js';
import { AppConfig } from '../config/app-config.js';
import { Batcher } from '../database/batcher.js';
import { Database } from '../database/database.js';
import { isRaced } from '../database/pg-errors.js';
import type { IdentityEntity } from '../identities/identity.entity.js';
import { PROVISION } from './provision-statement.js';
import type { Timers } from './conversation.entity.js';

/** A conversation that is wanted, with its wish: what one row of the statement is made of. */
export interface ProvisionRow {
  conversation: string;
  service: string;
  ref: string | null;
  name: string | null;
  attributes: object;
  /** Null: those of the chat service. */
  timers: Timers | null;
  token: string;
  at: Date;
  wish: string;
  request_id: string;
  instance: string;
  location: string;
  /** Hexadecimal. */
  key: string | null;
  body: string | null;
  people: WantedPerson[];
  greeting: { id: string; body: string; attributes: Record<string, unknown> } | null;
}

/** A participant to be. */
export interface WantedPerson {
  participant: string;
  /** Of an identity that must be known, or else `named`: the externalId of one that is made where it is not. */
  identity: string | null;
  named: string | null;
  /** Id and Twilio identity for one that is made. */
  made: string;
  twilio_identity: string;
  kind: Preset | null;
  display_name: string | null;
  address: string | null;
  proxy_address: string | null;
  projected_address: string | null;
  role: string | null;
  role_sid: string | null;
  attributes: object;
  /** Whether the open conversations that he is in must be counted. */
  count: boolean;
}

/** Who a participant is, and in how many open conversations he was before; null where that was not counted. */
export interface KnownPerson {
  identity: IdentityEntity;
  open: number | null;
}

export interface Provisioned {
  /** Why nothing was written: the Idempotency-Key or the externalRef is another's, or somebody may not be in it. */
  refused: 'key' | 'people' | 'ref' | null;
  timers: Timers;
  /** By the id of the participant: whom we know, and whom this has made. */
  people: Map<string, KnownPerson>;
}

interface ResultRow extends IdentityEntity {
  conversation: string;
  refused: Provisioned['refused'];
  timers: Timers | null;
  participant: string | null;
  open: number | null;
}

/** So often a lost race is run again: each time, who was faster is seen. */
const RACES = 5;

/**
 * How long a batch of provisions, or of their ends, has to itself, in milliseconds. Each statement costs Postgres as much
 * as four or five chats more in it (measured: 0.71 ms a chat in batches of five, 0.54 ms in batches of ten), so that
 * fewer and larger ones are worth some waiting; a Postgres that takes longer than this gets a second one beside it.
 */
export const BATCH_ALONE_MS = 25;

/** So many may wait to be written: some seconds of work for Postgres. */
const WAITING_MOST = 5_000;
/** Who waits longer, in milliseconds, is told to come again: Postgres is slow, and he would wait on and on. */
const PATIENCE_MS = 10_000;

/** Writes conversations that are wanted: those of many requests by one statement. */
@Injectable()
export class ProvisionStore {
  private readonly batcher = new Batcher<ProvisionRow, Provisioned>((rows) => this.write(rows), {
    atOnce: 2,
    aloneMs: BATCH_ALONE_MS,
    most: 250,
    weigh: ({ people }) => people.length,
    fits: (row, batch) => batch.every((other) => !clash(row, other)),
    waitingMost: WAITING_MOST,
    patienceMs: PATIENCE_MS,
  });

  constructor(
    private readonly database: Database,
    private readonly config: AppConfig,
  ) {}

  /** Writes it and takes its lease, or says why not, with nothing written. */
  async provision(row: ProvisionRow): Promise<Provisioned> {
    for (let race = 1; ; race++) {
      try {
        return await this.batcher.add(row);
      } catch (error) {
        if (!isRaced(error) || race === RACES) throw error;
      }
    }
  }

  private async write(rows: readonly ProvisionRow[]): Promise<Provisioned[]> {
    const plans = rows.map(({ people: _people, greeting: _greeting, ...plan }) => plan);
    // In one order, so that two that race do not wait for each other.
    const people = rows
      .flatMap(({ conversation, people }) => people.map((person) => ({ conversation, ...person })))
      .sort((a, b) => ((a.named ?? '') < (b.named ?? '') ? -1 : 1));
    const greetings = rows.flatMap(({ conversation, greeting }) =>
      greeting ? [{ conversation, ...greeting }] : [],
    );
    const answered = await this.database.query<ResultRow>('conversations.provision', PROVISION, [
      JSON.stringify(plans),
      JSON.stringify(people),
      JSON.stringify(greetings),
      this.config.reconciler.leaseMs,
    ]);
    const results = new Map<string, Provisioned>();
    for (const { conversation, refused, timers, participant, open, ...identity } of answered) {
      const result = results.get(conversation) ?? { refused, timers: timers ?? {}, people: new Map() };
      results.set(conversation, result);
      if (participant !== null) result.people.set(participant, { identity, open });
    }
    return rows.map(({ conversation }) => results.get(conversation)!);
  }
}

/** What one statement cannot decide for both: who has the key or the externalRef, and of which kind a new person is. */
function clash(one: ProvisionRow, other: ProvisionRow): boolean {
  if (one.service !== other.service) return false;
  if (one.key !== null && one.key === other.key) return true;
  if (one.ref !== null && one.ref === other.ref) return true;
  return one.people.some(({ named, kind }) =>
    other.people.some((person) => named !== null && person.named === named && person.kind !== kind),
  );
}
