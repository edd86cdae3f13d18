import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Identities that are deleted. `deleting` is set from the moment in which the deletion is accepted, for good; `deleted_at`
 * when it is done. The row stays for as long as participants refer to it.
 */
const UP = [
  `alter table identities
    add column deleting boolean not null default false,
    add column deleted_at timestamptz(3)`,
  `create index idx_identities_deleted on identities (deleted_at) where deleted_at is not null`,
];

export class DeletedIdentities1763800019000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    for (const statement of UP) await runner.query(statement);
  }

  /** Who is deleted is a suspended person without an `externalId` to the release before; it knows no such wish either. */
  async down(runner: QueryRunner): Promise<void> {
    await runner.query(
      `delete from wishes where aggregate = 'identity' and kind = 'delete' and status is null`,
    );
    await runner.query('drop index idx_identities_deleted');
    await runner.query('alter table identities drop column deleted_at, drop column deleting');
  }
}
