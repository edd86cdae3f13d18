import { Injectable } from '@nestjs/common';
import type { Caller } from '../access/caller.js';
import type { ReadyChatService } from '../chat-services/chat-services.service.js';
import { shownName } from '../chat-services/twilio-name.js';
import { AppError } from '../common/errors/app-error.js';
import type { Command } from '../common/http/command.js';
import { Database } from '../database/database.js';
import { TwilioGateway } from '../twilio/twilio.gateway.js';
import type { UpstreamRole, UpstreamUser } from '../twilio/twilio.types.js';
import { IdentitiesService } from './identities.service.js';

export const IDENTITY_DRIFTS = [
  'identity_user_missing',
  'identity_user_replaced',
  'identity_service_role',
] as const;

/** A row as drift sees it. */
export interface IdentityRow {
  id: string;
  version: number;
  externalId: string | null;
  twilioIdentity: string;
  twilioSid: string | null;
  serviceRole: string | null;
  /** Nothing is known of a User of it, or it is erased: there is nothing to compare. */
  idle: boolean;
  /** A wish is open, or somebody holds the lease: not to be judged. */
  inMotion: boolean;
}

/** One thing in which an identity and its User at Twilio differ. */
export interface IdentityFinding {
  kind: (typeof IDENTITY_DRIFTS)[number];
  ours: unknown;
  twilio: unknown;
  repair: 'adopt' | 'update' | 'none';
}

export interface DriftedIdentity {
  row: IdentityRow;
  /** The User that Twilio has, or null. */
  userSid: string | null;
  findings: IdentityFinding[];
}

export type IdentityRepair = 'repaired' | 'pending' | 'in-motion' | { left: string };

const ROW = `
  id, version, external_id as "externalId", twilio_identity as "twilioIdentity", twilio_sid as "twilioSid",
  service_role as "serviceRole",
  status = 'erased' or (service_role is null and twilio_sid is null) as "idle",
  due_at is not null
    or exists (select from wishes w where w.aggregate_id = identities.id and w.status is null) as "inMotion"`;

/**
 * At rest still, and as it was compared: nobody holds its lease, and whoever takes it later reads it anew. Another User
 * was told no name.
 */
const ADOPT_USER = `
  update identities set twilio_sid = $3, service_role = $4, shared_name_hash = null, updated_at = now()
  where id = $1 and version = $2 and due_at is null returning id`;

/** Compares identities that have a User at Twilio, as far as we know, with that User. */
@Injectable()
export class IdentityDriftService {
  constructor(
    private readonly database: Database,
    private readonly gateway: TwilioGateway,
    private readonly identities: IdentitiesService,
  ) {}

  /** Identities of a chat service, by id, after the given one; those with nothing to compare among them. */
  rowsAfter(serviceId: string, after: string | null, limit: number): Promise<IdentityRow[]> {
    return this.database.query<IdentityRow>(
      'drift.identities',
      `select ${ROW} from identities where service_id = $1 and id > $2 and deleted_at is null order by id limit $3`,
      [serviceId, after ?? '00000000-0000-0000-0000-000000000000', limit],
    );
  }

  /** Compares the rows, all at once: give it few. As for conversations. */
  async compare(
    service: ReadyChatService,
    rows: IdentityRow[],
  ): Promise<{ drifted: DriftedIdentity[]; inMotion: string[] }> {
    const still = rows.filter(({ idle, inMotion }) => !idle && !inMotion);
    const at = { serviceSid: service.twilioSid };
    const roles = still.some(({ serviceRole }) => serviceRole !== null)
      ? await this.gateway.listRoles(at)
      : [];
    const compared = await Promise.all(
      still.map(async (row): Promise<DriftedIdentity> => {
        const user = await this.gateway.findUser(at, row.twilioIdentity);
        return { row, userSid: user?.sid ?? null, findings: compareUser(row, user, roles) };
      }),
    );
    const drifted = compared.filter(({ findings }) => findings.length > 0);
    const now = await this.versions(drifted);
    const unmoved = drifted.filter(({ row }) => now.get(row.id) === row.version);
    const moving = [
      ...rows.filter(({ idle, inMotion }) => !idle && inMotion),
      ...drifted.filter((one) => !unmoved.includes(one)).map(({ row }) => row),
    ];
    return { drifted: unmoved, inMotion: moving.map(({ id }) => id) };
  }

  /**
   * Adopts the User that Twilio has, or that it has none; gives a User that is there the service role of the row. One
   * that is missing is made again only where `readd` says so, and the row has a role for it.
   */
  async repair(
    command: Command,
    caller: Caller,
    { row, userSid, findings }: DriftedIdentity,
    { readd }: { readd: boolean },
  ): Promise<IdentityRepair> {
    const again = userSid === null && readd && row.serviceRole !== null;
    const role = userSid === null && !again ? null : row.serviceRole;
    if (findings.some(({ repair }) => repair === 'adopt')) {
      const adopted = await this.database.query('drift.adopt-user', ADOPT_USER, [
        row.id,
        row.version,
        userSid,
        role,
      ]);
      if (adopted.length === 0) return 'in-motion';
    }
    const wanted = again || findings.some(({ repair }) => repair === 'update');
    if (!wanted || role === null) return 'repaired';
    return this.assign(command, caller, row.id, role);
  }

  private async assign(command: Command, caller: Caller, id: string, role: string): Promise<IdentityRepair> {
    try {
      const unkeyed = { ...command, idempotencyHash: null };
      const { status } = await this.identities.assignServiceRole(unkeyed, caller, id, role);
      if (status === 202) return 'pending';
      return status === 200 ? 'repaired' : { left: `It was answered ${status}.` };
    } catch (error) {
      // The role is gone, or another bears its name: nobody knows which was meant.
      if (error instanceof AppError && error.status < 500) return { left: error.message };
      throw error;
    }
  }

  /** Versions of those that are at rest. */
  private async versions(drifted: DriftedIdentity[]): Promise<Map<string, number>> {
    const rows = await this.database.query<{ id: string; version: number }>(
      'drift.identity-versions',
      'select id, version from identities where id = any($1::uuid[]) and due_at is null',
      [drifted.map(({ row }) => row.id)],
    );
    return new Map(rows.map(({ id, version }) => [id, version]));
  }
}

function compareUser(row: IdentityRow, user: UpstreamUser | null, roles: UpstreamRole[]): IdentityFinding[] {
  const { twilioSid, serviceRole } = row;
  if (!user) return [{ kind: 'identity_user_missing', ours: twilioSid, twilio: null, repair: 'adopt' }];
  const replaced = user.sid !== twilioSid;
  const role = roles.find(({ sid }) => sid === user.roleSid);
  const name = role ? shownName(role.friendlyName) : user.roleSid;
  const known = roles.some(
    ({ type, friendlyName }) => type === 'service' && shownName(friendlyName) === serviceRole,
  );
  return [
    ...(replaced
      ? [{ kind: 'identity_user_replaced', ours: twilioSid, twilio: user.sid, repair: 'adopt' } as const]
      : []),
    ...(serviceRole !== null && name !== serviceRole
      ? [
          {
            kind: 'identity_service_role',
            ours: serviceRole,
            twilio: name,
            repair: known ? 'update' : 'none',
          } as const,
        ]
      : []),
  ];
}
