import { finish, stopWithSignals } from './support/report.js';
import { LONG, numbersFrom } from './support/settings.js';
import { upstreamRun } from './support/upstream-run.js';

const { rounds, seconds, seed } = numbersFrom({ rounds: 6, seconds: 30 });
stopWithSignals();
finish(await upstreamRun({ ...LONG, seed }, { rounds, seconds }));
