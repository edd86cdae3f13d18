import { setTimeout as pause } from 'node:timers/promises';
import { say } from './messages.js';
import type { Scene } from './scene.js';

const TIMERS = [{}, { inactive: 'PT2H' }, { closed: 'P2D' }, { inactive: 'PT30M', closed: 'PT10H' }];

/** Name, attributes and timers, or some of them. `unsure`: nobody will know whether it was done. */
export async function patch(scene: Scene, unsure = false): Promise<void> {
  const { chat, random } = scene;
  const which = random.between(1, 7);
  const change = {
    ...(which & 1 && { friendlyName: scene.mark('name') }),
    ...(which & 2 && { attributes: { chat: chat.name, v: scene.number() } }),
    ...(which & 4 && { timers: random.pick(TIMERS) }),
  };
  if (change.friendlyName !== undefined) chat.friendlyName = unsure ? undefined : change.friendlyName;
  if (change.attributes !== undefined) chat.v = unsure ? undefined : change.attributes.v;
  if (change.timers !== undefined) chat.timers = unsure ? undefined : change.timers;
  const outcome = await scene.ask('PATCH', chat.path, change);
  if (!unsure) scene.expect('patch', outcome, [200]);
}

/** Puts the chat to rest; a message wakes it, or somebody does. */
export async function rest(scene: Scene): Promise<void> {
  await setState(scene, 'inactive');
  if (scene.random.chance(0.5)) return setState(scene, 'active');
  await say(scene);
  scene.chat.state = 'active';
}

export async function setState(scene: Scene, state: 'active' | 'inactive'): Promise<void> {
  scene.chat.state = state;
  const outcome = await scene.ask('PATCH', scene.chat.path, { state });
  scene.expect(`make ${state}`, outcome, [200]);
}

export async function close(scene: Scene): Promise<void> {
  const { chat } = scene;
  const said = chat.say(scene.mark('last'), 'yes');
  chat.state = 'closed';
  const path = `${chat.path}/close`;
  const body = { systemMessage: { body: said.mark } };
  const outcome = await scene.ask('POST', path, body, { key: said.mark });
  if (scene.expect('close', outcome, [200])) scene.keep(path, said.mark, body, outcome);
}

/** Deletes the chat, while `others` are under way. */
export async function remove(scene: Scene, others: Promise<void>[]): Promise<void> {
  const { chat, random } = scene;
  if (others.length > 0) await pause(random.between(0, 40));
  chat.gone = 'yes';
  const outcome = await scene.ask('DELETE', chat.path, undefined);
  scene.expect('delete', outcome, outcome?.repeated ? [204, 404] : [204]);
  await Promise.all(others);
}
