import { open, stat } from 'node:fs/promises';
import pg from 'pg';

/** Settings of Postgres with which it can write down the plans of the very statements that run; off at first. */
export const PLAN_SETTINGS = {
  session_preload_libraries: 'auto_explain',
  'auto_explain.log_analyze': 'on',
  'auto_explain.log_buffers': 'on',
  'auto_explain.log_timing': 'off',
  'auto_explain.log_format': 'json',
  // Not log_min_duration: what stands on the command line cannot be changed while the server runs.
  log_line_prefix: '<%d> ',
};

interface Node {
  'Node Type': string;
  'Relation Name'?: string;
  'Index Name'?: string;
  'Shared Hit Blocks': number;
  'Shared Read Blocks': number;
  Plans?: Node[];
}

/** A statement that ran, as Postgres ran it. */
export class RanStatement {
  constructor(
    readonly database: string,
    readonly text: string,
    private readonly plan: Node,
  ) {}

  /** Pages touched, in memory or not. */
  get buffers(): number {
    return this.plan['Shared Hit Blocks'] + this.plan['Shared Read Blocks'];
  }

  /** Tables that were read from end to end. */
  get scanned(): string[] {
    return nodes(this.plan).flatMap((node) =>
      node['Node Type'] === 'Seq Scan' ? (node['Relation Name'] ?? []) : [],
    );
  }

  get indexes(): string[] {
    return nodes(this.plan).flatMap((node) => node['Index Name'] ?? []);
  }
}

const nodes = (node: Node): Node[] => [node, ...(node.Plans ?? []).flatMap(nodes)];

/** Reads the plans that a server writes into its log. */
export class Plans {
  constructor(
    private readonly url: string,
    private readonly logFile: string,
  ) {}

  /** What runs on the server while `work` does. */
  async during(work: () => Promise<unknown>): Promise<RanStatement[]> {
    const { size } = await stat(this.logFile);
    await this.note(true);
    await work();
    await this.note(false);
    const log = await open(this.logFile);
    try {
      const { size: end } = await log.stat();
      const { buffer } = await log.read(Buffer.alloc(end - size), 0, end - size, size);
      return parse(buffer.toString('utf8'));
    } finally {
      await log.close();
    }
  }

  /** Sessions take a new setting before their next statement. */
  private async note(on: boolean): Promise<void> {
    const client = new pg.Client(this.url);
    await client.connect();
    await client.query(`alter system set auto_explain.log_min_duration = ${on ? 0 : -1}`);
    await client.query('select pg_reload_conf()');
    // It has reached this session, which learns of it as all others do.
    for (let known = ''; known !== (on ? '0' : '-1');) {
      const { rows } = await client.query<{ value: string }>(
        `select current_setting('auto_explain.log_min_duration') as value`,
      );
      known = rows[0]?.value ?? '';
    }
    await client.end();
  }
}

function parse(log: string): RanStatement[] {
  return [...log.matchAll(/^<(\w*)> LOG: {2}duration: [\d.]+ ms {2}plan:\n((?:\t.*\n)+)/gm)].map(
    ([, database = '', text = '']) => {
      const noted = JSON.parse(text.replace(/^\t/gm, '')) as { 'Query Text': string; Plan: Node };
      return new RanStatement(database, noted['Query Text'], noted.Plan);
    },
  );
}
