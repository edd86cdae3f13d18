import { finish, stopWithSignals } from './support/report.js';
import { sameKeyRun } from './support/same-key-run.js';
import { LONG, numbersFrom } from './support/settings.js';

const { keys, callers, seed } = numbersFrom({ keys: 200, callers: 8 });
stopWithSignals();
finish(await sameKeyRun({ ...LONG, seed }, { keys, callers }));
