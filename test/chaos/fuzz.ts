import { finish, stopWithSignals } from './support/judging/report.js';
import { fuzzRun } from './support/runs/fuzz-run.js';
import { LONG, numbersFrom } from './support/world/settings.js';

const { requests, seed } = numbersFrom({ requests: 12_000 });
stopWithSignals();
finish(await fuzzRun({ ...LONG, seed }, { requests, everyOperation: requests >= 10_000 }));
