import type { Conversation, Kind, Participant, Records, User, AddressConfiguration } from './records.js';
import { Ordered } from './ordered.js';
import { Pairs, SidSets } from './pairs.js';

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

/** Everything by which a record is found other than its sid. The store alone keeps it true. */
export class Indexes {
  /** Conversations by unique name, users by identity: within a service. */
  readonly uniqueNames = new Pairs<string>();
  readonly identities = new Pairs<string>();
  /** Participants by identity and by address: within a conversation. */
  readonly memberByIdentity = new Pairs<string>();
  readonly memberByAddress = new Pairs<string>();
  /** (address, proxy address) of the conversations that are not closed: over the whole account. */
  readonly pairs = new Pairs<string>();
  /** All participants of one identity, and of one address: within a service. */
  readonly memberships = new SidSets();
  readonly addressMemberships = new SidSets();
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
      this.uniqueNames.delete(before.chat_service_sid, before.unique_name);
    }
    if (after.unique_name !== null) {
      this.uniqueNames.set(after.chat_service_sid, after.unique_name, after.sid);
    }
  }

  removeConversation(conversation: Conversation): void {
    if (conversation.unique_name === null) return;
    this.uniqueNames.delete(conversation.chat_service_sid, conversation.unique_name);
  }

  putUser(user: User): void {
    this.identities.set(user.chat_service_sid, user.identity, user.sid);
  }

  removeUser(user: User): void {
    this.identities.delete(user.chat_service_sid, user.identity);
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
      this.memberByIdentity.set(conversation_sid, identity, sid);
      this.memberships.add(after.chat_service_sid, identity, sid);
    }
    for (const address of addressesOf(after)) {
      this.memberByAddress.set(conversation_sid, address, sid);
      this.addressMemberships.add(after.chat_service_sid, address, sid);
    }
    if (open && messaging_binding !== null) this.bind(after);
  }

  removeParticipant(participant: Participant): void {
    const { sid, identity, conversation_sid } = participant;
    if (identity !== null) {
      this.memberByIdentity.delete(conversation_sid, identity);
      this.memberships.remove(participant.chat_service_sid, identity, sid);
    }
    for (const address of addressesOf(participant)) {
      this.memberByAddress.delete(conversation_sid, address);
      this.addressMemberships.remove(participant.chat_service_sid, address, sid);
    }
    this.release(participant);
  }

  /** A closed or deleted conversation lets its number pairs go. */
  release({ sid, messaging_binding: binding }: Participant): void {
    if (binding?.address === undefined || binding.proxy_address === undefined) return;
    const { address, proxy_address: proxy } = binding;
    if (this.pairs.get(address, proxy) === sid) this.pairs.delete(address, proxy);
  }

  private bind({ sid, messaging_binding: binding }: Participant): void {
    if (binding?.address === undefined || binding.proxy_address === undefined) return;
    this.pairs.set(binding.address, binding.proxy_address, sid);
  }
}

const NO_ADDRESS: string[] = [];

function addressesOf({ messaging_binding: binding }: Participant): string[] {
  if (binding === null) return NO_ADDRESS;
  return [binding.address, binding.projected_address].filter((text) => text !== undefined);
}
