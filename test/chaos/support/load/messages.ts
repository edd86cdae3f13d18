import type { Fate, SaidRecord } from './record.js';
import type { Scene } from './scene.js';

/** By the system, or by a participant. */
export async function say(scene: Scene, fate: Fate = 'yes'): Promise<void> {
  const { chat } = scene;
  const said = chat.say(scene.mark('word'), 'maybe');
  const { path, body } = words(scene, said.mark);
  const outcome = await scene.ask('POST', path, body, { key: said.mark });
  if (fate === 'maybe') return;
  said.fate = 'yes';
  if (!scene.expect('say', outcome, [201])) return;
  said.id = (JSON.parse(outcome.text) as { id: string }).id;
  scene.keep(path, said.mark, body, outcome);
}

/** Without a key, and never again: where it was taken, it is said; where no answer came, it may be. */
export async function sayOnce(scene: Scene): Promise<void> {
  const said = scene.chat.say(scene.mark('word'), 'maybe');
  const { path, body } = words(scene, said.mark);
  const outcome = await scene.askOnce('POST', path, body);
  scene.recorder.count(`say once ${outcome?.status ?? 'cut'}`);
  if (outcome !== null && outcome.status < 300) said.fate = 'yes';
}

/** Another body, other attributes, or both. */
export async function edit(scene: Scene): Promise<void> {
  const { random } = scene;
  const said = known(scene);
  if (!said) return say(scene);
  const what = random.between(0, 2);
  const body: { body?: string; attributes?: object } = {};
  if (what !== 1) {
    said.body = `${said.mark} ${scene.number()}`;
    body.body = said.body;
  }
  if (what !== 0) {
    said.v = scene.number();
    body.attributes = { v: said.v };
  }
  const outcome = await scene.ask('PATCH', pathOf(scene, said), body);
  scene.expect('edit', outcome, [200]);
}

export async function takeBack(scene: Scene): Promise<void> {
  const said = known(scene);
  if (!said) return say(scene);
  said.fate = 'no';
  said.deleted = true;
  const outcome = await scene.ask('DELETE', pathOf(scene, said), undefined);
  scene.expect('take back', outcome, outcome?.repeated ? [204, 404] : [204]);
}

const pathOf = ({ chat }: Scene, { id }: SaidRecord): string => `${chat.path}/messages/${id}`;

/** A message that stands, and whose id was told. */
function known({ chat, random }: Scene): SaidRecord | null {
  const all = chat.said.filter(({ fate, id }) => fate === 'yes' && id !== null);
  return all.length === 0 ? null : random.pick(all);
}

function words({ chat, random }: Scene, mark: string): { path: string; body: object } {
  if (random.chance(0.4)) return { path: `${chat.path}/system-messages`, body: { body: mark } };
  const [, { path: author }] = random.pick(chat.present);
  return { path: `${chat.path}/messages`, body: { author, body: mark } };
}
