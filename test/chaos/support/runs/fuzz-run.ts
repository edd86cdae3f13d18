import { setTimeout as pause } from 'node:timers/promises';
import type { OpenApiDocument } from '../../../support/openapi.js';
import { routesOf } from '../../../support/openapi.js';
import { AnswerCheck } from '../fuzz/check.js';
import { Known } from '../fuzz/known.js';
import { Requests } from '../fuzz/requests.js';
import { Sender, shownAsk, type Answer, type Ask } from '../fuzz/send.js';
import type { Report } from '../judging/report.js';
import { Random } from '../world/random.js';
import type { Settings } from '../world/settings.js';
import { World } from '../world/world.js';

export interface FuzzPlan {
  requests: number;
  /** Every operation of the document must have succeeded at least once. */
  everyOperation: boolean;
}

/** Succeeds only with a token of a company's own login. */
const NEEDS_A_LOGIN = ['exchangeToken'];

/** Callers at once, each with things of its own. */
const CALLERS = 6;
const BROKEN_SHARE = 0.55;
/** So many are listed; the rest is counted. */
const LISTED_MAX = 200;

/** Asks for everything that the document has, well and badly, and holds every answer against the document. */
export async function fuzzRun(settings: Settings, plan: FuzzPlan, databaseUrl?: string): Promise<Report> {
  const world = await World.start({ ...settings, replicas: 1 }, databaseUrl);
  try {
    return await new FuzzRun(world, plan).run();
  } finally {
    await world.stop();
  }
}

class FuzzRun {
  private readonly random: Random;
  private readonly sender: Sender;
  private readonly found = new Map<string, string[]>();
  private readonly counts = new Map<string, number>();
  private readonly succeeded = new Set<string>();
  private asked = 0;
  private slowestMs = 0;
  private slowest = '';

  constructor(
    private readonly world: World,
    private readonly plan: FuzzPlan,
  ) {
    this.random = new Random(world.settings.seed);
    this.sender = new Sender(new URL(world.replicas[0]?.baseUrl ?? ''));
  }

  async run(): Promise<Report> {
    const response = await fetch(`${this.world.replicas[0]?.baseUrl}/openapi.json`);
    const document = (await response.json()) as OpenApiDocument;
    const check = new AnswerCheck(document);
    const { pid } = this.world.replicas[0]!;
    await this.untilReady();
    await Promise.all(Array.from({ length: CALLERS }, (_, n) => this.call(n, document, check)));
    await this.untilSettled();
    this.sender.close();
    if (this.world.replicas[0]?.pid !== pid) this.note('the process', 'died');
    const operations = routesOf(document).map(({ operation }) => operation.operationId);
    const never = operations.filter((id) => !this.succeeded.has(id));
    const missed = never.filter((id) => !NEEDS_A_LOGIN.includes(id));
    if (this.plan.everyOperation) for (const id of missed) this.note(id, 'never succeeded');
    return this.report(operations.length - never.length, operations.length);
  }

  private async call(n: number, document: OpenApiDocument, check: AnswerCheck): Promise<void> {
    const known = new Known();
    const requests = new Requests(document, this.random.fork(n), known, this.world.apiKey, `${n}`);
    while (this.asked < this.plan.requests) {
      this.asked += 1;
      if (this.asked % 1000 === 0)
        this.world.tell(`${this.asked} requests, ${this.found.size} kinds of discrepancy`);
      const ask = requests.next(BROKEN_SHARE);
      const startedAt = performance.now();
      const answer = await this.sender.send(ask).catch((error: unknown) => String(error));
      this.timed(performance.now() - startedAt, ask);
      if (typeof answer === 'string') {
        this.note(answer, shownAsk(ask));
        continue;
      }
      known.learn(ask, answer);
      this.count(ask, answer);
      for (const problem of check.problems(ask, answer)) this.note(`${named(ask)} ${problem}`, shownAsk(ask));
    }
  }

  /** Until the default chat service has been made known at Twilio, with its roles. */
  private async untilReady(): Promise<void> {
    const body = Buffer.from('{"participants":[{"kind":"customer","externalId":"first"}]}');
    const headers = { ...this.headers, 'content-type': 'application/json', prefer: 'wait=30' };
    const ask = { route: null, method: 'POST', path: '/v1/conversations', headers, body, broken: [] };
    const answer = await this.sender.send(ask);
    if (answer.status !== 201) this.note(`the first conversation: ${answer.text}`, shownAsk(ask));
  }

  /** Nothing that was accepted may be left behind. */
  private async untilSettled(): Promise<void> {
    const path = '/v1/reconciliation';
    const ask = { route: null, method: 'GET', path, headers: this.headers, broken: [] };
    const until = Date.now() + this.world.settings.boundMs;
    for (;;) {
      const { text } = await this.sender.send(ask);
      const behind = (JSON.parse(text) as { data: unknown[] }).data;
      if (behind.length === 0) return;
      if (Date.now() > until) return this.note(`${behind.length} left behind`, JSON.stringify(behind));
      await pause(250);
    }
  }

  private get headers(): Record<string, string> {
    return { authorization: `Bearer ${this.world.apiKey}` };
  }

  private count({ route, broken }: Ask, { status }: Answer): void {
    const what = `${broken.length > 0 ? 'broken' : 'well meant'} ${status}`;
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
    if (route && status < 300) this.succeeded.add(route.operation.operationId);
  }

  private timed(tookMs: number, ask: Ask): void {
    if (tookMs < this.slowestMs) return;
    this.slowestMs = tookMs;
    this.slowest = shownAsk(ask);
  }

  private note(problem: string, shown: string): void {
    this.found.set(problem, [...(this.found.get(problem) ?? []), shown]);
  }

  private report(succeeded: number, operations: number): Report {
    const { seed } = this.world.settings;
    const discrepancies = [...this.found]
      .slice(0, LISTED_MAX)
      .map(([problem, shown]) => `${problem} × ${shown.length}, as after: ${shown[0]}`);
    const counts = [...this.counts].sort(([a], [b]) => (a < b ? -1 : 1));
    return {
      lines: [
        `fuzz: seed ${seed}; ${this.asked} requests by ${CALLERS} callers`,
        `  answered: ${counts.map(([what, n]) => `${what} × ${n}`).join(', ')}`,
        `  operations that have succeeded: ${succeeded} of ${operations}`,
        `  slowest answer: ${Math.round(this.slowestMs)} ms, of ${this.slowest}`,
        ...discrepancies.map((text) => `  ✗ ${text}`),
        this.found.size === 0
          ? '  0 discrepancies: no failure of ours, no hang, every answer as documented'
          : `  ${this.found.size} kinds of discrepancy; again with --seed ${seed}`,
      ],
      discrepancies,
    };
  }
}

const named = ({ route, method }: Ask): string => route?.operation.operationId ?? method;
