import type { Conversation, Kind, Participant, Records, User, AddressConfiguration } from './records.js';
import { Ordered } from './ordered.js';

/** The object a record is listed under; '' where the account itself is the parent. */
const PARENT: { [K in Kind]?: (record: Records[K]) => string } = {
  service: () => '',
  credential: () => '',
  address: () => '',
  role: (role) => role.chat_service_sid,
  user: (user) => user.chat_service_sid,
  conversation: (conversation) => conversation.chat_service_sid,
  binding: (binding) => binding.chat_service_sid,
  participant: (participant) => participant.conversation_sid,
  message: (message) => message.conversation_sid,
  webhook: (webhook) => webhook.conversation_sid,
  receipt: (receipt) => receipt.message_sid,
};

const EMPTY = new Ordered();

/** Two texts as one key: neither a sid nor a number holds a space, so the first one ends at it. */
export const pair = (first: string, second: string): string => `${first} ${second}`;

/** Everything by which a record is found other than its sid. The store alone keeps it true. */
export class Indexes {
  /** Conversations by unique name, users by identity: within a service. */
  readonly uniqueNames = new Map<string, string>();
  readonly identities = new Map<string, string>();
  /** Participants by identity and by address: within a conversation. */
  readonly memberByIdentity = new Map<string, string>();
  readonly memberByAddress = new Map<string, string>();
  /** (address, proxy address) of the conversations that are not closed: over the whole account. */
  readonly pairs = new Map<string, string>();
  /** All participants of one identity in a service, and of one address. */
  readonly memberships = new Map<string, Set<string>>();
  readonly addressMemberships = new Map<string, Set<string>>();
  readonly addressConfigurations = new Map<string, string>();

  private readonly lists: { [K in Kind]?: Map<string, Ordered> } = {};

  /** The children of one kind of one parent, in order. */
  children(kind: Kind, parent: string): Ordered {
    return this.lists[kind]?.get(parent) ?? EMPTY;
  }

  place<K extends Kind>(kind: K, record: Records[K], key: number): void {
    const parent = PARENT[kind]?.(record);
    if (parent === undefined) return;
    const lists = (this.lists[kind] ??= new Map<string, Ordered>());
    let list = lists.get(parent);
    if (list === undefined) lists.set(parent, (list = new Ordered()));
    list.add(key, record.sid);
  }

  displace<K extends Kind>(kind: K, record: Records[K], key: number): void {
    const parent = PARENT[kind]?.(record);
    const lists = this.lists[kind];
    const list = parent === undefined ? undefined : lists?.get(parent);
    list?.remove(key);
    if (list?.size === 0 && parent !== undefined) lists?.delete(parent);
  }

  putConversation(before: Conversation | undefined, after: Conversation): void {
    if (before?.unique_name != null && before.unique_name !== after.unique_name) {
      this.uniqueNames.delete(pair(before.chat_service_sid, before.unique_name));
    }
    if (after.unique_name !== null) {
      this.uniqueNames.set(pair(after.chat_service_sid, after.unique_name), after.sid);
    }
  }

  removeConversation(conversation: Conversation): void {
    if (conversation.unique_name === null) return;
    this.uniqueNames.delete(pair(conversation.chat_service_sid, conversation.unique_name));
  }

  putUser(user: User): void {
    this.identities.set(pair(user.chat_service_sid, user.identity), user.sid);
  }

  removeUser(user: User): void {
    this.identities.delete(pair(user.chat_service_sid, user.identity));
  }

  putAddress(address: AddressConfiguration): void {
    this.addressConfigurations.set(address.address, address.sid);
  }

  removeAddress(address: AddressConfiguration): void {
    this.addressConfigurations.delete(address.address);
  }

  putParticipant(before: Participant | undefined, after: Participant, open: boolean): void {
    if (before !== undefined) this.removeParticipant(before);
    const { sid, identity, conversation_sid, messaging_binding } = after;
    if (identity !== null) {
      this.memberByIdentity.set(pair(conversation_sid, identity), sid);
      addTo(this.memberships, pair(after.chat_service_sid, identity), sid);
    }
    for (const address of addressesOf(after)) {
      this.memberByAddress.set(pair(conversation_sid, address), sid);
      addTo(this.addressMemberships, address, sid);
    }
    if (open && messaging_binding !== null) this.bind(after);
  }

  removeParticipant(participant: Participant): void {
    const { sid, identity, conversation_sid } = participant;
    if (identity !== null) {
      this.memberByIdentity.delete(pair(conversation_sid, identity));
      removeFrom(this.memberships, pair(participant.chat_service_sid, identity), sid);
    }
    for (const address of addressesOf(participant)) {
      this.memberByAddress.delete(pair(conversation_sid, address));
      removeFrom(this.addressMemberships, address, sid);
    }
    this.release(participant);
  }

  /** A closed or deleted conversation lets its number pairs go. */
  release(participant: Participant): void {
    const key = pairOf(participant);
    if (key !== undefined && this.pairs.get(key) === participant.sid) this.pairs.delete(key);
  }

  private bind(participant: Participant): void {
    const key = pairOf(participant);
    if (key !== undefined) this.pairs.set(key, participant.sid);
  }
}

function pairOf({ messaging_binding: binding }: Participant): string | undefined {
  if (binding?.address === undefined || binding.proxy_address === undefined) return undefined;
  return pair(binding.address, binding.proxy_address);
}

function addressesOf({ messaging_binding: binding }: Participant): string[] {
  return [binding?.address, binding?.projected_address].filter((text) => text !== undefined);
}

function addTo(index: Map<string, Set<string>>, key: string, sid: string): void {
  const set = index.get(key);
  if (set === undefined) index.set(key, new Set([sid]));
  else set.add(sid);
}

function removeFrom(index: Map<string, Set<string>>, key: string, sid: string): void {
  const set = index.get(key);
  set?.delete(sid);
  if (set?.size === 0) index.delete(key);
}
