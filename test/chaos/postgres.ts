import { postgresRun } from './support/postgres-run.js';
import { finish, stopWithSignals } from './support/report.js';
import { LONG, numbersFrom } from './support/settings.js';

const { stops, round, seed } = numbersFrom({ stops: 24, round: 6 });
stopWithSignals();
finish(await postgresRun({ ...LONG, seed }, { stops, perRound: round }));
