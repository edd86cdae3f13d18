import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Rate limits. What keys have used is unlogged: it is worth nothing a minute later, and each second's statement costs
 * neither a log record nor a wait for the disk. After a crash of Postgres every key begins anew.
 */
export class KeyRates1763800006000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      alter table api_keys add column rate_limit integer
        constraint ck_api_keys_rate_limit check (rate_limit between 1 and 1000000)`);
    await runner.query(`
      create unlogged table key_rates (
        api_key_id uuid constraint pk_key_rates primary key,
        taken_ms double precision not null,
        full_at timestamptz not null
      )`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('drop table key_rates');
    await runner.query('alter table api_keys drop column rate_limit');
  }
}
