import type { Random } from '../world/random.js';
import type { CallOptions, Client, Outcome } from './client.js';
import type { ChatRecord, PersonRecord, Recorder } from './record.js';

/** A participant as it is asked for. */
export interface AskedPerson {
  kind: string;
  externalId?: string;
  role?: string;
  address?: string;
  proxyAddress?: string;
  attributes: { who: string; v?: number };
}

/** Marks that a scene may use before those of the next one that is made of it. */
const MARKS_APART = 1000;

const PROXY_ADDRESS = '+15559990000';

/** What the steps of one chat's life work with. */
export class Scene {
  private marks = 0;

  constructor(
    readonly chat: ChatRecord,
    readonly recorder: Recorder,
    readonly client: Client,
    readonly random: Random,
  ) {}

  /** The same chat, by way of another client. */
  through(client: Client): Scene {
    const scene = new Scene(this.chat, this.recorder, client, this.random);
    scene.marks = this.marks + MARKS_APART;
    return scene;
  }

  /** A name that nothing else in the run has. */
  mark(what: string): string {
    this.marks += 1;
    return `${what}-${this.chat.name}-${this.marks}`;
  }

  number(): number {
    return this.random.between(1, 1_000_000);
  }

  /** Asks until the end is known, with a patience that differs from call to call. */
  ask(
    method: string,
    path: string,
    body: object | undefined,
    options: CallOptions = {},
  ): Promise<Outcome | null> {
    return this.client.ask(method, path, body, { ...this.patience(), ...options });
  }

  /** Asks once, and never again. Null when no answer came. */
  askOnce(method: string, path: string, body: object, options: CallOptions = {}): Promise<Outcome | null> {
    return this.client.once(method, path, body, { ...this.patience(), ...options }).catch(() => null);
  }

  /** Counts the answer, and complains where it is none of those that there may be. */
  expect(what: string, outcome: Outcome | null, statuses: number[]): outcome is Outcome {
    this.recorder.count(`${what} ${outcome?.status ?? 'never'}`);
    if (outcome && statuses.includes(outcome.status)) return true;
    const answer = outcome ? `${outcome.status} ${outcome.text.slice(0, 300)}` : 'no end in all patience';
    this.complain(`${what} was answered ${answer}`);
    return false;
  }

  complain(text: string): void {
    this.recorder.complain(`${this.chat.name}: ${text}`);
  }

  /** For the comparison at the end: the same key must give the same again. */
  keep(path: string, key: string, body: object, { status, text }: Outcome): void {
    this.chat.answers.push({ path, key, body, status, text });
  }

  /** Somebody new. One in six is reached at an address, if that may be. */
  newPerson(kind: string, mayBeAddress: boolean): AskedPerson {
    const who = this.mark('person');
    if (mayBeAddress && this.random.chance(1 / 6)) {
      return { kind, address: this.address(who), proxyAddress: PROXY_ADDRESS, attributes: { who } };
    }
    const role = kind === 'customer' && this.random.chance(0.3) ? { role: 'supervisor' } : {};
    return { kind, externalId: who, ...role, attributes: { who } };
  }

  private patience(): { prefer?: string } {
    const prefer = this.random.pick([undefined, 'wait=1', 'wait=20', 'respond-async']);
    return prefer === undefined ? {} : { prefer };
  }

  /** Of nobody else: the numbers out of the name, which no other chat of the run has. */
  private address(who: string): string {
    const [chat = 0, person = 0] = (who.match(/\d+/g) ?? []).map(Number).slice(-2);
    return `+12${String(chat).padStart(6, '0')}${String(person).padStart(4, '0')}`;
  }
}

/** How whoever was asked for like that stands once he is in. `inherited` is the role of whom he replaces. */
export function personRecord(asked: AskedPerson, inherited: string | null = null): PersonRecord {
  const { kind, externalId, role, address, proxyAddress, attributes } = asked;
  return {
    fate: 'yes',
    v: attributes.v ?? null,
    role: address === undefined ? (role ?? inherited ?? kind) : null,
    pair: address !== undefined && proxyAddress !== undefined ? { address, proxyAddress } : null,
    path: externalId ?? '',
    service: null,
  };
}
