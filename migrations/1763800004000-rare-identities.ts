import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Lists of what is rare among many: by the order of ids alone, a whole chat service would be read to find it. */
export class RareIdentities1763800004000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`create index idx_identities_status on identities (service_id, status, id)
      where status <> 'active'`);
    await runner.query(`create index idx_identities_kind on identities (service_id, kind, id)
      where kind <> 'customer'`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('drop index idx_identities_kind, idx_identities_status');
  }
}
