import { finish, stopWithSignals } from './support/judging/report.js';
import { LONG, numbersFrom } from './support/world/settings.js';
import { upstreamRun } from './support/runs/upstream-run.js';

const { rounds, seconds, seed } = numbersFrom({ rounds: 6, seconds: 30 });
stopWithSignals();
finish(await upstreamRun({ ...LONG, seed }, { rounds, seconds }));
