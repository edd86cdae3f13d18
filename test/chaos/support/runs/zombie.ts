import { setTimeout as pause } from 'node:timers/promises';
import { Client } from '../load/client.js';
import { edit, say } from '../load/messages.js';
import { change } from '../load/people.js';
import { provisionPlainly } from '../load/provision.js';
import type { Scene } from '../load/scene.js';
import { close, patch, rest } from '../load/settings.js';
import type { Random } from '../world/random.js';
import type { Replica } from '../world/replica.js';
import type { World } from '../world/world.js';

/** Within which the holder must come to where it is frozen, in milliseconds. */
const REACHED_MS = 5000;

const COMMIT = /^Q[^]{4}commit\0$/i;

/**
 * A chat whose holder is frozen in the midst of it, for as long as it takes another replica to take over and to change
 * everything about the chat; then the holder wakes with its old view of it.
 */
export class Zombie {
  constructor(
    private readonly world: World,
    private readonly random: Random,
    private readonly holder: Replica,
    private readonly others: Replica[],
  ) {}

  /**
   * Frozen between Twilio's answer and its own record of it: when it wakes, nothing but the fence keeps it from writing
   * what it knows over what has come since.
   */
  async beforeItsRecord(scene: Scene): Promise<boolean> {
    if (!(await provisionPlainly(scene))) return false;
    const message = new RegExp(
      `^POST /v1/Services/IS\\w+/Conversations/${await this.sidOf(scene)}/Messages `,
    );
    return this.frozen(scene, 'before its record', (freeze) =>
      this.holder.arm('sandbox', { message, moment: 'answered', hit: () => freeze() }),
    );
  }

  /**
   * Frozen by the last answer of Postgres before it sends: when it wakes, nothing but its own clock keeps it from sending
   * what another has sent. How many messages to Postgres come before the send is learnt by a first one.
   */
  async beforeItsSend(scene: Scene): Promise<boolean> {
    if (!(await provisionPlainly(scene))) return false;
    const ids = await this.world.sql<{ id: string }>(
      `select id from conversations where id = $1 union select identity_id from participants
      where conversation_id = $1 and identity_id is not null`,
      [scene.chat.id],
    );
    const trap = {
      message: new RegExp(ids.map(({ id }) => id).join('|')),
      followedBy: COMMIT,
      moment: 'answered' as const,
    };
    let nth = 0;
    this.holder.arm('postgres', { ...trap, nth: Infinity, hit: () => 'pass' });
    this.holder.arm('sandbox', {
      message: new RegExp(`/Conversations/${await this.sidOf(scene)}/Messages `),
      moment: 'before',
      hit: () => {
        nth = this.holder.seen('postgres');
        return 'pass';
      },
    });
    await say(scene.through(new Client(this.world, this.random, [this.holder])));
    this.holder.disarm();
    if (nth === 0) return false;
    return this.frozen(scene, 'before its send', (freeze) =>
      this.holder.arm('postgres', { ...trap, nth, hit: () => freeze() }),
    );
  }

  /** False when it never came there. */
  private async frozen(scene: Scene, where: string, arm: (freeze: () => 'pass') => void): Promise<boolean> {
    let wake = (): void => undefined;
    const over = new Promise<void>((resolve) => (wake = resolve));
    const reached = new Promise<boolean>((resolve) => {
      arm(() => {
        this.holder.freeze(over, where);
        resolve(true);
        return 'pass';
      });
      setTimeout(() => resolve(false), REACHED_MS).unref();
    });
    const { pid } = this.holder;
    // With a key: another replica may be asked for the same meanwhile, and all get the same bytes.
    const body = { body: scene.mark('word') };
    const said = scene.chat.say(body.body, 'yes');
    const path = `${scene.chat.path}/system-messages`;
    const atHolder = new Client(this.world, this.random, [this.holder])
      .once('POST', path, body, { key: said.mark, prefer: 'wait=60' })
      .catch(() => null);
    const came = await reached;
    try {
      if (!came) this.holder.disarm();
      const elsewhere = scene.through(new Client(this.world, this.random, came ? this.others : null));
      const outcome = await elsewhere.ask('POST', path, body, { key: said.mark });
      if (elsewhere.expect('say', outcome, [201])) elsewhere.keep(path, said.mark, body, outcome);
      if (came) await this.goOn(elsewhere);
      wake();
      await this.holder.awake();
      const late = await atHolder;
      if (late?.status === 201 && late.text !== outcome?.text)
        scene.complain(`the frozen holder answered ${late.text}, the other one ${outcome?.text}`);
    } finally {
      wake();
    }
    return came && this.holder.pid === pid;
  }

  /** Everything that the holder knows of the chat is changed, and what may have landed late has been looked for. */
  private async goOn(scene: Scene): Promise<void> {
    scene.chat.step += 1;
    await patch(scene);
    await Promise.all([patch(scene), change(scene), edit(scene)]);
    if (this.random.chance(0.3)) await close(scene);
    else await rest(scene);
    const until = Date.now() + 60_000;
    while (Date.now() < until && !(await this.isAtRest(scene))) await pause(250);
  }

  private async isAtRest({ chat }: Scene): Promise<boolean> {
    const rows = await this.world.sql('select from conversations where id = $1 and due_at is null', [
      chat.id,
    ]);
    return rows.length > 0;
  }

  private async sidOf({ chat }: Scene): Promise<string> {
    const rows = await this.world.sql<{ twilio_sid: string }>(
      'select twilio_sid from conversations where id = $1',
      [chat.id],
    );
    return rows[0]?.twilio_sid ?? '';
  }
}
