import type { Kind, Records } from './records.js';
import { KINDS } from './records.js';
import { Indexes } from './indexes.js';
import type { Ordered } from './ordered.js';

/** What an operation wants done: a record put whole, or removed by sid. */
export type Change =
  { [K in Kind]: { kind: K; record: Records[K] } }[Kind] | { kind: Kind; sid: string; record?: undefined };

/** The same once done, with what was there before. */
export type Applied = {
  [K in Kind]: { kind: K; before: Records[K] | undefined; after: Records[K] | undefined };
}[Kind];

/** Why a change happened: webhooks (and, later, real-time events) need to know. */
export interface Cause {
  source: 'API' | 'SDK' | 'SMS' | 'WHATSAPP';
  reason: 'API' | 'TIMER' | 'EVENT';
  /** Whether webhooks may be told. REST changes are silent unless their caller asked. */
  hooks: boolean;
}

export interface Commit {
  at: number;
  event_id: number;
  changes: Change[];
}

export type Listener = (applied: readonly Applied[], cause: Cause, at: number) => void;

export interface Journal {
  append(commit: Commit): void;
  /** Calls back once everything appended so far is written. */
  whenWritten(action: () => void): void;
}

type Tables = { [K in Kind]: Map<string, Records[K]> };

/**
 * The state. `commit` is the one place where a change happens: the journal line, the indexes, the
 * webhooks and the timers all follow from it, and an answer is written from the record it put.
 */
export class Store {
  tables: Tables = emptyTables();
  indexes = new Indexes();
  sequence = 0;
  /** Counts the times everything was forgotten: what began before must not land after. */
  era = 0;
  journal: Journal | null = null;
  private readonly listeners: Listener[] = [];

  constructor(private readonly now: () => number) {}

  onCommit(listener: Listener): void {
    this.listeners.push(listener);
  }

  get<K extends Kind>(kind: K, sid: string): Records[K] | undefined {
    return this.tables[kind].get(sid);
  }

  children(kind: Kind, parent: string): Ordered {
    return this.indexes.children(kind, parent);
  }

  commit(changes: Change[], cause: Cause): void {
    const at = this.now();
    let sequence = this.sequence;
    for (const { record } of changes) {
      sequence += 1;
      if (record === undefined) continue;
      record.event_id = sequence;
      if (record.created_event_id === 0) record.created_event_id = sequence;
    }
    this.journal?.append({ at, event_id: sequence, changes });
    this.sequence = sequence;
    const applied = changes.map((change) => this.apply(change, at, true));
    for (const listener of this.listeners) listener(applied, cause, at);
  }

  /** For whatever tells others of the state: only what is kept may be told. */
  whenKept(action: () => void): void {
    if (this.journal === null) action();
    else this.journal.whenWritten(action);
  }

  /** A commit read back from the journal. */
  replay({ at, event_id, changes }: Commit): void {
    for (const change of changes) this.apply(change, at, false);
    this.sequence = Math.max(this.sequence, event_id);
  }

  /** A record read back from a snapshot: what derives from it is already in the others. */
  restore(kind: Kind, record: Records[Kind]): void {
    this.put(kind, record, this.tables[kind].get(record.sid));
  }

  clear(): void {
    this.era += 1;
    this.tables = emptyTables();
    this.indexes = new Indexes();
  }

  /** What is new in a commit was never there before; what is read back may have been in a snapshot. */
  private apply(change: Change, at: number, committing: boolean): Applied {
    if (change.record === undefined) {
      const before = this.tables[change.kind].get(change.sid);
      this.remove(change.kind, change.sid);
      return { kind: change.kind, before, after: undefined } as Applied;
    }
    const { kind, record } = change;
    const isNew = committing && record.created_event_id === record.event_id;
    const before = isNew ? undefined : this.tables[kind].get(record.sid);
    this.put(kind, record, before);
    if (change.kind === 'message' && before === undefined) this.noteMessage(change.record, at);
    return { kind, before, after: record } as Applied;
  }

  private put(kind: Kind, record: Records[Kind], before: Records[Kind] | undefined): void {
    (this.tables[kind] as Map<string, Records[Kind]>).set(record.sid, record);
    if (before === undefined) this.indexes.place(kind, record, orderKey(kind, record));
    this.index(kind, before, record);
  }

  private index(kind: Kind, before: Records[Kind] | undefined, after: Records[Kind]): void {
    switch (kind) {
      case 'conversation':
        return this.indexConversation(
          before as Records['conversation'] | undefined,
          after as Records['conversation'],
        );
      case 'participant': {
        const participant = after as Records['participant'];
        const open = this.get('conversation', participant.conversation_sid)?.state !== 'closed';
        return this.indexes.putParticipant(before as Records['participant'] | undefined, participant, open);
      }
      case 'user':
        return this.indexes.putUser(after as Records['user']);
      case 'address':
        return this.indexes.putAddress(after as Records['address']);
      default:
    }
  }

  private indexConversation(
    before: Records['conversation'] | undefined,
    after: Records['conversation'],
  ): void {
    this.indexes.putConversation(before, after);
    if (after.state === 'closed' && before?.state !== 'closed') this.releasePairs(after.sid);
  }

  /** Deleting takes everything below along: one journal line, however much that is. */
  private remove(kind: Kind, sid: string): void {
    const record = this.tables[kind].get(sid);
    if (record === undefined) return;
    for (const child of CHILDREN[kind] ?? []) {
      for (const [, childSid] of [...this.children(child, sid).after()]) this.remove(child, childSid);
    }
    this.tables[kind].delete(sid);
    this.indexes.displace(kind, record, orderKey(kind, record as never));
    const removed = { kind, before: record, after: undefined } as Applied & { before: object };
    if (removed.kind === 'conversation') this.indexes.removeConversation(removed.before);
    if (removed.kind === 'participant') this.indexes.removeParticipant(removed.before);
    if (removed.kind === 'user') this.indexes.removeUser(removed.before);
    if (removed.kind === 'address') this.indexes.removeAddress(removed.before);
  }

  private releasePairs(conversationSid: string): void {
    for (const [, sid] of this.children('participant', conversationSid).after()) {
      const participant = this.get('participant', sid);
      if (participant !== undefined) this.indexes.release(participant);
    }
  }

  /** A message moves its conversation to the front, gives it its next index and restarts its timers. */
  private noteMessage(message: Records['message'], at: number): void {
    const conversation = this.get('conversation', message.conversation_sid);
    if (conversation === undefined) return;
    conversation.next_message_index = Math.max(conversation.next_message_index, message.index + 1);
    conversation.last_activity = at;
    if (message.event_id <= conversation.activity_event_id) return;
    this.indexes.displace('conversation', conversation, orderKey('conversation', conversation));
    conversation.activity_event_id = message.event_id;
    this.indexes.place('conversation', conversation, conversation.activity_event_id);
  }

  /** The sid of a user by identity, of a conversation by unique name: within a service. */
  userByIdentity(service: string, identity: string): Records['user'] | undefined {
    const sid = this.indexes.identities.get(service, identity);
    return sid === undefined ? undefined : this.get('user', sid);
  }

  conversationByName(service: string, name: string): Records['conversation'] | undefined {
    const sid = this.indexes.uniqueNames.get(service, name);
    return sid === undefined ? undefined : this.get('conversation', sid);
  }

  memberByIdentity(conversation: string, identity: string): Records['participant'] | undefined {
    const sid = this.indexes.memberByIdentity.get(conversation, identity);
    return sid === undefined ? undefined : this.get('participant', sid);
  }

  memberByAddress(conversation: string, address: string): Records['participant'] | undefined {
    const sid = this.indexes.memberByAddress.get(conversation, address);
    return sid === undefined ? undefined : this.get('participant', sid);
  }

  boundTo(address: string, proxy: string): Records['participant'] | undefined {
    const sid = this.indexes.pairs.get(address, proxy);
    return sid === undefined ? undefined : this.get('participant', sid);
  }
}

const CHILDREN: { [K in Kind]?: Kind[] } = {
  service: ['conversation', 'user', 'role', 'binding'],
  conversation: ['participant', 'message', 'webhook'],
  message: ['receipt'],
};

/** Conversations are listed by their latest message, everything else by when it was made. */
function orderKey<K extends Kind>(kind: K, record: Records[K]): number {
  if (kind !== 'conversation') return record.created_event_id;
  const conversation = record as Records['conversation'];
  return conversation.activity_event_id || conversation.created_event_id;
}

function emptyTables(): Tables {
  return Object.fromEntries(KINDS.map((kind) => [kind, new Map()])) as unknown as Tables;
}
