import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * A table that has never been analysed is looked up by `service_id` and `external_id` through either of the indexes that
 * begin with the first: they cost the same to the planner, which then takes the younger one. That was the one for lists,
 * by which all people of a chat service are read for one; and a session keeps such a plan until autovacuum has come by,
 * a minute or more. So the unique one is made anew, as the younger.
 */
const RENEW = [
  'create unique index uq_identities_external_id_renewed on identities (service_id, external_id)',
  'alter table identities drop constraint uq_identities_external_id',
  'alter table identities add constraint uq_identities_external_id unique using index uq_identities_external_id_renewed',
];

export class PlansOfNewDatabases1763800016000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    for (const statement of RENEW) await runner.query(statement);
  }

  /** The same constraint, and the index for lists the younger one again. */
  async down(runner: QueryRunner): Promise<void> {
    await runner.query('drop index idx_identities_service');
    await runner.query('create index idx_identities_service on identities (service_id, id)');
  }
}
