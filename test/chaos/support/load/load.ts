import { setTimeout as pause } from 'node:timers/promises';
import { Client, type Outcome } from './client.js';
import type { Random } from './random.js';
import type { ChatRecord, Recorder } from './record.js';
import type { World } from './world.js';

/** Twilio refuses it, always. */
const REFUSED_ADDRESS = { address: '+15005550001', proxyAddress: '+15005550006' };

/** Begins chats and lives them through, several at once, for as long as it is told. */
export class Load {
  private started = 0;
  private stopping = false;
  private actors: Promise<void>[] = [];

  constructor(
    private readonly world: World,
    private readonly recorder: Recorder,
    private readonly random: Random,
  ) {}

  begin(): void {
    this.stopping = false;
    this.actors = Array.from({ length: this.world.settings.actors }, () => this.act());
  }

  /** No new chat is begun; what is under way is brought to its end. */
  async finish(): Promise<void> {
    this.stopping = true;
    await Promise.all(this.actors);
  }

  private async act(): Promise<void> {
    while (!this.stopping) {
      this.started += 1;
      const random = this.random.fork(this.started);
      const chat = this.recorder.chat(`${this.world.settings.seed}-${this.started}`);
      const actor = new Actor(chat, this.recorder, new Client(this.world, random.fork(0)), random);
      await actor.live();
      await pause(random.between(0, 50));
    }
  }
}

/** Lives one chat through: commands one after the other, and some side by side where their order does not matter. */
class Actor {
  private marks = 0;

  constructor(
    private readonly chat: ChatRecord,
    private readonly recorder: Recorder,
    private readonly client: Client,
    private readonly random: Random,
  ) {}

  async live(): Promise<void> {
    if (!(await this.provision())) return;
    for (let steps = this.random.between(2, 6); steps > 0; steps -= 1) {
      this.chat.step += 1;
      await this.random.pick([
        () => this.say(),
        () => Promise.all([this.say(), this.say(), this.add()]),
        () => this.add(),
        () => this.change(),
        () => this.remove(),
        () => this.transfer(),
        () => this.patch(),
        () => Promise.all([this.patch(), this.say(), this.change()]),
        () => this.sayOnce(),
      ])();
    }
    this.chat.step += 1;
    const end = this.random.next();
    if (end < 0.2) await this.close();
    else if (end < 0.35) await this.delete([]);
    else if (end < 0.45) await this.delete([this.say('maybe'), this.add('maybe'), this.patch(true)]);
  }

  /** False when that was all that is to be done. */
  private async provision(): Promise<boolean> {
    const { chat, random } = this;
    const people = Array.from({ length: random.between(2, 4) }, (_, n) =>
      this.person(n === 0 ? 'agent' : ''),
    );
    const refused = random.chance(0.08);
    const greeting = chat.say(this.mark('greeting'), 'maybe');
    const body = {
      externalRef: chat.name,
      attributes: { chat: chat.name },
      participants: [...people, ...(refused ? [{ kind: 'customer', ...REFUSED_ADDRESS }] : [])],
      systemMessage: { body: greeting.mark },
    };
    const byRef = random.chance(0.5);
    const [method, path] = byRef
      ? ['PUT', `/v1/conversations/by-ref/${chat.name}`]
      : ['POST', '/v1/conversations'];
    const options = { ...(!byRef && { key: chat.name }), ...this.patience() };
    const fates = people.map(({ externalId }) => ({ externalId, fate: { fate: 'yes' as const, v: null } }));
    for (const { externalId, fate } of fates) chat.people.set(externalId, fate);
    greeting.fate = 'yes';
    if (random.chance(0.1)) return this.provisionOnce(method, path, body, options);
    if (random.chance(0.1)) return this.provisionAndDelete(method, path, body, options);
    const ask = () => this.client.ask(method, path, body, options);
    const outcome = await ask();
    const wanted = refused ? [422] : byRef ? [200, 201] : [201];
    chat.made = refused ? 'no' : 'yes';
    if (!this.expect('provision', outcome, wanted) || refused) return false;
    chat.id = (JSON.parse(outcome.text) as { id: string }).id;
    if (!byRef) this.keep(path, chat.name, body, outcome);
    return true;
  }

  /** Asks once, and never again: where it was taken (202), it must be done; where no answer came, it may be. */
  private async provisionOnce(method: string, path: string, body: object, options: object): Promise<false> {
    const outcome = await this.client.once(method, path, body, options).catch(() => null);
    this.recorder.count(`provision once ${outcome?.status ?? 'cut'}`);
    const refused = JSON.stringify(body).includes(REFUSED_ADDRESS.address);
    const taken = outcome !== null && outcome.status < 300;
    this.chat.made = refused ? 'no' : taken ? 'yes' : 'maybe';
    return false;
  }

  /** Deletes what is still in the making. */
  private async provisionAndDelete(
    method: string,
    path: string,
    body: object,
    options: object,
  ): Promise<false> {
    const outcome = await this.client
      .once(method, path, body, { ...options, prefer: 'respond-async' })
      .catch(() => null);
    this.chat.made = 'maybe';
    if (outcome?.status !== 202) return false;
    this.chat.id = (JSON.parse(outcome.text) as { id: string }).id;
    await pause(this.random.between(0, 30));
    await this.delete([]);
    return false;
  }

  private async say(fate: 'yes' | 'maybe' = 'yes'): Promise<void> {
    const said = this.chat.say(this.mark('word'), 'maybe');
    const { path, body } = this.words(said.mark);
    const key = said.mark;
    const outcome = await this.client.ask('POST', path, body, { key, ...this.patience() });
    if (fate === 'maybe') return;
    said.fate = 'yes';
    if (this.expect('say', outcome, [201])) this.keep(path, key, body, outcome);
  }

  private async sayOnce(): Promise<void> {
    const said = this.chat.say(this.mark('word'), 'maybe');
    const { path, body } = this.words(said.mark);
    const outcome = await this.client.once('POST', path, body, this.patience()).catch(() => null);
    this.recorder.count(`say once ${outcome?.status ?? 'cut'}`);
    if (outcome !== null && outcome.status < 300) said.fate = 'yes';
  }

  private words(mark: string): { path: string; body: object } {
    const author = this.random.chance(0.4) ? null : this.random.pick(this.chat.present);
    return author === null
      ? { path: `${this.chat.path}/system-messages`, body: { body: mark } }
      : { path: `${this.chat.path}/messages`, body: { author, body: mark } };
  }

  private async add(fate: 'yes' | 'maybe' = 'yes'): Promise<void> {
    const person = this.person('');
    this.chat.people.set(person.externalId, { fate: 'maybe', v: null });
    const path = `${this.chat.path}/participants`;
    const options = { key: person.externalId, ...this.patience() };
    const outcome = await this.client.ask('POST', path, person, options);
    if (fate === 'maybe') return;
    this.chat.people.set(person.externalId, { fate: 'yes', v: null });
    if (this.expect('add', outcome, [201])) this.keep(path, options.key, person, outcome);
  }

  private async change(): Promise<void> {
    const who = this.random.pick(this.chat.present);
    const v = this.random.between(1, 1_000_000);
    this.chat.people.set(who, { fate: 'yes', v });
    const body = { attributes: { who, v } };
    const outcome = await this.client.ask(
      'PATCH',
      `${this.chat.path}/participants/${who}`,
      body,
      this.patience(),
    );
    this.expect('change', outcome, [200]);
  }

  /** The first one is the agent, who stays. */
  private async remove(): Promise<void> {
    const [, ...others] = this.chat.present;
    if (others.length < 2) return;
    const who = this.random.pick(others);
    this.chat.people.set(who, { fate: 'no', v: null });
    const outcome = await this.client.ask(
      'DELETE',
      `${this.chat.path}/participants/${who}`,
      undefined,
      this.patience(),
    );
    this.expect('remove', outcome, outcome?.repeated ? [204, 404] : [204]);
  }

  private async transfer(): Promise<void> {
    const [, ...others] = this.chat.present;
    const from = this.random.pick(others);
    const to = this.person('');
    const said = this.chat.say(this.mark('transfer'), 'yes');
    this.chat.people.set(from, { fate: 'no', v: null });
    this.chat.people.set(to.externalId, { fate: 'yes', v: null });
    const path = `${this.chat.path}/transfer`;
    const body = { from, to, systemMessage: { body: said.mark } };
    const options = { key: said.mark, ...this.patience() };
    const outcome = await this.client.ask('POST', path, body, options);
    if (this.expect('transfer', outcome, [200])) this.keep(path, options.key, body, outcome);
  }

  private async patch(unsure = false): Promise<void> {
    const friendlyName = this.mark('name');
    this.chat.friendlyName = unsure ? undefined : friendlyName;
    const outcome = await this.client.ask('PATCH', this.chat.path, { friendlyName }, this.patience());
    if (!unsure) this.expect('patch', outcome, [200]);
  }

  private async close(): Promise<void> {
    const said = this.chat.say(this.mark('last'), 'yes');
    this.chat.closed = 'yes';
    const path = `${this.chat.path}/close`;
    const body = { systemMessage: { body: said.mark } };
    const outcome = await this.client.ask('POST', path, body, { key: said.mark, ...this.patience() });
    if (this.expect('close', outcome, [200])) this.keep(path, said.mark, body, outcome);
  }

  /** While `others` are under way. */
  private async delete(others: Promise<void>[]): Promise<void> {
    if (others.length > 0) await pause(this.random.between(0, 40));
    this.chat.gone = 'yes';
    const outcome = await this.client.ask('DELETE', this.chat.path, undefined, this.patience());
    this.expect('delete', outcome, outcome?.repeated ? [204, 404] : [204]);
    await Promise.all(others);
  }

  private expect(what: string, outcome: Outcome | null, statuses: number[]): outcome is Outcome {
    this.recorder.count(`${what} ${outcome?.status ?? 'never'}`);
    if (outcome && statuses.includes(outcome.status)) return true;
    const answer = outcome ? `${outcome.status} ${outcome.text.slice(0, 300)}` : 'no end in all patience';
    this.recorder.complain(`${this.chat.name}: ${what} was answered ${answer}`);
    return false;
  }

  private keep(path: string, key: string, body: object, { status, text }: Outcome): void {
    this.chat.answers.push({ path, key, body, status, text });
  }

  private person(kind: string) {
    const externalId = this.mark('person');
    return {
      kind: kind || 'customer',
      externalId,
      ...(kind === '' && this.random.chance(0.3) && { role: 'supervisor' }),
      attributes: { who: externalId },
    };
  }

  private mark(what: string): string {
    this.marks += 1;
    return `${what}-${this.chat.name}-${this.marks}`;
  }

  private patience(): { prefer?: string } {
    const prefer = this.random.pick([undefined, 'wait=1', 'wait=20', 'respond-async']);
    return prefer === undefined ? {} : { prefer };
  }
}
