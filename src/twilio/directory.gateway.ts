import type { Twilio } from 'twilio';
import { nameParameter, sidParameter } from './path-parameters.js';
import type { UpstreamCalls } from './upstream-calls.js';
import { toDefaultTimers, toRole, toService, toUser, toUserConversation } from './upstream-resources.js';
import type {
  At,
  ListOptions,
  NewRole,
  NewUser,
  Sending,
  TimerDurations,
  UpstreamRole,
  UpstreamService,
  UpstreamUser,
  UpstreamUserConversation,
  UserChange,
} from './twilio.types.js';

export type ConversationsApi = Twilio['conversations']['v1'];

/**
 * The part of TwilioGateway that knows chat services, roles and users. Errors and bounds: see there.
 */
export abstract class DirectoryGateway {
  protected constructor(
    protected readonly api: ConversationsApi,
    protected readonly calls: UpstreamCalls,
  ) {}

  /** The chat service that a call is for. Always named: the account's default one is never meant. */
  protected service(at: At): ReturnType<ConversationsApi['services']> {
    return this.api.services(sidParameter('IS', at.serviceSid));
  }

  /** Makes a chat service. It has no key: a second call makes a second one. */
  createService(friendlyName: string, sending: Sending = {}): Promise<UpstreamService> {
    return this.calls.write(sending, async () => toService(await this.api.services.create({ friendlyName })));
  }

  /** Null when the account has none with this sid. */
  async findService(sid: string, sending: Sending = {}): Promise<UpstreamService | null> {
    const service = this.api.services(sidParameter('IS', sid));
    return this.calls.find(sending, async () => toService(await service.fetch()));
  }

  /** The account's chat services, in an order that Twilio does not document. */
  listServices(options: ListOptions = {}, sending: Sending = {}): Promise<UpstreamService[]> {
    return this.calls.list(
      sending,
      { list: this.api.services, largestPage: 100, toOurs: toService },
      options,
    );
  }

  /** Removes a chat service **and everything in it**: for a twin that was made a moment ago. Done when it is gone. */
  async deleteService(sid: string, sending: Sending = {}): Promise<void> {
    const service = this.api.services(sidParameter('IS', sid));
    return this.calls.remove(sending, () => service.remove());
  }

  /** The timers of the account that a conversation gets for which none are asked; a key is missing where none is set. */
  async findDefaultTimers(sending: Sending = {}): Promise<TimerDurations> {
    const configuration = this.api.configuration();
    return this.calls.read(sending, async () => toDefaultTimers(await configuration.fetch()));
  }

  /** Makes a role. It has no key: a second call makes a second one. Name and type cannot be changed afterwards. */
  async createRole(at: At, role: NewRole): Promise<UpstreamRole> {
    const { roles } = this.service(at);
    const { friendlyName, type, permissions } = role;
    return this.calls.write(at, async () =>
      toRole(await roles.create({ friendlyName, type, permission: permissions })),
    );
  }

  /** Null when it is not there. */
  async findRole(at: At, sid: string): Promise<UpstreamRole | null> {
    const role = this.service(at).roles(sidParameter('RL', sid));
    return this.calls.find(at, async () => toRole(await role.fetch()));
  }

  /** All roles of the chat service, Twilio's four default ones with them. */
  async listRoles(at: At, options: ListOptions = {}): Promise<UpstreamRole[]> {
    return this.calls.list(at, { list: this.service(at).roles, largestPage: 50, toOurs: toRole }, options);
  }

  /** Replaces the permissions of a role: the whole list, at least one. */
  async updateRole(at: At, sid: string, permissions: string[]): Promise<UpstreamRole> {
    const role = this.service(at).roles(sidParameter('RL', sid));
    return this.calls.write(at, async () => toRole(await role.update({ permission: permissions })));
  }

  /** Done when it is gone. What Twilio does with a default role, or one in use, is not verified. */
  async deleteRole(at: At, sid: string): Promise<void> {
    const role = this.service(at).roles(sidParameter('RL', sid));
    return this.calls.remove(at, () => role.remove());
  }

  /** Makes a user; `already_exists` when the identity has one (Twilio makes one as an identity joins a conversation). */
  async createUser(at: At, user: NewUser): Promise<UpstreamUser> {
    const { users } = this.service(at);
    const { identity, friendlyName, attributes, roleSid } = user;
    const parameters = { identity, friendlyName, attributes, roleSid };
    return this.calls.write(at, async () => toUser(await users.create(parameters)));
  }

  /** By `US…` or identity (case-sensitive). Null when it is not there. */
  async findUser(at: At, sidOrIdentity: string): Promise<UpstreamUser | null> {
    const user = this.service(at).users(nameParameter('US', sidOrIdentity));
    return this.calls.find(at, async () => toUser(await user.fetch()));
  }

  /** By `US…` or identity. */
  async updateUser(at: At, sidOrIdentity: string, change: UserChange): Promise<UpstreamUser> {
    const user = this.service(at).users(nameParameter('US', sidOrIdentity));
    const { friendlyName, attributes, roleSid } = change;
    const parameters = { friendlyName: friendlyName === null ? '' : friendlyName, attributes, roleSid };
    return this.calls.write(at, async () => toUser(await user.update(parameters)));
  }

  /** By sid only, as every removal. Done when it is gone. What becomes of the user's participants is not verified. */
  async deleteUser(at: At, sid: string): Promise<void> {
    const user = this.service(at).users(sidParameter('US', sid));
    return this.calls.remove(at, () => user.remove());
  }

  /** The conversations that a user (`US…` or identity) is in, closed ones too. Without the user: `not_found`. */
  async listUserConversations(
    at: At,
    sidOrIdentity: string,
    options: ListOptions = {},
  ): Promise<UpstreamUserConversation[]> {
    const { userConversations } = this.service(at).users(nameParameter('US', sidOrIdentity));
    const source = { list: userConversations, largestPage: 50 as const, toOurs: toUserConversation };
    return this.calls.list(at, source, options);
  }
}
