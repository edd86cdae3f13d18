import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * `raced()` undoes the statement that calls it, as a serialisation failure (40001): for a statement that inserts into
 * several tables and finds that somebody was faster in one of them.
 */
export class Raced1763800000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      create function raced() returns void language plpgsql as $$
      begin
        raise exception 'another transaction was faster' using errcode = 'serialization_failure';
      end $$`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('drop function raced()');
  }
}
