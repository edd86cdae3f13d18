/** What is known of something that was asked for: done, not done, or either (nobody was told, and nobody asked again). */
export type Fate = 'yes' | 'no' | 'maybe';

export interface PersonRecord {
  fate: Fate;
  /** The member `v` of the participant's attributes. */
  v: number | null;
  /** Of the conversation; null for an address. */
  role: string | null;
  /** Of an address participant: the pair. */
  pair: { address: string; proxyAddress: string } | null;
  /** How a path names the participant: an externalId, or our id where there is none. */
  path: string;
  /** The identity of whoever has got a service role, and that role. */
  service: { identityId: string; role: string } | null;
}

export interface SaidRecord {
  /** The first word of the body: no other message has it. */
  readonly mark: string;
  fate: Fate;
  /** Those of a lower step were answered before this one was sent. */
  readonly step: number;
  /** The whole body, which begins with the mark. */
  body: string;
  /** The member `v` of the message's attributes. */
  v: number | null;
  /** Of the message, once it was answered. */
  id: string | null;
  /** It was there, and was deleted. */
  deleted: boolean;
}

/** An answer that was stored: the same key gives the same bytes again. */
export interface KeptAnswer {
  path: string;
  key: string;
  body: object;
  status: number;
  text: string;
}

/** One chat as the program knows it from what was accepted: nothing in here but ids comes out of what the service shows. */
export class ChatRecord {
  made: Fate = 'maybe';
  gone: Fate = 'no';
  /** Undefined where it is not known: the same for what follows. */
  state: 'active' | 'inactive' | 'closed' | undefined = 'active';
  friendlyName: string | null | undefined = null;
  /** The member `v` of its attributes. */
  v: number | null | undefined = null;
  timers: { inactive?: string; closed?: string } | undefined = {};
  id: string | null = null;
  /** By the name that travels in the participant's attributes. */
  readonly people = new Map<string, PersonRecord>();
  readonly said: SaidRecord[] = [];
  readonly answers: KeptAnswer[] = [];
  step = 0;

  constructor(
    /** Travels in the attributes of the conversation: no other has it. */
    readonly name: string,
  ) {}

  get path(): string {
    if (this.id === null) throw new Error(`${this.name} has no id.`);
    return `/v1/conversations/${this.id}`;
  }

  /** Those who are in for certain, in the order in which they were asked for. */
  get present(): [who: string, person: PersonRecord][] {
    return [...this.people].filter(([, { fate }]) => fate === 'yes');
  }

  person(who: string): PersonRecord {
    const found = this.people.get(who);
    if (!found) throw new Error(`Nobody in ${this.name} is called ${who}.`);
    return found;
  }

  say(mark: string, fate: Fate): SaidRecord {
    const said = { mark, fate, step: this.step, body: mark, v: null, id: null, deleted: false };
    this.said.push(said);
    return said;
  }
}

/** Everything that was asked for in a run, and every answer that should not have been. */
export class Recorder {
  readonly chats: ChatRecord[] = [];
  readonly complaints: string[] = [];
  /** Commands by kind and status, such as `add 201`. */
  readonly counts = new Map<string, number>();

  chat(name: string): ChatRecord {
    const record = new ChatRecord(name);
    this.chats.push(record);
    return record;
  }

  count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }

  complain(text: string): void {
    this.complaints.push(text);
  }
}
