/** What is known of something that was asked for: done, not done, or either (nobody was told, and nobody asked again). */
export type Fate = 'yes' | 'no' | 'maybe';

export interface SaidRecord {
  /** The body: no other message has it. */
  mark: string;
  fate: Fate;
  /** Those of a lower step were answered before this one was sent. */
  step: number;
}

/** An answer that was stored: the same key gives the same bytes again. */
export interface KeptAnswer {
  path: string;
  key: string;
  body: object;
  status: number;
  text: string;
}

/** One chat as the program knows it from what was accepted: nothing in here comes out of what the service shows. */
export class ChatRecord {
  made: Fate = 'maybe';
  gone: Fate = 'no';
  closed: Fate = 'no';
  id: string | null = null;
  friendlyName: string | null | undefined = null;
  /** By the name that travels in the participant's attributes; the value of `v` there. */
  readonly people = new Map<string, { fate: Fate; v: number | null }>();
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

  /** Those who are in for certain. */
  get present(): string[] {
    return [...this.people].flatMap(([who, { fate }]) => (fate === 'yes' ? [who] : []));
  }

  say(mark: string, fate: Fate): SaidRecord {
    const said = { mark, fate, step: this.step };
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
