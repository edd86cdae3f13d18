import type { MigrationInterface, QueryRunner } from 'typeorm';

const reasons = (reasons: string): string => `
  alter table token_sessions drop constraint ck_token_sessions_end_reason,
    add constraint ck_token_sessions_end_reason check (end_reason in (${reasons}))`;

/** A session may end because its person has made too many newer ones. */
export class DisplacedSessions1763800018000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(reasons(`'revoked', 'reused', 'displaced'`));
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`update token_sessions set end_reason = 'revoked' where end_reason = 'displaced'`);
    await runner.query(reasons(`'revoked', 'reused'`));
  }
}
