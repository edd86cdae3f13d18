import { Injectable } from '@nestjs/common';
import { ChatServicesService } from '../../chat-services/chat-services.service.js';
import { isPreset, PRESET_PERMISSIONS } from '../../chat-services/presets.js';
import { AppError } from '../../common/errors/app-error.js';
import { toAppError } from '../../twilio/to-app-error.js';
import { TwilioError } from '../../twilio/twilio-error.js';
import { TwilioGateway } from '../../twilio/twilio.gateway.js';
import type { ParticipantEntity } from '../participants/participant.entity.js';

/**
 * How long the permissions of a role that is no preset are remembered, in milliseconds, where it is not changed through
 * us: what somebody changes at Twilio is seen after that, what is changed here at once.
 */
const REMEMBER_MS = 30_000;
const REMEMBERED_MAX = 1000;

interface Remembered {
  permissions: readonly string[];
  /** Of the roles of the chat service, before the permissions were read. */
  version: number;
  until: number;
}

/**
 * What a participant's role permits. Twilio holds roles against access tokens only, never against REST calls: whoever
 * acts for a participant here is held to them by us.
 */
@Injectable()
export class RolePermissions {
  private readonly remembered = new Map<string, Remembered>();

  constructor(
    private readonly services: ChatServicesService,
    private readonly gateway: TwilioGateway,
  ) {}

  /** Throws `role_forbids` unless the role has every one of the permissions. */
  async assert(
    serviceId: string,
    participant: Pick<ParticipantEntity, 'role' | 'roleSid' | 'address'>,
    ...wanted: (string | readonly string[])[]
  ): Promise<void> {
    const held = await this.of(serviceId, participant);
    const lacking = wanted.filter((one) => ![one].flat().some((name) => held.includes(name)));
    if (lacking.length === 0) return;
    const names = lacking.map((one) => [one].flat().join(' or ')).join(', ');
    throw new AppError('role_forbids', {
      detail: `The role ${participant.role ?? 'customer'} lacks ${names}.`,
    });
  }

  private async of(
    serviceId: string,
    { role, roleSid, address }: Pick<ParticipantEntity, 'role' | 'roleSid' | 'address'>,
  ): Promise<readonly string[]> {
    // An address has no role at Twilio: it acts as a customer.
    if (address !== null || role === null) return PRESET_PERMISSIONS.customer;
    if (roleSid === null) return isPreset(role) ? PRESET_PERMISSIONS[role] : [];
    const version = await this.services.rolesVersion(serviceId);
    const known = this.remembered.get(roleSid);
    if (known?.version === version && known.until > performance.now()) return known.permissions;
    const permissions = await this.read(serviceId, roleSid);
    if (this.remembered.size >= REMEMBERED_MAX) this.remembered.clear();
    this.remembered.set(roleSid, { permissions, version, until: performance.now() + REMEMBER_MS });
    return permissions;
  }

  private async read(serviceId: string, roleSid: string): Promise<readonly string[]> {
    const serviceSid = await this.services.findTwilioSid(serviceId);
    if (serviceSid === null) throw new AppError('unavailable', { headers: { 'retry-after': '1' } });
    try {
      return (await this.gateway.findRole({ serviceSid }, roleSid))?.permissions ?? [];
    } catch (error) {
      throw error instanceof TwilioError ? toAppError(error) : error;
    }
  }
}
