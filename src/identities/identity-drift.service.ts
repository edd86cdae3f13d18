import { Injectable } from '@nestjs/common';
import type { Caller } from '../access/caller.js';
import type { ReadyChatService } from '../chat-services/chat-services.service.js';
import { shownName } from '../chat-services/twilio-name.js';
import { AppError } from '../common/errors/app-error.js';
import type { Command } from '../common/http/command.js';
import type { Reply } from '../common/http/reply.js';
import { Database } from '../database/database.js';
import { TwilioGateway } from '../twilio/twilio.gateway.js';
import type { UpstreamRole, UpstreamUser } from '../twilio/twilio.types.js';
import { IdentitiesService } from './identities.service.js';
import { SharedNames } from './shared-names.js';

export const IDENTITY_DRIFTS = [
  'identity_user_missing',
  'identity_user_replaced',
  'identity_service_role',
  'identity_name',
] as const;

/** A row as drift sees it. */
export interface IdentityRow {
  id: string;
  version: number;
  externalId: string | null;
  twilioIdentity: string;
  twilioSid: string | null;
  serviceRole: string | null;
  /** Whether the chat service shares names, and which one Twilio is to know then. */
  shares: boolean;
  sharedName: string | null;
  /** Nothing is known of a User of it, or it is erased: there is nothing to compare. */
  idle: boolean;
  /** A wish is open, somebody holds the lease, or a name is still to be told or taken back: not to be judged. */
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

export type IdentityRepair = 'repaired' | 'pending' | { left: string };

const SHARED_NAME = `case when s.share_display_names then i.display_name end`;

const ROW = `
  i.id, i.version, external_id as "externalId", twilio_identity as "twilioIdentity", i.twilio_sid as "twilioSid",
  service_role as "serviceRole", s.share_display_names as shares, ${SHARED_NAME} as "sharedName",
  status = 'erased' or (service_role is null and i.twilio_sid is null) as "idle",
  i.due_at is not null
    or exists (select from wishes w where w.aggregate_id = i.id and w.status is null)
    or ((s.share_display_names or s.names_stale)
      and shared_name_hash is distinct from hashtextextended(${SHARED_NAME}, 0)) as "inMotion"`;

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
    private readonly names: SharedNames,
  ) {}

  /** Identities of a chat service, by id, after the given one; those with nothing to compare among them. */
  rowsAfter(serviceId: string, after: string | null, limit: number): Promise<IdentityRow[]> {
    return this.database.query<IdentityRow>(
      'drift.identities',
      `select ${ROW} from identities i join chat_services s on s.id = i.service_id
      where i.service_id = $1 and i.id > $2 and i.deleted_at is null order by i.id limit $3`,
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
    const now = await this.again(drifted);
    const unmoved = drifted.filter(({ row: { id, version, sharedName } }) => {
      const then = now.get(id);
      return then?.version === version && then.sharedName === sharedName;
    });
    const moving = [
      ...rows.filter(({ idle, inMotion }) => !idle && inMotion),
      ...drifted.filter((one) => !unmoved.includes(one)).map(({ row }) => row),
    ];
    return { drifted: unmoved, inMotion: moving.map(({ id }) => id) };
  }

  /**
   * Adopts the User that Twilio has, or that it has none; gives a User that is there the service role and the name of the
   * row. One that is missing is made again only where `readd` says so, and the row has a role for it. Answers what came of
   * each finding.
   */
  async repair(
    command: Command,
    caller: Caller,
    { row, userSid, findings }: DriftedIdentity,
    { readd }: { readd: boolean },
  ): Promise<IdentityRepair[] | 'in-motion'> {
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
    const ends: IdentityRepair[] = [];
    for (const { kind, repair } of findings) {
      if (repair === 'none') ends.push({ left: 'Twilio has no service role of that name.' });
      else if (kind === 'identity_name')
        ends.push(
          await this.told((unkeyed) => this.names.tellAnew(unkeyed, caller.serviceId, row.id), command),
        );
      else if (role !== null && (again || repair === 'update'))
        ends.push(
          await this.told(
            (unkeyed) => this.identities.assignServiceRole(unkeyed, caller, row.id, role),
            command,
          ),
        );
      else ends.push('repaired');
    }
    return ends;
  }

  private async told(tell: (command: Command) => Promise<Reply>, command: Command): Promise<IdentityRepair> {
    try {
      const { status } = await tell({ ...command, idempotencyHash: null });
      if (status === 202) return 'pending';
      return status === 200 ? 'repaired' : { left: `It was answered ${status}.` };
    } catch (error) {
      // The role is gone, or another bears its name: nobody knows which was meant.
      if (error instanceof AppError && error.status < 500) return { left: error.message };
      throw error;
    }
  }

  /** Those that are at rest, as they are now. */
  private async again(
    drifted: DriftedIdentity[],
  ): Promise<Map<string, Pick<IdentityRow, 'version' | 'sharedName'>>> {
    const rows = await this.database.query<Pick<IdentityRow, 'id' | 'version' | 'sharedName'>>(
      'drift.identities-again',
      `select i.id, i.version, ${SHARED_NAME} as "sharedName" from identities i
      join chat_services s on s.id = i.service_id where i.id = any($1::uuid[]) and i.due_at is null`,
      [drifted.map(({ row }) => row.id)],
    );
    return new Map(rows.map((row) => [row.id, row]));
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
    ...nameFinding(row, user),
  ];
}

/** A User without a name is called what Twilio knows the person by. Where names are shared, who has none is let be. */
function nameFinding(row: IdentityRow, user: UpstreamUser): IdentityFinding[] {
  const { shares, sharedName, twilioIdentity } = row;
  const shown = user.friendlyName || null;
  if (shares && sharedName === null) return [];
  if ((shown ?? twilioIdentity) === (sharedName ?? twilioIdentity)) return [];
  return [{ kind: 'identity_name', ours: sharedName, twilio: shown, repair: 'update' }];
}
