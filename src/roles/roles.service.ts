import { Injectable } from '@nestjs/common';
import { ChatServicesService, type ReadyChatService } from '../chat-services/chat-services.service.js';
import { isPreset } from '../chat-services/presets.js';
import { shownName } from '../chat-services/twilio-name.js';
import { AppError } from '../common/errors/app-error.js';
import { toAppError } from '../twilio/to-app-error.js';
import { TwilioError } from '../twilio/twilio-error.js';
import { TwilioGateway } from '../twilio/twilio.gateway.js';
import type { UpstreamRole } from '../twilio/twilio.types.js';

/** A conversation role as a participant bears it. */
export interface ResolvedRole {
  /** As answers show it: the preset, else the friendly name. */
  name: string;
  /** Null for a preset: its sid is that of the chat service. */
  sid: string | null;
}

@Injectable()
export class RolesService {
  constructor(
    private readonly gateway: TwilioGateway,
    private readonly services: ChatServicesService,
  ) {}

  /**
   * Resolves the conversation roles that callers name, by preset, friendly name or sid. Twilio is asked only where one
   * of them is no preset. `names` maps the field of the request to the role that stands there; an unknown role, and a
   * name that two roles bear, are refused with that field.
   */
  async resolveConversationRoles(
    serviceId: string,
    names: ReadonlyMap<string, string>,
  ): Promise<Map<string, ResolvedRole>> {
    const resolved = new Map<string, ResolvedRole>();
    const others = new Map<string, string>();
    for (const [field, name] of names) {
      if (isPreset(name)) resolved.set(field, { name, sid: null });
      else others.set(field, name);
    }
    if (others.size === 0) return resolved;
    const service = await this.services.findReady(serviceId);
    if (!service) throw new AppError('unavailable', { headers: { 'retry-after': '1' } });
    const known = await this.conversationRoles(service);
    for (const [field, name] of others) resolved.set(field, pick(known, service, field, name));
    return resolved;
  }

  /** Resolves a role of type `service`, which users bear, by its friendly name or sid; refused where it is no such. */
  async resolveServiceRole(
    serviceId: string,
    field: string,
    name: string,
  ): Promise<{ name: string; sid: string }> {
    const service = await this.services.findReady(serviceId);
    if (!service) throw new AppError('unavailable', { headers: { 'retry-after': '1' } });
    const role = only(await this.rolesOf(service, 'service'), 'service', field, name);
    return { name: shownName(role.friendlyName), sid: role.sid };
  }

  private conversationRoles(service: ReadyChatService): Promise<UpstreamRole[]> {
    return this.rolesOf(service, 'conversation');
  }

  private async rolesOf(service: ReadyChatService, type: UpstreamRole['type']): Promise<UpstreamRole[]> {
    try {
      const roles = await this.gateway.listRoles({ serviceSid: service.twilioSid });
      return roles.filter((role) => role.type === type);
    } catch (error) {
      throw error instanceof TwilioError ? toAppError(error) : error;
    }
  }
}

function only(known: UpstreamRole[], type: UpstreamRole['type'], field: string, name: string): UpstreamRole {
  const matches = known.filter((role) => role.sid === name || shownName(role.friendlyName) === name);
  const [role] = matches;
  if (!role) throw AppError.invalid(field, `the chat service has no ${type} role "${name}"`);
  if (matches.length > 1) throw AppError.invalid(field, `several roles are called "${name}": give the sid`);
  return role;
}

function pick(known: UpstreamRole[], service: ReadyChatService, field: string, name: string): ResolvedRole {
  const role = only(known, 'conversation', field, name);
  const preset = [...service.presetSids].find(([, sid]) => sid === role.sid)?.[0];
  return preset ? { name: preset, sid: null } : { name: shownName(role.friendlyName), sid: role.sid };
}
