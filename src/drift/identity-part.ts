import { Injectable } from '@nestjs/common';
import {
  IdentityDriftService,
  type DriftedIdentity,
  type IdentityRow,
} from '../identities/identity-drift.service.js';
import { findingOf, type Finding } from './finding.js';
import { commandOf, inTurns, type Compared, type Part, type PartPage, type Walk } from './walk.js';

/** Most identities have nothing to compare: so many times as many rows are read as a page may compare. */
const ROWS_A_CHECK = 10;

/** Identities, with their Users at Twilio. */
@Injectable()
export class IdentityPart implements Part {
  constructor(private readonly drift: IdentityDriftService) {}

  async page(walk: Walk, after: string | null, limit: number): Promise<PartPage> {
    const window = limit * ROWS_A_CHECK;
    const rows = await this.drift.rowsAfter(walk.caller.serviceId, after, window);
    const busy = rows.filter(({ idle }) => !idle);
    const page = await inTurns(busy, limit, walk.until, (some) => this.work(walk, some));
    // Behind the last that was compared; behind all that were read, where all were.
    const more = rows.length === window ? (rows.at(-1)?.id ?? null) : null;
    return { ...page, next: page.next ?? more };
  }

  private async work(walk: Walk, rows: IdentityRow[]): Promise<Compared> {
    const { drifted, inMotion } = await this.drift.compare(walk.service, rows);
    const mended = await Promise.all(drifted.map((one) => this.mend(walk, one)));
    const moving = [
      ...inMotion,
      ...drifted.filter((_, index) => mended[index] === null).map(({ row }) => row.id),
    ];
    const findings = mended.flatMap((some) => some ?? []);
    return { findings, checked: rows.length - moving.length, inMotion: moving };
  }

  /** Null when it has come to be in motion. */
  private async mend({ repair, caller }: Walk, drifted: DriftedIdentity): Promise<Finding[] | null> {
    const { row, findings } = drifted;
    const { id, externalId, twilioSid } = row;
    const named = findings.map((one) => findingOf({ ...one, identity: { id, externalId, twilioSid } }));
    if (!repair) return named;
    const ends = await this.drift.repair(commandOf(repair), caller, drifted, repair);
    if (ends === 'in-motion') return null;
    return named.map((one, index) => {
      const end = ends[index]!;
      return typeof end === 'string'
        ? { ...one, outcome: end }
        : { ...one, outcome: 'left', detail: end.left };
    });
  }
}
