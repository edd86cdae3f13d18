import { setTimeout as pause } from 'node:timers/promises';
import type { Random } from '../world/random.js';
import type { World } from '../world/world.js';
import { Client } from './client.js';
import { edit, say, sayOnce, takeBack } from './messages.js';
import { add, addAgain, change, deletePerson, giveServiceRole, leave, suspend, transfer } from './people.js';
import { provideAgain, provision } from './provision.js';
import type { Recorder } from './record.js';
import { Scene } from './scene.js';
import { close, patch, remove, rest, setState } from './settings.js';

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

  /** A chat that nothing has been done to yet. */
  scene(): Scene {
    this.started += 1;
    const random = this.random.fork(this.started);
    const chat = this.recorder.chat(`${this.world.settings.seed}-${this.started}`);
    return new Scene(chat, this.recorder, new Client(this.world, random.fork(0)), random);
  }

  private async act(): Promise<void> {
    while (!this.stopping) {
      const scene = this.scene();
      if (await provision(scene)) await live(scene);
      await pause(scene.random.between(0, 50));
    }
  }
}

/** Commands one after the other, and some side by side where their order does not matter. */
const STEPS: ((scene: Scene) => Promise<unknown>)[] = [
  say,
  sayOnce,
  (scene) => Promise.all([say(scene), say(scene), add(scene)]),
  edit,
  edit,
  takeBack,
  add,
  addAgain,
  change,
  change,
  leave,
  leave,
  transfer,
  giveServiceRole,
  suspend,
  deletePerson,
  (scene) => patch(scene),
  (scene) => Promise.all([patch(scene), say(scene), change(scene)]),
  rest,
  provideAgain,
];

async function live(scene: Scene): Promise<void> {
  const { chat, random } = scene;
  for (let steps = random.between(3, 8); steps > 0; steps -= 1) {
    chat.step += 1;
    await random.pick(STEPS)(scene);
  }
  chat.step += 1;
  const end = random.next();
  if (end < 0.2) await close(scene);
  else if (end < 0.3) await remove(scene, []);
  else if (end < 0.4) await remove(scene, [say(scene, 'maybe'), add(scene, 'maybe'), patch(scene, true)]);
  else if (end < 0.45) await setState(scene, 'inactive');
}
