import { setTimeout as pause } from 'node:timers/promises';
import { say } from './messages.js';
import { add } from './people.js';
import { personRecord, type AskedPerson, type Scene } from './scene.js';
import { patch, remove } from './settings.js';

/** Twilio refuses it, always. */
const REFUSED_ADDRESS = { address: '+15005550001', proxyAddress: '+15005550006' };

interface Shown {
  id: string;
  participants: { id: string; attributes: { who?: string } }[];
}

interface Provision {
  method: 'PUT' | 'POST';
  path: string;
  body: { participants: object[] };
  options: { key?: string };
  refused: boolean;
}

/** Makes the chat, in one of many ways. False when that was all that is to be done. */
export async function provision(scene: Scene): Promise<boolean> {
  const { random } = scene;
  const asked = provisionOf(scene, random.chance(0.08));
  if (random.chance(0.1)) return provisionOnce(scene, asked);
  if (random.chance(0.1)) return provisionAndDelete(scene, asked);
  if (random.chance(0.2) && !asked.refused) return provisionAndQueue(scene, asked);
  return provisionFully(scene, asked);
}

/** Makes a chat that goes on. False when that failed, which it should not. */
export function provisionPlainly(scene: Scene): Promise<boolean> {
  return provisionFully(scene, provisionOf(scene, false));
}

async function provisionFully(scene: Scene, asked: Provision): Promise<boolean> {
  const { chat } = scene;
  const { method, path, body, options, refused } = asked;
  const outcome = await scene.ask(method, path, body, options);
  chat.made = refused ? 'no' : 'yes';
  const wanted = refused ? [422] : method === 'PUT' ? [200, 201] : [201];
  if (!scene.expect('provision', outcome, wanted) || refused) return false;
  know(scene, outcome.text);
  if (options.key !== undefined) scene.keep(path, options.key, body, outcome);
  return true;
}

/** Notes the ids that are needed for paths. */
function know({ chat }: Scene, text: string): void {
  const shown = JSON.parse(text) as Shown;
  chat.id = shown.id;
  for (const { id, attributes } of shown.participants) {
    const person = chat.people.get(attributes.who ?? '');
    if (person?.path === '') person.path = id;
  }
}

/** Asks for more while the chat is still in the making: that queues. */
async function provisionAndQueue(scene: Scene, asked: Provision): Promise<boolean> {
  const { method, path, body, options } = asked;
  const outcome = await scene.askOnce(method, path, body, { ...options, prefer: 'respond-async' });
  scene.recorder.count(`provision and queue ${outcome?.status ?? 'cut'}`);
  if (outcome?.status !== 202) return provisionFully(scene, asked);
  know(scene, outcome.text);
  const [made] = await Promise.all([provisionFully(scene, asked), say(scene), patch(scene), add(scene)]);
  return made;
}

/** By its reference again: it is given as it stands, whatever the body says. */
export async function provideAgain(scene: Scene): Promise<void> {
  const { chat } = scene;
  const body = {
    friendlyName: scene.mark('ignored'),
    participants: [{ kind: 'customer', externalId: scene.mark('ignored') }],
  };
  const outcome = await scene.ask('PUT', `/v1/conversations/by-ref/${chat.name}`, body);
  if (!scene.expect('provide again', outcome, [200])) return;
  const { id } = JSON.parse(outcome.text) as Shown;
  if (id !== chat.id) scene.complain(`is ${id} by its reference, and was made as ${chat.id}`);
}

/** Decides what is asked for, and notes it. */
function provisionOf(scene: Scene, refused: boolean): Provision {
  const { chat, random } = scene;
  const others = Array.from({ length: random.between(1, 3) }, () => scene.newPerson('customer', true));
  const people: AskedPerson[] = [scene.newPerson('agent', false), ...others];
  for (const asked of people) chat.people.set(asked.attributes.who, personRecord(asked));
  const greeting = chat.say(scene.mark('greeting'), 'yes');
  if (random.chance(0.3)) chat.timers = { inactive: 'PT1H', closed: 'P1D' };
  const byRef = random.chance(0.5);
  return {
    method: byRef ? 'PUT' : 'POST',
    path: byRef ? `/v1/conversations/by-ref/${chat.name}` : '/v1/conversations',
    options: byRef ? {} : { key: chat.name },
    refused,
    body: {
      externalRef: chat.name,
      attributes: { chat: chat.name },
      participants: [...people, ...(refused ? [{ kind: 'customer', ...REFUSED_ADDRESS }] : [])],
      systemMessage: { body: greeting.mark },
      ...(chat.timers?.inactive !== undefined && { timers: chat.timers }),
    } as Provision['body'],
  };
}

/** Asks once, and never again: where it was taken (202), it must be done; where no answer came, it may be. */
async function provisionOnce(scene: Scene, { method, path, body, options, refused }: Provision) {
  const outcome = await scene.askOnce(method, path, body, options);
  scene.recorder.count(`provision once ${outcome?.status ?? 'cut'}`);
  const taken = outcome !== null && outcome.status < 300;
  scene.chat.made = refused ? 'no' : taken ? 'yes' : 'maybe';
  return false;
}

/** Deletes what is still in the making. */
async function provisionAndDelete(scene: Scene, { method, path, body, options }: Provision) {
  const { chat, random } = scene;
  const outcome = await scene.askOnce(method, path, body, { ...options, prefer: 'respond-async' });
  chat.made = 'maybe';
  if (outcome?.status !== 202) return false;
  chat.id = (JSON.parse(outcome.text) as Shown).id;
  await pause(random.between(0, 30));
  await remove(scene, []);
  return false;
}
