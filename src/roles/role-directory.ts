import { Injectable } from '@nestjs/common';
import { ChatServicesService } from '../chat-services/chat-services.service.js';
import { PresetRoles } from '../chat-services/preset-roles.service.js';
import { AppError } from '../common/errors/app-error.js';
import type { Page, PageQuery } from '../common/http/page.js';
import { isUuid } from '../common/validation/text.js';
import { toAppError } from '../twilio/to-app-error.js';
import { TwilioError } from '../twilio/twilio-error.js';
import { TwilioGateway } from '../twilio/twilio.gateway.js';
import type { At, UpstreamRole } from '../twilio/twilio.types.js';
import { RoleDriftResponse, RoleResponse } from './role.dto.js';
import { RoleRows, type KnownRole } from './role-rows.js';

/** A role that somebody has named: at least one of the two is there. */
export interface FoundRole {
  known: KnownRole | undefined;
  /** Null while Twilio does not have it. */
  upstream: UpstreamRole | null;
}

/** Reads roles through to Twilio, which holds them. */
@Injectable()
export class RoleDirectory {
  constructor(
    private readonly services: ChatServicesService,
    private readonly presets: PresetRoles,
    private readonly gateway: TwilioGateway,
    private readonly rows: RoleRows,
  ) {}

  /** Newest first. */
  async list(serviceId: string, { limit, cursor }: PageQuery): Promise<Page<RoleResponse>> {
    const after = cursor === undefined ? null : placeOf(cursor);
    const at = await this.at(serviceId);
    const [known, upstream] = await Promise.all([
      this.rows.known(serviceId),
      reading(() => this.gateway.listRoles(at)),
    ]);
    const rest = upstream
      .map((role) => ({ role, place: place(role) }))
      .filter((one) => after === null || one.place < after)
      .sort((a, b) => (a.place < b.place ? 1 : -1));
    const page = rest.slice(0, limit);
    const last = page.at(-1);
    return {
      data: page.map(({ role }) => RoleResponse.from(role, bySid(known, role.sid))),
      nextCursor: rest.length > limit && last ? Buffer.from(last.place).toString('base64url') : null,
    };
  }

  async get(serviceId: string, path: string): Promise<RoleResponse> {
    return shown(await this.find(serviceId, path));
  }

  /** By its `RL…`, or by our id. What belongs to another chat service is not found. */
  async find(serviceId: string, path: string): Promise<FoundRole> {
    const known = await this.rows.known(serviceId);
    const row = isUuid(path) ? known.find(({ id }) => id === path.toLowerCase()) : bySid(known, path);
    const sid = row ? row.twilioSid : /^RL[0-9a-fA-F]{32}$/.test(path) ? path : null;
    const at = await this.at(serviceId);
    const upstream = sid === null ? null : await reading(() => this.gateway.findRole(at, sid));
    // A row whose role Twilio has lost is no role.
    if (!upstream && (!row || row.twilioSid !== null)) throw missing();
    return { known: row, upstream };
  }

  /** Compares the presets with what Twilio has. */
  async drift(serviceId: string): Promise<RoleDriftResponse> {
    const at = await this.at(serviceId);
    return RoleDriftResponse.from(await reading(() => this.presets.drift(serviceId, at)));
  }

  private async at(serviceId: string): Promise<At> {
    const serviceSid = await this.services.findTwilioSid(serviceId);
    if (serviceSid === null) throw new AppError('unavailable', { headers: { 'retry-after': '1' } });
    return { serviceSid };
  }
}

export function shown({ known, upstream }: FoundRole): RoleResponse {
  if (upstream) return RoleResponse.from(upstream, known);
  if (known) return RoleResponse.pending(known);
  throw missing();
}

/** Where a role stands in the list: its second and its sid, as text whose order is theirs. */
const place = ({ dateCreated, sid }: UpstreamRole): string =>
  `${String(dateCreated.getTime()).padStart(15, '0')} ${sid}`;

function placeOf(cursor: string): string {
  const text = Buffer.from(cursor, 'base64url').toString();
  if (!/^\d{15} RL[0-9a-fA-F]{32}$/.test(text))
    throw AppError.invalid('cursor', 'is not a cursor of this list');
  return text;
}

const bySid = (known: KnownRole[], sid: string): KnownRole | undefined =>
  known.find(({ twilioSid }) => twilioSid === sid);

const missing = (): AppError => new AppError('not_found', { detail: 'There is no such role.' });

/** What reads through to Twilio answers with its troubles. */
async function reading<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    throw error instanceof TwilioError ? toAppError(error) : error;
  }
}
