import type { Fate } from './record.js';
import { personRecord, type AskedPerson, type Scene } from './scene.js';

const ROLES = ['customer', 'supervisor', 'agent', 'bot'];
const SERVICE_ROLES = ['service user', 'service admin'];

/** Somebody new comes in. */
export function add(scene: Scene, fate: Fate = 'yes'): Promise<void> {
  return join(scene, 'add', scene.newPerson('customer', true), fate);
}

/** Somebody who was removed comes in again: the same person, or the same address pair, with other attributes. */
export async function addAgain(scene: Scene): Promise<void> {
  const { chat, random } = scene;
  const gone = [...chat.people].filter(([, { fate }]) => fate === 'no');
  if (gone.length === 0) return add(scene);
  const [who, { pair }] = random.pick(gone);
  const attributes = { who, v: scene.number() };
  const named = pair ?? { externalId: who, role: random.pick(ROLES) };
  await join(scene, 'add again', { kind: 'customer', ...named, attributes }, 'yes');
}

async function join(scene: Scene, what: string, asked: AskedPerson, fate: Fate): Promise<void> {
  const { chat } = scene;
  const { who } = asked.attributes;
  const person = { ...personRecord(asked), service: chat.people.get(who)?.service ?? null };
  chat.people.set(who, { ...person, fate: 'maybe' });
  const path = `${chat.path}/participants`;
  const key = scene.mark('key');
  const outcome = await scene.ask('POST', path, asked, { key });
  if (fate === 'maybe') return;
  chat.people.set(who, person);
  if (!scene.expect(what, outcome, [201])) return;
  if (person.path === '') person.path = (JSON.parse(outcome.text) as { id: string }).id;
  scene.keep(path, key, asked, outcome);
}

/** Other attributes, another role, or both. */
export async function change(scene: Scene): Promise<void> {
  const { chat, random } = scene;
  const [who, person] = random.pick(chat.present);
  const what = person.role === null ? 0 : random.between(0, 2);
  const body: { attributes?: object; role?: string } = {};
  if (what !== 1) {
    person.v = scene.number();
    body.attributes = { who, v: person.v };
  }
  if (what !== 0) {
    person.role = random.pick(ROLES);
    body.role = person.role;
  }
  const outcome = await scene.ask('PATCH', `${chat.path}/participants/${person.path}`, body);
  scene.expect('change', outcome, [200]);
}

/** The first one is the agent, who stays. */
export async function leave(scene: Scene): Promise<void> {
  const { chat, random } = scene;
  const [, ...others] = chat.present;
  if (others.length < 2) return;
  const [, person] = random.pick(others);
  person.fate = 'no';
  const outcome = await scene.ask('DELETE', `${chat.path}/participants/${person.path}`, undefined);
  scene.expect('leave', outcome, outcome?.repeated ? [204, 404] : [204]);
}

export async function transfer(scene: Scene): Promise<void> {
  const { chat, random } = scene;
  const [, ...others] = chat.present;
  const [, leaving] = random.pick(others);
  const to = scene.newPerson('customer', false);
  const said = chat.say(scene.mark('transfer'), 'yes');
  leaving.fate = 'no';
  chat.people.set(to.attributes.who, personRecord(to, leaving.role));
  const path = `${chat.path}/transfer`;
  const body = { from: leaving.path, to, systemMessage: { body: said.mark } };
  const outcome = await scene.ask('POST', path, body, { key: said.mark });
  if (scene.expect('transfer', outcome, [200])) scene.keep(path, said.mark, body, outcome);
}

/** The person's User at Twilio gets a service role. */
export async function giveServiceRole(scene: Scene): Promise<void> {
  const { chat, random } = scene;
  const [who, person] = random.pick(chat.present.filter(([, { pair }]) => pair === null));
  const identityId = await identityOf(scene, who);
  if (identityId === null) return;
  const role = random.pick(SERVICE_ROLES);
  person.service = { identityId, role };
  const outcome = await scene.ask('PUT', `/v1/identities/${identityId}/service-role`, { role });
  scene.expect('service role', outcome, [200]);
}

/** Somebody is suspended, who is out of the chat by it, and reinstated: he may be asked in again. */
export async function suspend(scene: Scene): Promise<void> {
  const { chat, random } = scene;
  const [, ...others] = chat.present;
  const chatting = others.filter(([, { pair }]) => pair === null);
  if (others.length < 2 || chatting.length === 0) return;
  const [who, person] = random.pick(chatting);
  const identityId = await identityOf(scene, who);
  if (identityId === null) return;
  person.fate = 'no';
  for (const what of ['suspend', 'reinstate']) {
    const key = scene.mark('key');
    const outcome = await scene.ask('POST', `/v1/identities/${identityId}/${what}`, undefined, { key });
    if (!scene.expect(what, outcome, [200])) return;
  }
}

/** Somebody who has left is deleted, with his User at Twilio: whoever comes in under his name is somebody else. */
export async function deletePerson(scene: Scene): Promise<void> {
  const { chat, random } = scene;
  const gone = [...chat.people].filter(([, { fate, pair }]) => fate === 'no' && pair === null);
  if (gone.length === 0) return;
  const [who, person] = random.pick(gone);
  const identityId = await identityOf(scene, who);
  if (identityId === null) return;
  person.service = null;
  const outcome = await scene.ask('DELETE', `/v1/identities/${identityId}`, undefined);
  scene.expect('delete person', outcome, outcome?.repeated ? [204, 404] : [204]);
}

/** Null where nobody has that name any more. */
async function identityOf(scene: Scene, who: string): Promise<string | null> {
  const found = await scene.client.ask('GET', `/v1/identities?externalId=${who}`, undefined);
  if (!scene.expect('look', found, [200])) return null;
  return (JSON.parse(found.text) as { data: { id: string }[] }).data[0]?.id ?? null;
}
