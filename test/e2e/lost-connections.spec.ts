import type { Pool } from 'pg';
import { DataSource } from 'typeorm';
import { expect, it } from 'vitest';
import { Database } from '../../src/database/database.js';
import { useTestDatabase } from '../support/database.js';

const test = useTestDatabase();

it('A connection has a listener in the moment it is handed out: what Postgres says in the same packet does not end the process', async () => {
  const dataSource = await new DataSource({ type: 'postgres', url: test.url }).initialize();
  const { master: pool } = dataSource.driver as unknown as { master: Pool };
  const database = new Database(dataSource);
  try {
    for (let round = 0; round < 2; round += 1) {
      const listeners = await new Promise<number>((resolve, reject) => {
        pool.connect((error, client, release) => {
          resolve(client?.listenerCount('error') ?? 0);
          release();
          if (error) reject(error);
        });
      });
      expect(listeners).toBe(1);
    }
    expect(await database.query('one', 'select 1 as one', [])).toEqual([{ one: 1 }]);
  } finally {
    await dataSource.destroy();
  }
});
