import { Injectable, type OnModuleInit } from '@nestjs/common';
import type { Command } from '../common/http/command.js';
import { newId } from '../common/new-id.js';
import type { Reply } from '../common/http/reply.js';
import { Database } from '../database/database.js';
import { Commands } from '../reconciler/commands.js';
import type { Lease } from '../reconciler/lease.js';
import { Reconciler } from '../reconciler/reconciler.js';
import { endWith } from '../reconciler/wish-ends.js';
import { insertWish, type SettledWish } from '../reconciler/wish-store.js';
import { toAppError } from '../twilio/to-app-error.js';
import { TwilioError } from '../twilio/twilio-error.js';
import type { TwilioErrorKind } from '../twilio/twilio-error-table.js';
import { TwilioGateway } from '../twilio/twilio.gateway.js';
import type { At, UpstreamUser } from '../twilio/twilio.types.js';
import { IDENTITY, IdentityWishesService, type IdentityAttempt } from './identity-wishes.service.js';

/** The kind of wish by which Twilio is told a name, or has it taken back. It holds no name: the row does. */
const KIND = 'display_name';

/** So many wishes a sweep: a hundred thousand names are no burst, and leave room below Twilio's 30 writes a second. */
const BATCH = 20;

/** No further wishes while so many identities have something to do. */
const IN_FLIGHT_MAX = 50;

/** What Twilio is to know: a name, where the chat service shares names and there is one. */
interface Wanted {
  twilioIdentity: string;
  name: string | null;
  /** Of the name: what is written down of it, as `shared_name_hash`. */
  hash: string | null;
}

const SERVICES = `
  select share_display_names as shares, names_stale as stale from chat_services
  where twilio_sid is not null and (share_display_names or names_stale)`;

const among = (services: string, behind: string): string => `
  select n.id, n.service_id as "serviceId" from chat_services s cross join lateral (
    select i.id, i.service_id from identities i
    where i.service_id = s.id and i.due_at is null and i.deleted_at is null and ${behind} order by i.id limit $1) n
  where s.twilio_sid is not null and ${services}`;

/**
 * Both conditions have an index of those for whom they hold: nobody who is in order is looked at. It is the order of ids
 * that makes Postgres walk it, which takes such a condition for one that nearly everybody meets.
 */
const BEHIND = `
  select * from (
    ${among('s.share_display_names', 'i.shared_name_hash is distinct from hashtextextended(i.display_name, 0)')}
    union all
    ${among('not s.share_display_names and s.names_stale', 'i.shared_name_hash is not null')}) as behind
  order by random()
  limit least($1, (select greatest(0, $2 - count(*)) from (
    select from identities where due_at is not null limit $2) as busy))`;

const NONE_STALE = `
  update chat_services s set names_stale = false
  where names_stale and not share_display_names
    and not exists (select from identities i where i.service_id = s.id and i.deleted_at is null
      and i.shared_name_hash is not null)`;

const WANTED = `
  select twilio_identity as "twilioIdentity", name, hashtextextended(name, 0)::text as hash
  from (
    select i.twilio_identity,
      case when s.share_display_names and i.status <> 'erased' and not i.deleting then i.display_name end as name
    from identities i join chat_services s on s.id = i.service_id where i.id = $1) as wanted`;

/**
 * Keeps the friendly names of Users at Twilio: the names of people where their chat service shares them, what Twilio knows
 * them by where it does not. Whoever changes a name, or the setting, writes that down and no more; the sweep finds what
 * differs from what Twilio was told last.
 */
@Injectable()
export class SharedNames implements OnModuleInit {
  constructor(
    private readonly database: Database,
    private readonly gateway: TwilioGateway,
    private readonly reconciler: Reconciler,
    private readonly wishes: IdentityWishesService,
    private readonly commands: Commands,
  ) {}

  onModuleInit(): void {
    this.wishes.register(KIND, (attempt) => this.fulfil(attempt));
  }

  /** Writes wishes for some of those whose names Twilio does not know, or should not know, and has them fulfilled. */
  async plan(): Promise<void> {
    const services = await this.database.query<{ shares: boolean; stale: boolean }>(
      'names.services',
      SERVICES,
      [],
    );
    if (services.length === 0) return;
    const behind = await this.database.query<{ id: string; serviceId: string }>('names.behind', BEHIND, [
      BATCH,
      IN_FLIGHT_MAX,
    ]);
    for (const { id, serviceId } of behind) await this.wish(id, serviceId);
    const stale = services.some((service) => service.stale && !service.shares);
    if (stale && behind.length === 0) await this.database.query('names.none-stale', NONE_STALE, []);
  }

  /** Has told, or taken back, the name of one person, whatever is written down. */
  tellAnew(command: Command, serviceId: string, id: string): Promise<Reply> {
    return this.commands.fulfil(command, {
      serviceId,
      aggregate: IDENTITY,
      aggregateId: id,
      kind: KIND,
      location: `/v1/identities/${id}`,
      write: (tx) => this.reconciler.takeUp(tx, IDENTITY, id),
      pending: () => Promise.resolve({}),
    });
  }

  /** A change that was given up may have put an older name in place of the last one. */
  async lookForLateLandings(lease: Lease, at: At): Promise<void> {
    const [last] = await this.database.query<{ status: number }>(
      'names.last',
      `select status from wishes where aggregate_id = $1 and kind = '${KIND}' and status is not null
      order by position desc nulls last limit 1`,
      [lease.id],
    );
    if (last?.status !== 200) return;
    const wanted = await this.wanted(lease.id);
    const user = await this.gateway.findUser(at, wanted.twilioIdentity);
    if (user && user.friendlyName !== friendlyNameOf(wanted)) await this.tell(at, wanted);
  }

  private async wish(id: string, serviceId: string): Promise<void> {
    const wish = { id: newId(), serviceId, aggregate: IDENTITY, aggregateId: id, kind: KIND };
    const location = `/v1/identities/${id}`;
    const lease = await this.database.transaction(async (tx) => {
      // Another replica may have been faster.
      const free = await tx.query(
        'names.free',
        'select id from identities where id = $1 and due_at is null for no key update skip locked',
        [id],
      );
      if (free.length === 0) return null;
      await insertWish(tx, { ...wish, location }, nobodysCommand(wish.id, location));
      return this.reconciler.takeUp(tx, IDENTITY, id);
    });
    if (lease) void this.reconciler.drive(lease);
  }

  /** A change is sent whatever is written down, which may be older than what Twilio has. */
  private async fulfil({ lease, at }: IdentityAttempt): Promise<SettledWish> {
    for (;;) {
      const wanted = await this.wanted(lease.id);
      const user = await this.orRefused(lease, wanted, () => this.tell(at, wanted));
      await this.record(lease, wanted, user?.sid ?? null);
      // What was wanted may have changed while it was told, and nobody may look for what has been told just now.
      if ((await this.wanted(lease.id)).hash === wanted.hash) return endWith(200, {});
    }
  }

  /** A name that Twilio refuses counts as told: it is not sent again until it is another one. */
  private async orRefused<T>(lease: Lease, wanted: Wanted, tell: () => Promise<T>): Promise<T> {
    try {
      return await tell();
    } catch (error) {
      if (!is(error, 'refused')) throw error;
      await this.record(lease, wanted, null);
      throw toAppError(error);
    }
  }

  /** Makes the User where Twilio has none and there is a name to tell: it would be made as the person joins. */
  private async tell(at: At, wanted: Wanted): Promise<UpstreamUser | null> {
    const { twilioIdentity: identity, name } = wanted;
    const friendlyName = friendlyNameOf(wanted);
    const update = () => this.gateway.updateUser(at, identity, { friendlyName });
    try {
      return await update();
    } catch (error) {
      if (!is(error, 'not_found')) throw error;
      if (name === null) return null;
    }
    try {
      return await this.gateway.createUser(at, { identity, friendlyName });
    } catch (error) {
      if (!is(error, 'already_exists')) throw error;
      return update();
    }
  }

  private async wanted(id: string): Promise<Wanted> {
    const [row] = await this.database.query<Wanted>('names.wanted', WANTED, [id]);
    if (!row) throw new Error(`Identity ${id} is gone.`);
    return row;
  }

  private async record(lease: Lease, { hash }: Wanted, userSid: string | null): Promise<void> {
    const rows = await this.database.query(
      'names.told',
      `update identities set shared_name_hash = $3::bigint, twilio_sid = coalesce($4, twilio_sid)
      where id = $1 and lease_token = $2 returning id`,
      [lease.id, lease.token, hash, userSid],
    );
    lease.assertHeld(rows);
  }
}

/** Where Twilio is to know no name, its User is called what Twilio knows the person by. */
const friendlyNameOf = ({ name, twilioIdentity }: Wanted): string => name ?? twilioIdentity;

function is(error: unknown, kind: TwilioErrorKind): error is TwilioError {
  return error instanceof TwilioError && error.kind === kind;
}

/** Of a wish that no request has written. */
function nobodysCommand(requestId: string, instance: string): Command {
  return { requestId, instance, waitMs: 0, idempotencyHash: null, requestHash: Buffer.alloc(0) };
}
