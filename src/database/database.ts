import type { Pool, PoolClient } from 'pg';
import type { DataSource } from 'typeorm';
import { isDatabaseAway } from './pg-errors.js';

/** What can run a statement: the pool, or one transaction. */
export interface Queryable {
  /**
   * Runs a prepared statement: `name` stands for `text` from then on, on each connection (measured: two thirds of the
   * CPU of an unnamed one, a third of a repository's `findOneBy`). One name, one text.
   */
  readonly query: <Row extends object>(name: string, text: string, values: unknown[]) => Promise<Row[]>;
}

function queryable(client: Pool | PoolClient): Queryable {
  return {
    query: async <Row extends object>(name: string, text: string, values: unknown[]) =>
      (await client.query<Row>({ name, text, values })).rows,
  };
}

/** SQL for what is hot or locks rows; entities and their repositories (`DataSource`) serve the rest. */
export class Database implements Queryable {
  private readonly pool: Pool;
  readonly query: Queryable['query'];

  constructor(dataSource: DataSource) {
    this.pool = (dataSource.driver as unknown as { master: Pool }).master;
    // Between the moment at which the pool hands a client out and the one at which whoever asked for it goes on, nobody
    // listens: Postgres, being stopped, may say so in the same packet, and an error without a listener ends the process.
    const heard = new WeakSet<PoolClient>();
    this.pool.on('acquire', (client) => {
      if (!heard.has(client)) client.on('error', () => undefined);
      heard.add(client);
    });
    this.query = queryable(this.pool).query;
  }

  /** One transaction, read committed. It is rolled back when `work` throws. Never hold one over a call to Twilio. */
  async transaction<T>(work: (tx: Queryable) => Promise<T>): Promise<T> {
    const client = await this.pool.connect();
    let broken: Error | undefined;
    // A client that is checked out has no listener of the pool's: without one, its lost connection ends the process.
    const onError = (error: Error): void => void (broken ??= error);
    client.on('error', onError);
    try {
      await client.query('begin');
      const result = await work(queryable(client));
      await client.query('commit');
      return result;
    } catch (error) {
      // What could not be rolled back, or does not answer, is not given to anybody else.
      if (isDatabaseAway(error)) onError(error as Error);
      else await client.query('rollback').catch(onError);
      throw error;
    } finally {
      client.off('error', onError);
      client.release(broken);
    }
  }
}
