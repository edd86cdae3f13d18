import { postgresRun } from './support/runs/postgres-run.js';
import { finish, stopWithSignals } from './support/judging/report.js';
import { LONG, numbersFrom } from './support/world/settings.js';

const { stops, round, seed } = numbersFrom({ stops: 24, round: 6 });
stopWithSignals();
finish(await postgresRun({ ...LONG, seed }, { stops, perRound: round }));
