import { killRun } from './support/runs/kill-run.js';
import { finish, stopWithSignals } from './support/judging/report.js';
import { LONG, numbersFrom } from './support/world/settings.js';

const { kills, freezes, actors, lease, timeout, round, ...given } = numbersFrom({
  kills: 200,
  freezes: 16,
  actors: LONG.actors,
  lease: LONG.leaseMs,
  timeout: LONG.callTimeoutMs,
  round: 40,
});
stopWithSignals();
const settings = { ...LONG, ...given, actors, leaseMs: lease, callTimeoutMs: timeout };
const everyBoundary = kills >= 100;
finish(await killRun(settings, { kills, freezes, perRound: round, everyBoundary }));
