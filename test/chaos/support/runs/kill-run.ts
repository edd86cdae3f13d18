import { setTimeout as pause } from 'node:timers/promises';
import { BOUNDARIES, FREEZING, type Boundary } from '../world/boundaries.js';
import { judge } from '../judging/judge.js';
import { Load } from '../load/load.js';
import { Random } from '../world/random.js';
import { Recorder } from '../load/record.js';
import type { Replica } from '../world/replica.js';
import { reportOf, type Report } from '../judging/report.js';
import { untilSettled } from '../judging/settling.js';
import type { Settings } from '../world/settings.js';
import { World } from '../world/world.js';
import { Zombie } from './zombie.js';

export interface KillPlan {
  kills: number;
  /** Times that a process is frozen for longer than its lease. */
  freezes: number;
  /** Kills and freezes between two judgements. */
  perRound: number;
  /** Every boundary must have been hit. */
  everyBoundary: boolean;
}

/** Where a holder is frozen whose chat goes on elsewhere. */
const HOLDERS = ['freeze: a holder, before its record', 'freeze: a holder, before its send'] as const;

/** A boundary that is not reached by then is left for another time, in milliseconds. */
const REACHED_MS = 4000;

/** Kills and freezes replicas while commands are in flight, round by round; each round ends with a judgement. */
export async function killRun(settings: Settings, plan: KillPlan, databaseUrl?: string): Promise<Report> {
  const world = await World.start(settings, databaseUrl);
  try {
    return await new KillRun(world, plan).run();
  } finally {
    await world.stop();
  }
}

class KillRun {
  private readonly random: Random;
  private readonly recorder = new Recorder();
  private readonly load: Load;
  private readonly hits = new Map<string, number>();
  private readonly discrepancies: string[] = [];
  private readonly starts = new Map<Replica, Promise<void>>();
  private randomKills = 0;
  private turns = 0;
  private freezeTurns = 0;
  private rounds = 0;
  private slowestMs = 0;

  constructor(
    private readonly world: World,
    private readonly plan: KillPlan,
  ) {
    this.random = new Random(world.settings.seed);
    this.load = new Load(world, this.recorder, this.random.fork(1));
  }

  async run(): Promise<Report> {
    const { kills, freezes } = this.plan;
    while ((this.kills < kills || this.freezes < freezes) && this.discrepancies.length === 0)
      await this.round();
    const wanted = [...BOUNDARIES.map(({ name }) => `kill: ${name}`), ...HOLDERS];
    const missed = wanted.filter((name) => !this.hits.has(name));
    if (this.plan.everyBoundary && this.discrepancies.length === 0 && missed.length > 0) {
      this.discrepancies.push(`never happened: ${missed.join('; ')}`);
    }
    const facts = {
      kills: `${this.kills} (${this.randomKills} at random, ${this.kills - this.randomKills} at a boundary)`,
      freezes: `${this.freezes}, each for longer than the lease`,
      rounds: this.rounds,
      chats: this.recorder.chats.length,
      'slowest wish after the last thing that touched it': `${this.slowestMs} ms`,
      boundaries: [...this.hits]
        .map(([name, n]) => `${name} × ${n}`)
        .sort()
        .join(', '),
    };
    return reportOf('kill', this.world.settings, this.recorder, facts, this.discrepancies);
  }

  private hit(name: string): void {
    this.hits.set(name, (this.hits.get(name) ?? 0) + 1);
  }

  private get kills(): number {
    return this.world.replicas.reduce((sum, { kills }) => sum + kills, 0);
  }

  private get freezes(): number {
    return this.world.replicas.reduce((sum, { freezes }) => sum + freezes, 0);
  }

  private async round(): Promise<void> {
    const { world, plan, random } = this;
    this.rounds += 1;
    await this.faults();
    this.load.begin();
    const until = Math.min(this.kills + plan.perRound, plan.kills);
    const frozen = Math.ceil((plan.freezes * until) / Math.max(1, plan.kills));
    while (this.kills < until || this.freezes < frozen) {
      await pause(random.between(0, 250));
      const replica = await this.victim();
      const due = this.freezes * until < frozen * this.kills || this.kills >= until;
      if (due && this.freezes < frozen) await this.freezeOne(replica);
      else if (this.kills < until) await this.kill(replica);
      for (const one of world.replicas) if (one.baseUrl === null) void this.startAgain(one);
    }
    await Promise.all(this.starts.values());
    for (const replica of world.replicas) await replica.awake();
    await world.clearFaults();
    await this.load.finish();
    const settling = await untilSettled(world);
    this.slowestMs = Math.max(this.slowestMs, settling.slowestMs);
    this.discrepancies.push(...settling.discrepancies, ...(await judge(world, this.recorder)));
    const done = `${this.kills} kills, ${this.freezes} freezes, ${this.recorder.chats.length} chats`;
    world.tell(`round ${this.rounds}: ${done}, ${this.discrepancies.length} discrepancies`);
  }

  /** While another one is there as well: what was accepted has to get on, or its callers would wait for the last kill. */
  private async victim(): Promise<Replica> {
    for (;;) {
      const up = this.world.replicas.filter((replica) => replica.up);
      if (up.length > 1) return this.random.pick(up);
      await pause(50);
    }
  }

  private startAgain(replica: Replica): Promise<void> {
    const start = this.starts.get(replica) ?? replica.start().finally(() => void this.starts.delete(replica));
    this.starts.set(replica, start);
    return start;
  }

  /** Some of what is sent lands late: after the caller has given up, and perhaps after somebody has looked. */
  private async faults(): Promise<void> {
    const { world, random } = this;
    const { callTimeoutMs, leaseMs } = world.settings;
    const path = '/(Conversations|Participants|Messages)$';
    for (const probability of [0.01, 0.02, 0.03]) {
      const lateMs = random.between(callTimeoutMs + 200, callTimeoutMs + leaseMs);
      await world.fault({ method: 'POST', path, probability }, { type: 'delay', ms: lateMs });
      await world.fault(
        { method: 'POST', path, probability },
        { type: 'reset-before', applyAfterMs: random.between(50, leaseMs) },
      );
    }
    await world.fault({ method: 'POST', path, probability: 0.02 }, { type: 'hang', applied: true });
  }

  private async kill(replica: Replica): Promise<void> {
    await replica.awake();
    if (this.random.chance(0.25)) {
      this.randomKills += 1;
      return replica.kill('at random');
    }
    const boundary = BOUNDARIES[this.turns++ % BOUNDARIES.length]!;
    await this.at(boundary, 'kill', async (there) => {
      await there.kill(boundary.name);
      return 'drop' as const;
    });
  }

  /** Every second time the holder of a chat that goes on elsewhere. */
  private async freezeOne(replica: Replica): Promise<void> {
    const { world, load, random } = this;
    const turn = this.freezeTurns++ % 4;
    if (turn % 2 === 1) return this.freeze(replica);
    const others = world.replicas.filter((other) => other !== replica);
    await Promise.all([...this.starts.values(), ...others.map((other) => other.awake())]);
    const zombie = new Zombie(world, random, replica, others);
    const scene = load.scene();
    if (turn === 0 && (await zombie.beforeItsRecord(scene))) this.hit(HOLDERS[0]);
    if (turn === 2 && (await zombie.beforeItsSend(scene))) this.hit(HOLDERS[1]);
  }

  /** Long enough for another to take over; half of the times, for whoever looks once more as well. */
  private async freeze(replica: Replica): Promise<void> {
    const { leaseMs, callTimeoutMs } = this.world.settings;
    const looked = this.random.chance(0.5) ? leaseMs + callTimeoutMs + 2000 : 0;
    const forMs = leaseMs + this.random.between(300, 2000) + looked;
    if (this.random.chance(0.25)) return replica.freeze(forMs, 'at random');
    const boundary = this.random.pick(FREEZING);
    await this.at(boundary, 'freeze', (there) => {
      there.freeze(forMs, boundary.name);
      return 'pass';
    });
  }

  /** Waits until a replica gets there, and lets it happen to that one. */
  private async at(
    boundary: Boundary,
    what: string,
    hit: (there: Replica) => Promise<'pass' | 'drop'> | 'pass' | 'drop',
  ): Promise<void> {
    const { replicas } = this.world;
    await new Promise<void>((resolve) => {
      let taken = false;
      const late = setTimeout(() => {
        taken = true;
        resolve();
      }, REACHED_MS);
      for (const replica of replicas) {
        const trap = async (): Promise<'pass' | 'drop'> => {
          if (taken || !replica.up) return 'pass';
          taken = true;
          this.hit(`${what}: ${boundary.name}`);
          const verdict = await hit(replica);
          clearTimeout(late);
          resolve();
          return verdict;
        };
        replica.arm(boundary.way, { message: boundary.message, moment: boundary.moment, hit: trap });
      }
    });
    for (const replica of replicas) replica.disarm();
  }
}
