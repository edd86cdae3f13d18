import { finish, stopWithSignals } from './support/judging/report.js';
import { sameKeyRun } from './support/runs/same-key-run.js';
import { LONG, numbersFrom } from './support/world/settings.js';

const { keys, callers, seed } = numbersFrom({ keys: 200, callers: 8 });
stopWithSignals();
finish(await sameKeyRun({ ...LONG, seed }, { keys, callers }));
